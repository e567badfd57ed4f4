// This bar plays the stream in the page.

import { html } from "./htm.min.js";
import { Icon, useChanges, usePage } from "./parts.js";

const WORDS = {
  off: "Listen here",
  opening: "Opening …",
  playing: "Stop here",
  waiting: "Coming back …",
};

export function Listen() {
  const { player } = usePage();
  useChanges(player);
  if (!player) return null;
  const choose = (event) => player.choose(player.sources[event.target.selectedIndex]);
  return html`
    <section class="listen" aria-label="Player">
      <button
        type="button"
        class="strong"
        id="listen"
        onClick=${() => (player.wanted ? player.stop() : player.play())}
      >
        <${Icon} name=${player.wanted ? "stop" : "play"} />${WORDS[player.state]}
      </button>
      <label class="volume">
        <${Icon} name="volume" /><span class="unseen">Volume</span>
        <input
          type="range"
          id="volume"
          min="0"
          max="1"
          step="0.01"
          value=${player.volume}
          aria-valuetext="${Math.round(100 * player.volume)} %"
          onInput=${(event) => player.setVolume(Number(event.target.value))}
        />
      </label>
      ${
        player.sources.length > 1 &&
        html`<select aria-label="Format" onChange=${choose}>
          ${player.sources.map((source) => html`<option selected=${source === player.source}>${source.name}</option>`)}
        </select>`
      }
    </section>
  `;
}
