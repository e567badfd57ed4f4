// This region finds songs of the pool, and takes opinions on them.

import { html, useEffect, useState } from "./htm.min.js";
import { findSongs } from "./api.js";
import { Cover, SongActions, SongName, useLive, usePage } from "./parts.js";
import { plural } from "./words.js";

const PAGE = 8;
const TYPED_MS = 200;

export function Songs() {
  const { change } = usePage();
  const { now } = useLive();
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [found, setFound] = useState({ total: 0, songs: [] });
  useEffect(() => {
    let current = true;
    const typed = setTimeout(
      () =>
        change(async () => {
          const answer = await findSongs(search, limit);
          if (current) setFound(answer);
        }),
      TYPED_MS,
    );
    return () => {
      current = false;
      clearTimeout(typed);
    };
  }, [search, limit, now.pool.generation]);
  const judged = (song) =>
    setFound({ ...found, songs: found.songs.map((one) => (one.id === song.id ? song : one)) });
  const type = (event) => {
    setSearch(event.target.value);
    setLimit(PAGE);
  };
  return html`
    <section class="songs card" aria-labelledby="songs-title">
      <h2 class="label" id="songs-title">Songs</h2>
      <input
        type="search"
        id="search"
        value=${search}
        onInput=${type}
        placeholder="Title, artist or album"
        aria-label="Find a song by title, artist or album"
      />
      <p class="quiet small" role="status">${plural(found.total, "song")}</p>
      <ul class="rows">
        ${found.songs.map(
          (song) => html`
            <li key=${song.id} class=${song.muted ? "muted" : ""}>
              <${Cover} song=${song} />
              <div class="grow"><${SongName} song=${song} /></div>
              <${SongActions} song=${song} judged=${judged} />
            </li>
          `,
        )}
      </ul>
      ${
        found.songs.length < found.total &&
        html`<button type="button" class="soft" onClick=${() => setLimit(limit + 3 * PAGE)}>
          More songs
        </button>`
      }
    </section>
  `;
}
