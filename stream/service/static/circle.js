// This region shows the circle of the pool, and offers what can be done with the song that is pointed at.

import { html, useEffect, useRef, useState } from "./htm.min.js";
import { ask, findSongs } from "./api.js";
import { CircleDrawing } from "./circle_drawing.js";
import { joinIn, positionOf } from "./live.js";
import { calm, Cover, SongActions, SongName, useFrames, useLive, usePage } from "./parts.js";
import { plural, titled } from "./words.js";

const NEAR_S = 20; // The coming join begins to grow so long before it is heard.
const PAST = 24;

export function Circle({ map, waveform }) {
  const { live, hues } = usePage();
  const { now } = useLive();
  const canvas = useRef(null);
  const drawing = useRef(null);
  const [hovered, setHovered] = useState(null);
  const [chosen, setChosen] = useState(null);

  useEffect(() => {
    drawing.current ??= new CircleDrawing(canvas.current);
    if (map) drawing.current.take(map, hues);
  }, [map]);
  useFrames(30, () => {
    const { now, joins } = live.state;
    const playing = map?.byId.get(now.song.id) ?? null;
    const at_s = positionOf(live.state);
    const in_s = joinIn(live.state);
    drawing.current?.draw({
      playing,
      at: playing && chunkAt(playing, at_s, now.length_s, waveform),
      energy: calm.matches || now.paused ? 0 : energyAt(waveform, at_s),
      past: joins.slice(0, PAST),
      coming: now.next,
      near: in_s === null ? 0 : Math.max(0, 1 - in_s / NEAR_S),
      chosen: [chosen, hovered].filter((place) => place !== null),
    });
  });

  const songs = map?.songs ?? [];
  const shown = songs[hovered ?? chosen] ?? null;
  const placeOf = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return drawing.current.songAt(event.clientX - box.left, event.clientY - box.top);
  };
  const at = chosen ?? map?.byId.get(now.song.id)?.place ?? 0;
  const turn = (event) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    const ends = { Home: 0, End: songs.length - 1 };
    const to = ends[event.key] ?? (event.key in steps ? at + steps[event.key] : null);
    if (event.key === "Escape") setChosen(null);
    if (to === null || !songs.length) return;
    event.preventDefault();
    setChosen((to + songs.length) % songs.length);
  };
  return html`
    <section class="circle" aria-labelledby="circle-title">
      <h2 class="label" id="circle-title">The circle of ${plural(now.pool.songs, "song")}</h2>
      <canvas
        ref=${canvas}
        id="circle"
        tabindex="0"
        role="slider"
        aria-label="Song on the circle; arrows turn, offers follow below"
        aria-valuemin="1"
        aria-valuemax=${Math.max(1, songs.length)}
        aria-valuenow=${at + 1}
        aria-valuetext=${songs[at] ? titled(songs[at]) : "no song yet"}
        onPointerMove=${(event) => event.pointerType === "mouse" && setHovered(placeOf(event))}
        onPointerLeave=${() => setHovered(null)}
        onClick=${(event) => setChosen(placeOf(event))}
        onKeyDown=${turn}
      ></canvas>
      <${Offer} song=${shown} />
    </section>
  `;
}

/** What is known of the song that is pointed at, and what can be done with it. */
function Offer({ song }) {
  const known = useOpinion(song);
  if (!song)
    return html`<p class="offer quiet">
      Each arc is a song, each tick a chunk. Lines are joins, the bold one comes next. Point at a song, or
      turn with the arrow keys.
    </p>`;
  return html`
    <div class="offer">
      <${Cover} song=${known.song} />
      <div class="grow">
        <${SongName} song=${song} /> <span class="quiet small">${plural(song.chunks, "chunk")}</span>
      </div>
      <${SongActions} song=${known.song} judged=${known.judged} words />
    </div>
  `;
}

/** The song with what the listener thinks of it, which the map does not tell. */
function useOpinion(song) {
  const { can } = usePage();
  const [known, setKnown] = useState(null);
  useEffect(() => {
    let current = true;
    if (song && can)
      findSongs(song.title, 50).then(
        ({ songs }) => current && setKnown(songs.find((one) => one.id === song.id) ?? null),
        () => {},
      );
    return () => (current = false);
  }, [song?.id, can]);
  return { song: known && known.id === song?.id ? known : song, judged: setKnown };
}

/** The map of the pool, anew with each generation; null before the first. */
export function useMap(generation, hues) {
  const [map, setMap] = useState(null);
  useEffect(() => {
    let current = true;
    const take = (told) => {
      if (!current) return;
      hues.take(told);
      const songs = told.songs.map((song, place) => ({ ...song, place }));
      setMap({ ...told, songs, byId: new Map(songs.map((song) => [song.id, song])) });
    };
    // Without it the circle is empty, and all else works.
    if (generation !== undefined) ask("map").then(take, () => {});
    return () => (current = false);
  }, [generation]);
  return map;
}

/** The chunk that is heard, with its fraction: by the song's cuts, or evenly where they are not known. */
function chunkAt(song, at_s, length_s, waveform) {
  const cuts_s = waveform?.cuts_s ?? [];
  if (cuts_s.length !== song.chunks + 1) return song.first_chunk + (song.chunks * at_s) / length_s;
  const after = cuts_s.findIndex((cut_s) => cut_s > at_s);
  const next = after < 0 ? song.chunks : Math.max(1, after);
  const [from_s, to_s] = [cuts_s[next - 1], cuts_s[next]];
  return song.first_chunk + next - 1 + Math.min(1, Math.max(0, (at_s - from_s) / (to_s - from_s)));
}

function energyAt(waveform, at_s) {
  if (!waveform) return 0;
  return waveform.peaks[Math.floor((waveform.peaks.length * at_s) / waveform.length_s)] ?? 0;
}
