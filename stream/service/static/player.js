// The player sounds the stream in this page, and starts it anew whenever it stands still.

const STILL_MS = 1_000;
const STANDSTILL_MS = 5_000;
const OPENING_MS = 10_000;
const AGAIN_MS = 2_000;
const LOOK_MS = 500;
const DUCKED = 0.06;
const FADE_MS = 400;
const VOLUME = "endlos volume";

/** Sounds one of some sources; says `change` whenever its state, its volume or its source does. */
export class Player extends EventTarget {
  #audio;
  #hls = null;
  #movedAt = 0;
  #patience_ms = OPENING_MS;
  #position = 0;
  #again = 0;
  #ducked = false;
  #fade = 0;

  /** Of "off", "opening", "playing", "waiting". */
  state = "off";

  /** audio: the element. sources: `{path, type, name}` of what this browser can play, the best first. */
  constructor(audio, sources) {
    super();
    this.#audio = audio;
    this.sources = sources;
    this.source = sources[0];
    this.volume = Number(localStorage.getItem(VOLUME) ?? 1);
    audio.volume = this.volume;
    // What stands still says so, or it says nothing: both are seen.
    for (const name of ["error", "ended"]) audio.addEventListener(name, () => this.#soon());
    audio.addEventListener("pause", () => this.#paused());
    audio.addEventListener("play", () => this.wanted || this.play());
    addEventListener("online", () => this.revive());
    document.addEventListener("visibilitychange", () => document.hidden || this.revive());
    setInterval(() => this.#look(), LOOK_MS);
  }

  get wanted() {
    return this.state !== "off";
  }

  /** How much later something is heard here than the server has sent it, in seconds. */
  get late_s() {
    const { buffered, currentTime } = this.#audio;
    if (this.state !== "playing" || !buffered.length) return 0;
    return Math.min(30, Math.max(0, buffered.end(buffered.length - 1) - currentTime));
  }

  play() {
    this.#start("opening");
  }

  stop() {
    this.#become("off");
    clearTimeout(this.#again);
    this.#audio.pause();
    this.#close();
    // Without it the browser would go on to fetch.
    this.#audio.load();
  }

  choose(source) {
    this.source = source;
    if (this.wanted) this.play();
    else this.#say();
  }

  setVolume(volume) {
    this.volume = volume;
    localStorage.setItem(VOLUME, String(volume));
    this.#level(volume);
    this.#say();
  }

  /** Turn the stream down for as long as something else is heard. */
  duck(ducked) {
    this.#ducked = ducked;
    this.#level(this.volume);
  }

  /** The way to the server may be open again: do not wait until the standstill is noticed. */
  revive() {
    if (this.wanted && performance.now() - this.#movedAt > STILL_MS) this.#start("waiting");
  }

  #start(state) {
    clearTimeout(this.#again);
    this.#become(state);
    this.#position = 0;
    this.#movedAt = performance.now();
    this.#patience_ms = OPENING_MS;
    // A new source each time: what the browser would ask to go on with is over.
    this.#open().catch((error) => {
      // Before the first touch a browser may refuse: then the button is what it takes.
      if (error.name === "NotAllowedError") this.stop();
      else if (error.name !== "AbortError") this.#soon();
    });
  }

  async #open() {
    this.#close();
    const { path, type } = this.source;
    if (this.source.script) this.#hls = await openHls(this.source, this.#audio, () => this.#soon());
    else this.#audio.src = path;
    this.#audio.dataset.type = type;
    await this.#audio.play();
  }

  #close() {
    this.#hls?.destroy();
    this.#hls = null;
    this.#audio.removeAttribute("src");
  }

  #soon() {
    if (!this.wanted) return;
    this.#become("waiting");
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.wanted && this.#start("waiting"), AGAIN_MS);
  }

  #look() {
    if (!this.wanted) return;
    const { currentTime } = this.#audio;
    if (currentTime !== this.#position) {
      this.#position = currentTime;
      this.#movedAt = performance.now();
      this.#patience_ms = STANDSTILL_MS;
      this.#become("playing");
    } else if (performance.now() - this.#movedAt > this.#patience_ms) {
      this.#start("waiting");
    }
  }

  /** Somebody else has paused it: a key, a headset, the system. What is live is not held. */
  #paused() {
    if (this.state === "playing" && !this.#audio.ended && !this.#audio.error) this.stop();
  }

  #level(volume) {
    clearInterval(this.#fade);
    const to = this.#ducked ? volume * DUCKED : volume;
    const from = this.#audio.volume;
    const began = performance.now();
    this.#fade = setInterval(() => {
      const done = Math.min(1, (performance.now() - began) / FADE_MS);
      this.#audio.volume = from + (to - from) * done;
      if (done === 1) clearInterval(this.#fade);
    }, 20);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#say();
  }

  #say() {
    this.dispatchEvent(new Event("change"));
  }
}

const HLS_TYPE = "application/vnd.apple.mpegurl";

/** Return what this browser can play, of what the server offers; HLS by a script where it must be. */
export function playable(audio, { streams, hls }) {
  const plain = streams
    .filter(({ type }) => audio.canPlayType(type))
    .map((stream) => ({ ...stream, name: nameOf(stream.path) }));
  if (!hls) return plain;
  const native = audio.canPlayType(HLS_TYPE);
  const able = native || typeof MediaSource !== "undefined" || typeof ManagedMediaSource !== "undefined";
  return able ? [...plain, { path: hls, type: HLS_TYPE, name: "HLS", script: !native }] : plain;
}

const nameOf = (path) => path.split(".").pop().toUpperCase();

async function openHls({ path }, audio, failed) {
  const Hls = await loadHls();
  const hls = new Hls({ enableWorker: false });
  hls.on(Hls.Events.ERROR, (_, { fatal }) => fatal && failed());
  hls.loadSource(path);
  hls.attachMedia(audio);
  return hls;
}

/** Load the carried script; it makes itself known as `Hls`. */
function loadHls() {
  if (window.Hls) return Promise.resolve(window.Hls);
  return new Promise((loaded, failed) => {
    const script = document.createElement("script");
    script.src = "static/hls.light.min.js";
    script.onload = () => loaded(window.Hls);
    script.onerror = () => failed(new Error("hls.light.min.js could not be loaded"));
    document.head.append(script);
  });
}
