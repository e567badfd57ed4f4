// This region shows where the stream is heard, and whether it is.

import { html } from "./htm.min.js";
import { useLive } from "./parts.js";
import { plural } from "./words.js";

export function Outputs() {
  const { now } = useLive();
  const { songs, chunks } = now.pool;
  const known = [plural(songs, "song"), plural(chunks, "chunk"), plural(now.listeners, "listener")];
  return html`
    <section class="outputs card" aria-labelledby="outputs-title">
      <h2 class="label" id="outputs-title">Heard at</h2>
      <ul class="rows">
        ${now.outputs.map((output) => html`<${Output} key=${output.name} output=${output} />`)}
      </ul>
      <p class="quiet small">${known.join(", ")}</p>
    </section>
  `;
}

const howItIs = ({ ended, healthy }) => (ended ? "ended" : healthy ? "well" : "not heard");

const Output = ({ output }) => html`
  <li class=${output.ended ? "over" : output.healthy ? "well" : "ill"}>
    <span class="dot" aria-hidden="true"></span>
    <div class="grow">
      <p class="output-name">${output.name}</p>
      <p class="quiet small">${[output.state, output.detail].filter(Boolean).join(": ")}</p>
    </div>
    <span class="quiet"
      >${howItIs(output)}${output.listeners != null && ` · ${plural(output.listeners, "listener")}`}</span
    >
  </li>
`;
