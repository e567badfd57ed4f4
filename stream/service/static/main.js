// The page begins here: it takes the place of what the server has written, and lets every region follow the stream.

import { html, render, useEffect, useState } from "./htm.min.js";
import { coverOf, Refused, skip, takeTokenFromAddress, token } from "./api.js";
import { Circle, useMap } from "./circle.js";
import { Hues } from "./circle_drawing.js";
import { History } from "./history.js";
import { Listen } from "./listen.js";
import { Live } from "./live.js";
import { Next } from "./next.js";
import { Now, useWaveform } from "./now.js";
import { Outputs } from "./outputs.js";
import { Icon, Page } from "./parts.js";
import { playable, Player } from "./player.js";
import { Preview } from "./preview.js";
import { Songs } from "./songs.js";
import { Steering } from "./steering.js";
import { titled } from "./words.js";

const NOTICE_MS = 8_000;
const FORBIDDEN = [401, 403];

function App({ setup, live, player, preview, hues }) {
  const [state, take] = useState(live.state);
  const [notice, setNotice] = useState("");
  const [asked, setAsked] = useState(false);
  const [held, setHeld] = useState(token.get() !== null);
  useEffect(() => live.subscribe(take), []);
  useEffect(() => {
    const gone = notice ? setTimeout(() => setNotice(""), NOTICE_MS) : 0;
    return () => clearTimeout(gone);
  }, [notice]);
  const { now } = state;
  const waveform = useWaveform(now.song);
  const map = useMap(now.pool.generation, hues);
  useSong(now.song, hues, player);
  const with_token = setup.can_change === "token";
  const can = setup.can_change === true || (with_token && held);
  const keep = (text) => {
    if (text) token.keep(text);
    else token.forget();
    setHeld(Boolean(text));
  };
  /** Do what may fail, and say so; a token that is refused is no longer one. */
  const change = async (act) => {
    try {
      await act();
    } catch (error) {
      if (error instanceof Refused && FORBIDDEN.includes(error.status) && token.get()) keep(null);
      setNotice(
        error instanceof TypeError || error.name === "TimeoutError"
          ? "No answer from endlos."
          : error.message,
      );
    }
  };
  const tools = { live, player, preview, hues, can, with_token, change };
  return html`
    <${Page.Provider} value=${tools}>
      <header>
        <h1><span aria-hidden="true">∞</span> endlos</h1>
        <${Link} state=${state} />
        ${
          with_token &&
          html`<button
            type="button"
            class="soft"
            id="unlock"
            onClick=${() => (held ? keep(null) : setAsked(true))}
          >
            <${Icon} name="lock" />${held ? "Lock" : "Unlock"}
          </button>`
        }
      </header>
      ${asked && html`<${TokenEntry} keep=${keep} close=${() => setAsked(false)} />`}
      <main>
        <div class="lead"><${Now} waveform=${waveform} /><${Next} /></div>
        <${Circle} map=${map} waveform=${waveform} />
        <div class="aside"><${Steering} /><${Outputs} /></div>
        <${History} />
        <${Songs} />
      </main>
      <p class="notice" role="alert">${notice}</p>
      <${Listen} />
    </${Page.Provider}>
  `;
}

/** How the line to the stream is, for the eye; a song that begins, for who listens to the page. */
function Link({ state }) {
  const { link, now } = state;
  const well = link === "live" && now.healthy;
  const words = link !== "live" ? "no answer, trying again" : now.healthy ? "live" : now.reason;
  return html`
    <p class="link ${well ? "well" : "ill"}" role="status" id="link">
      <span class="dot" aria-hidden="true"></span>${words}
    </p>
    <p class="unseen" role="status">Now playing: ${titled(now.song)}</p>
  `;
}

function TokenEntry({ keep, close }) {
  const send = (event) => {
    event.preventDefault();
    keep(event.target.elements.token.value.trim());
    close();
  };
  return html`
    <form class="card token" onSubmit=${send}>
      <label for="token"
        >Token of this stream, as ENDLOS_HTTP_TOKEN has it; kept until this tab is closed</label
      >
      <input type="password" id="token" name="token" autocomplete="current-password" required autofocus />
      <button class="strong">Unlock</button>
      <button type="button" class="soft" onClick=${close}>Cancel</button>
    </form>
  `;
}

/** The page takes the hue of the song that is heard; the system's player shows its title and cover. */
function useSong(song, hues, player) {
  const hue = hues.of(song.id);
  useEffect(() => {
    document.documentElement.style.setProperty("--hue", hue.toFixed(1));
  }, [hue]);
  useEffect(() => {
    document.title = `${titled(song)} · endlos`;
    if (!player || !navigator.mediaSession) return;
    const cover = coverOf(song);
    const artwork = cover ? [{ src: new URL(cover, document.baseURI).href }] : [];
    const { title, artist, album } = song;
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist, album, artwork });
  }, [song.id]);
}

function listenToKeys(player) {
  const session = navigator.mediaSession;
  if (!session) return;
  session.setActionHandler("play", () => player.play());
  session.setActionHandler("pause", () => player.stop());
  session.setActionHandler("stop", () => player.stop());
  session.setActionHandler("nexttrack", () => skip().catch(() => {}));
}

/** Take the place of what the server has written, as soon as there is more to say. */
function takeOver({ setup, audio, ...tools }) {
  // The element stays in the document, or a phone may stop it with its screen.
  audio.replaceChildren();
  audio.removeAttribute("controls");
  document.body.append(audio);
  document.getElementById("plain").remove();
  render(html`<${App} setup=${setup} ...${tools} />`, document.getElementById("app"));
}

function begin() {
  takeTokenFromAddress();
  const setup = JSON.parse(document.getElementById("setup").textContent);
  const audio = document.getElementById("audio") ?? new Audio();
  const sources = playable(audio, setup);
  const player = sources.length ? new Player(audio, sources) : null;
  if (player) listenToKeys(player);
  const live = new Live(() => 1000 * (player?.late_s ?? 0));
  const tools = { live, player, preview: new Preview(player), hues: new Hues() };
  live.subscribe((state, before) => {
    if (state.link === "live" && before.link === "lost") player?.revive();
  });
  const waiting = live.subscribe(({ now }) => {
    if (!now) return;
    waiting();
    takeOver({ setup, audio, ...tools });
  });
  live.open();
}

begin();
