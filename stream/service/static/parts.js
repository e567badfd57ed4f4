// The parts are what several regions of the page show, with the hooks by which they follow what changes.

import { createContext, html, useContext, useEffect, useState } from "./htm.min.js";
import { coverOf, judgeSong, steer } from "./api.js";

/**
 * What every region may use: `{live, player, preview, hues}`; `can`, whether anything can be changed, and
 * `with_token`, whether that takes a token; `change(act)`, which does what may fail and says so.
 */
export const Page = createContext(null);
export const usePage = () => useContext(Page);

/** The state of the stream, anew with each change. */
export function useLive() {
  const { live } = usePage();
  const [state, take] = useState(live.state);
  useEffect(() => live.subscribe(take), [live]);
  return state;
}

/** Show again whenever an EventTarget says `change`. */
export function useChanges(target) {
  const [, again] = useState(0);
  useEffect(() => {
    const told = () => again((n) => n + 1);
    target?.addEventListener("change", told);
    return () => target?.removeEventListener("change", told);
  }, [target]);
}

/** Call `draw` so many times a second while the page is seen; once, where less motion is asked for. */
export function useFrames(times, draw) {
  useEffect(() => {
    const perSecond = calm.matches ? 1 : times;
    let frame = 0;
    let drawn = -Infinity;
    const next = (time) => {
      frame = requestAnimationFrame(next);
      if (time - drawn < 1000 / perSecond - 4) return;
      drawn = time;
      draw();
    };
    frame = requestAnimationFrame(next);
    return () => cancelAnimationFrame(frame);
  });
}

export const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Of each icon the path, in a field of 24 by 24.
const ICONS = {
  play: "M8 5v14l11-7z",
  stop: "M7 7h10v10H7z",
  pause: "M7 5h4v14H7zm6 0h4v14h-4z",
  skip: "M5 5v14l10-7zm11 0h3v14h-3z",
  like: "M12 20.5 4.6 13a4.9 4.9 0 0 1 7-6.9l.4.5.4-.5a4.9 4.9 0 0 1 7 6.9z",
  dislike: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12 19 17.6 17.6 19 12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z",
  star: "m12 3.5 2.6 5.6 6.1.7-4.5 4.2 1.2 6-5.4-3-5.4 3 1.2-6L3.3 9.8l6.1-.7z",
  mute: "M4 9v6h4l5 4.5v-15L8 9zm11.3 1.1 1.2-1.2 2 2 2-2 1.2 1.2-2 2 2 2-1.2 1.2-2-2-2 2-1.2-1.2 2-2z",
  towards: "M13 5.5 19.5 12 13 18.5l-1.4-1.4 4-4.1H4v-2h11.6l-4-4.1z",
  again: "M12 5V1.5L7 6.4l5 4.9V7.6a4.9 4.9 0 1 1-4.9 5H4.5A7.5 7.5 0 1 0 12 5z",
  volume: "M4 9v6h4l5 4.5v-15L8 9zm11 .2v5.6a3.2 3.2 0 0 0 0-5.6z",
  lock: "M7 10V8a5 5 0 0 1 10 0v2h1.5v10h-13V10zm2 0h6V8a3 3 0 0 0-6 0z",
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/** A button that shows an icon alone; `pressed` makes it one of two states. */
export const IconButton = ({ icon, label, pressed, ...rest }) => html`
  <button type="button" class="round" aria-label=${label} title=${label} aria-pressed=${pressed} ...${rest}>
    <${Icon} name=${icon} />
  </button>
`;

/** The cover of a song; a song without one has its hue. */
export function Cover({ song, large = false }) {
  const { hues } = usePage();
  const [broken, setBroken] = useState(null);
  const address = broken === song.id ? null : coverOf(song);
  return html`
    <span class=${large ? "cover large" : "cover"} style=${{ "--of-song": hues.of(song.id) }}>
      ${
        address
          ? html`<img src=${address} alt="" loading="lazy" onError=${() => setBroken(song.id)} />`
          : html`<span aria-hidden="true">${(song.artist || song.title || "∞").trim()[0]}</span>`
      }
    </span>
  `;
}

export const SongName = ({ song }) => html`
  <span class="song-name">
    <span class="song-title">${song.title}</span>
    ${song.artist && html`<span class="quiet">${song.artist}</span>`}
  </span>
`;

/** What can be done with a song: go towards it, favour it, mute it. `judged` hears of the new opinion. */
export function SongActions({ song, judged = () => {}, words = false }) {
  const { live, change, can } = usePage();
  const { now } = useLive();
  if (!can) return null;
  const going = now?.steering.towards?.id === song.id;
  const go = () =>
    change(async () => live.patch({ steering: await steer({ towards: going ? null : song.id }) }));
  const judge = (opinion, held) => () =>
    change(async () => {
      const now = held ? null : opinion;
      await judgeSong(song.id, now);
      judged({ ...song, favoured: now === "favoured", muted: now === "muted" });
    });
  const offer = (icon, label, pressed, act) =>
    words
      ? html`<button type="button" class="soft" aria-pressed=${pressed} onClick=${act}>
          <${Icon} name=${icon} />${label}
        </button>`
      : html`<${IconButton}
          icon=${icon}
          label="${label}: ${song.title}"
          pressed=${pressed}
          onClick=${act}
        />`;
  return html`
    <span class="actions">
      ${offer("towards", "Go towards", going, go)}
      ${offer("star", "Favour", Boolean(song.favoured), judge("favoured", song.favoured))}
      ${offer("mute", "Mute", Boolean(song.muted), judge("muted", song.muted))}
    </span>
  `;
}
