// This region shows what is heard now, where it stands in its song, and when it leaves it.

import { html, useEffect, useMemo, useRef, useState } from "./htm.min.js";
import { ask, pause, skip } from "./api.js";
import { positionOf } from "./live.js";
import { Cover, Icon, useFrames, useLive, usePage } from "./parts.js";
import { clock, spoken } from "./words.js";

const POINTS = 300;
const HEIGHT = 100;

/** The waveform of a song, as the server tells it; null until it is there, or where there is none. */
export function useWaveform(song) {
  const [waveform, setWaveform] = useState(null);
  useEffect(() => {
    let current = true;
    setWaveform(null);
    if (song)
      ask(`songs/${song.id}/waveform?points=${POINTS}`).then(
        (told) => current && setWaveform({ ...told, song: song.id }),
        () => {},
      );
    return () => (current = false);
  }, [song?.id]);
  return waveform?.song === song?.id ? waveform : null;
}

export function Now({ waveform }) {
  const { can, change, live } = usePage();
  const { now } = useLive();
  const { song } = now;
  const hold = () =>
    change(async () => {
      await pause(!now.paused);
      live.patch({ paused: !now.paused });
    });
  return html`
    <section class="now" aria-labelledby="now-title">
      <${Cover} song=${song} large />
      <div class="now-words">
        <p class="label">${now.paused ? "Paused" : "Now playing"}</p>
        <h2 id="now-title" class="title">${song.title}</h2>
        <p class="artist">${song.artist}${song.album && html`<span class="quiet"> · ${song.album}</span>`}</p>
      </div>
      ${
        can &&
        html`<div class="transport">
          <button type="button" class="strong" id="skip" onClick=${() => change(skip)}>
            <${Icon} name="skip" />Next
          </button>
          <button type="button" class="soft" onClick=${hold}>
            <${Icon}
              name=${now.paused ? "play" : "pause"}
            />${now.paused ? "Go on, for all" : "Pause, for all"}
          </button>
        </div>`
      }
      <${Waveform} waveform=${waveform} />
    </section>
  `;
}

function Waveform({ waveform }) {
  const { live } = usePage();
  const state = useLive();
  const { song, next, length_s } = state.now;
  const shape = useMemo(() => shapeOf(waveform?.peaks ?? []), [waveform]);
  const heard = useRef(null);
  const place = useRef(null);
  const bar = useRef(null);
  useFrames(20, () => {
    const at_s = positionOf(live.state);
    heard.current?.setAttribute("width", (POINTS * at_s) / live.state.now.length_s);
    // A reader that is told each second would say nothing else.
    if (place.current && place.current.textContent !== clock(at_s)) {
      place.current.textContent = clock(at_s);
      bar.current.setAttribute("aria-valuenow", Math.round(at_s));
      bar.current.setAttribute("aria-valuetext", `${spoken(at_s)} of ${spoken(live.state.now.length_s)}`);
    }
  });
  const cut_s = next && next.from.id === song.id ? next.left_s : null;
  const at = (s) => (POINTS * s) / length_s;
  return html`
    <div class="waveform">
      <svg
        viewBox="0 0 ${POINTS} ${HEIGHT}"
        preserveAspectRatio="none"
        ref=${bar}
        role="progressbar"
        aria-label="Place in the song"
        aria-valuemin="0"
        aria-valuemax=${Math.round(length_s)}
      >
        <clipPath id="heard"><rect ref=${heard} width="0" height=${HEIGHT} /></clipPath>
        <path class="wave" d=${shape} />
        <path class="wave heard" d=${shape} clip-path="url(#heard)" />
        ${cut_s !== null && html`<rect class="rest" x=${at(cut_s)} width=${Math.max(0, POINTS - at(cut_s))} height=${HEIGHT} />`}
      </svg>
      ${
        cut_s !== null &&
        html`<span
          class="cut"
          style=${{ left: `${(100 * cut_s) / length_s}%` }}
          title="It leaves the song here"
        ></span>`
      }
    </div>
    <p class="times quiet">
      <span id="position" ref=${place}></span>
      ${cut_s !== null && html`<span id="cut">leaves at ${clock(cut_s)}</span>`}
      <span id="length">${clock(length_s)}</span>
    </p>
  `;
}

/** A path round the peaks, mirrored; a line where nothing is known. */
function shapeOf(peaks) {
  const known = peaks.length ? peaks : new Array(POINTS).fill(0);
  const middle = HEIGHT / 2;
  const step = POINTS / known.length;
  const bars = known.map((peak, n) => {
    const half = Math.max(1, peak * (middle - 2));
    return `M${(n * step).toFixed(2)} ${(middle - half).toFixed(1)}h${(step * 0.7).toFixed(2)}v${(2 * half).toFixed(1)}h-${(step * 0.7).toFixed(2)}z`;
  });
  return bars.join("");
}
