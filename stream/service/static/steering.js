// This region steers what is chosen from now on, and lets the stream fall asleep.

import { html, useEffect, useState } from "./htm.min.js";
import { sleepIn, steer } from "./api.js";
import { useLive, usePage } from "./parts.js";
import { clock, titled } from "./words.js";

const SLEEPS_MIN = [15, 30, 45, 60, 90, 120];
const PHRASE_STEPS = 8; // of a factor 2: the slider moves evenly in what is heard.

export function Steering() {
  const { can, with_token } = usePage();
  const { now } = useLive();
  const { steering } = now;
  return html`
    <section class="steering card" aria-labelledby="steering-title">
      <h2 class="label" id="steering-title">Steer</h2>
      ${!can && html`<p class="quiet small">${with_token ? "Unlock with the token to change something." : "From here it can only be watched."}</p>`}
      <${Towards} towards=${steering.towards} />
      <${Slider}
        name="variety"
        title="Variety"
        low="stays in a song"
        high="always another"
        value=${Math.round(100 * steering.other_songs)}
        min="0"
        max="100"
        step="5"
        words=${(percent) => `${percent} % to another song`}
        send=${(percent) => ({ other_songs: percent / 100 })}
      />
      <${Slider}
        name="phrase"
        title="Length of a phrase"
        low="jumps often"
        high="plays on"
        value=${Math.round(PHRASE_STEPS * Math.log2(steering.phrase_factor))}
        min=${-2 * PHRASE_STEPS}
        max=${2 * PHRASE_STEPS}
        step="1"
        words=${lengthOf}
        send=${(step) => ({ phrase_factor: 2 ** (step / PHRASE_STEPS) })}
      />
      <${Sleep} in_s=${now.sleep_in_s} />
    </section>
  `;
}

const lengthOf = (step) => {
  const factor = (2 ** (step / PHRASE_STEPS)).toFixed(2).replace(/\.?0+$/, "");
  return `${factor === "1" ? "" : `${factor} times `}as long as usual`;
};

function Towards({ towards }) {
  const { can, change, live } = usePage();
  if (!towards) return null;
  const stop = () => change(async () => live.patch({ steering: await steer({ towards: null }) }));
  return html`
    <p class="towards" role="status">
      <span>On the way to <strong>${titled(towards)}</strong>, by good joins.</span>
      ${can && html`<button type="button" class="soft" onClick=${stop} aria-label="Do not go there">Do not</button>`}
    </p>
  `;
}

/** A slider that shows what it means while it is moved, and sends it when it is let go. */
function Slider({ name, title, low, high, value, words, send, ...range }) {
  const { can, change, live } = usePage();
  const [held, setHeld] = useState(null);
  const shown = held ?? value;
  const move = (event) => setHeld(Number(event.target.value));
  const let_go = (event) =>
    change(async () => live.patch({ steering: await steer(send(Number(event.target.value))) })).finally(() =>
      setHeld(null),
    );
  return html`
    <div class="slider">
      <label for=${name}>${title}</label>
      <output for=${name}>${words(shown)}</output>
      <input
        type="range"
        id=${name}
        ...${range}
        value=${shown}
        disabled=${!can}
        onInput=${move}
        onChange=${let_go}
        aria-valuetext=${words(shown)}
      />
      <span class="ends quiet small" aria-hidden="true"><span>${low}</span><span>${high}</span></span>
    </div>
  `;
}

function Sleep({ in_s }) {
  const { can, change, live } = usePage();
  const left_s = useCountdown(in_s);
  const set = (minutes) =>
    change(async () => {
      const s = minutes === null ? null : 60 * minutes;
      await sleepIn(s);
      live.patch({ sleep_in_s: s });
    });
  if (left_s !== null)
    return html`
      <p class="sleep">
        <span>Fades out and stops for all in <strong>${clock(left_s)}</strong>.</span>
        ${can && html`<button type="button" class="soft" onClick=${() => set(null)} aria-label="Do not fade out">Do not</button>`}
      </p>
    `;
  return html`
    <p class="sleep">
      <label for="sleep">Sleep timer</label>
      <select id="sleep" disabled=${!can} value="" onChange=${(event) => set(Number(event.target.value))}>
        <option value="" disabled>off</option>
        ${SLEEPS_MIN.map((minutes) => html`<option value=${minutes}>in ${minutes} minutes</option>`)}
      </select>
    </p>
  `;
}

/** What is left of a time that was told once, by the second. */
function useCountdown(told_s) {
  const [left_s, setLeft] = useState(told_s);
  useEffect(() => {
    setLeft(told_s);
    if (told_s === null) return undefined;
    const began = performance.now();
    const timer = setInterval(() => setLeft(told_s - (performance.now() - began) / 1000), 1000);
    return () => clearInterval(timer);
  }, [told_s]);
  return left_s;
}
