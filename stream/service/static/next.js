// This region shows what follows, when, and what spoke for it.

import { html, useRef } from "./htm.min.js";
import { joinIn } from "./live.js";
import { Cover, useFrames, useLive, usePage } from "./parts.js";
import { HearButton, LikeButtons } from "./history.js";
import { clock, count, decidedBy, fits, reasonsOf, termName } from "./words.js";

export function Next() {
  const { now } = useLive();
  const { next } = now;
  return html`
    <section class="next card" aria-labelledby="next-title">
      <h2 class="label" id="next-title">Next</h2>
      ${next ? html`<${Coming} join=${next} />` : html`<p class="quiet">Not decided yet.</p>`}
      ${next && html`<${Decision} now=${now} />`}
    </section>
  `;
}

function Coming({ join }) {
  const { live } = usePage();
  const countdown = useRef(null);
  useFrames(4, () => {
    const s = joinIn(live.state);
    const text = s === null ? "" : `in ${clock(s)}`;
    if (countdown.current && countdown.current.textContent !== text) countdown.current.textContent = text;
  });
  const same = join.from.id === join.to.id;
  return html`
    <div class="coming">
      <${Cover} song=${join.to} />
      <div class="grow">
        <p class="song-title" id="next">${join.to.title}</p>
        <p class="quiet">
          ${same ? `the same song, from ${clock(join.entered_s)} on` : `${join.to.artist ? `${join.to.artist} · ` : ""}from ${clock(join.entered_s)} on`}
        </p>
      </div>
      <span class="countdown" ref=${countdown}></span>
      <span class="actions"><${HearButton} join=${join} /><${LikeButtons} join=${join} /></span>
    </div>
  `;
}

function Decision({ now }) {
  const join = now.next;
  const { pro, contra, said } = reasonsOf(join);
  return html`
    ${
      join.score !== null &&
      html`<p class="score">
        <meter min="0" max="1" value=${join.score} aria-label="Score of the join">${join.score}</meter>
        <span id="score">${fits(join.score)}: score ${join.score.toFixed(2)}</span>
      </p>`
    }
    <ul class="reasons" aria-label="Why">
      ${pro.map((words) => html`<li class="pro">${words}</li>`)}
      ${contra.map((words) => html`<li class="contra">${words}</li>`)}
      ${said.map((words) => html`<li>${words}</li>`)}
    </ul>
    <details>
      <summary>${summaryOf(join, now)}</summary>
      <${Terms} terms=${join.terms} />
    </details>
  `;
}

function summaryOf(join, now) {
  const place =
    join.rank === null
      ? ""
      : `No. ${count(join.rank)} of ${count(join.considered || join.candidates)} ways on`;
  const margin = now.margin_s === null ? "" : `decided ${now.margin_s.toFixed(1)} s ahead`;
  return [place || decidedBy(join.rung), margin].filter(Boolean).join(", ") || "How it was decided";
}

function Terms({ terms }) {
  const weighed = Object.entries(terms ?? {})
    .filter(([name, value]) => name !== "total" && Math.abs(value) >= 0.005)
    .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const { now } = useLive();
  const most = Math.max(1, ...weighed.map(([, value]) => Math.abs(value)));
  return html`
    <p class="weighed quiet">
      ${decidedBy(now.next.rung)}${now.decision_ms !== null && `, in ${count(Math.max(1, Math.round(now.decision_ms)))} ms`}.
      ${weighed.length > 0 && " What spoke for (+) and against it (−), in log-odds:"}
    </p>
    <dl class="terms">
      ${weighed.map(
        ([name, value]) => html`
          <dt>${termName(name)}</dt>
          <dd class=${value < 0 ? "contra" : "pro"}>
            <span class="weight" style=${{ width: `${(100 * Math.abs(value)) / most}%` }}></span>
            <span>${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}</span>
          </dd>
        `,
      )}
    </dl>
  `;
}
