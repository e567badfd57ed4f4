// This region lists the joins that were heard, to be heard again and judged.

import { html, useState } from "./htm.min.js";
import { judgeJoin } from "./api.js";
import { Cover, IconButton, useChanges, useLive, usePage } from "./parts.js";
import { ago, clock } from "./words.js";

const SHOWN = 6;

export function History() {
  const { joins, now } = useLive();
  const [shown, setShown] = useState(SHOWN);
  return html`
    <section class="history card" aria-labelledby="history-title">
      <h2 class="label" id="history-title">Joins so far</h2>
      ${joins.length === 0 && html`<p class="quiet">The first one is still to come.</p>`}
      <ol class="rows">
        ${joins.slice(0, shown).map((join) => html`<${Heard} key=${join.n} join=${join} time_s=${now.time_s} />`)}
      </ol>
      ${
        shown < joins.length &&
        html`<button type="button" class="soft" onClick=${() => setShown(shown + 2 * SHOWN)}>
          Earlier joins
        </button>`
      }
    </section>
  `;
}

function Heard({ join, time_s }) {
  const same = join.from.id === join.to.id;
  const score = join.score === null ? "" : ` · score ${join.score.toFixed(2)}`;
  return html`
    <li id=${`join-${join.n}`}>
      <${Cover} song=${join.to} />
      <div class="grow">
        <p class="song-title">${join.to.title}</p>
        <p class="quiet">
          ${same ? `within the song, ${clock(join.left_s)} to ${clock(join.entered_s)}` : `after ${join.from.title}`}
        </p>
        <p class="quiet small">${join.time_s !== null && ago(time_s - join.time_s)}${score}</p>
      </div>
      <span class="actions"><${HearButton} join=${join} /><${LikeButtons} join=${join} /></span>
    </li>
  `;
}

const nameOf = (join) => `from ${join.from.title} to ${join.to.title}`;

export function HearButton({ join }) {
  const { preview, change } = usePage();
  useChanges(preview);
  const hearing = preview.n === join.n;
  return html`<${IconButton}
    icon=${hearing ? "stop" : "again"}
    label="Hear this join: ${nameOf(join)}"
    pressed=${hearing}
    onClick=${() => change(() => preview.toggle(join))}
  />`;
}

export function LikeButtons({ join }) {
  const { can, change, live } = usePage();
  if (!can) return null;
  const judge = (liked) => () =>
    change(async () => live.replaceJoin(await judgeJoin(join.n, join.liked === liked ? null : liked)));
  return html`
    <${IconButton}
      icon="like"
      label="Like the join ${nameOf(join)}"
      pressed=${join.liked === true}
      onClick=${judge(true)}
    />
    <${IconButton}
      icon="dislike"
      label="Never again the join ${nameOf(join)}"
      pressed=${join.liked === false}
      onClick=${judge(false)}
    />
  `;
}
