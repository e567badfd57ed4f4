// The live state follows the stream by its events, and comes back by itself whenever they cease.

import { ask } from "./api.js";

const SILENCE_MS = 12_000; // The server says something every 5 s: after this, the line is dead.
const AGAIN_MS = 2_000;
const HISTORY = 50;
const HEARD = ["song", "position_s", "length_s", "time_s", "next", "margin_s", "decision_ms", "rung"];

const some = (record, keys) => Object.fromEntries(keys.map((key) => [key, record[key]]));

/**
 * What the page knows of the stream. `state` is replaced, never changed; who subscribed is told.
 *
 * What is heard in this page comes later than it is told, by what the player has in hand: so what concerns
 * the ear (song, position, joins) is shown as late as it is heard, all else at once.
 */
export class Live {
  #heardAfterMs;
  #subscribers = new Set();
  #source = null;
  #spokeAt = 0;
  #question = null; // For the history, of this stream and this line; null where it is still to be asked.
  #told = []; // The joins that were told since.

  state = { link: "opening", now: null, told_ms: 0, joins: [] };

  constructor(heardAfterMs) {
    this.#heardAfterMs = heardAfterMs;
    addEventListener("online", () => this.open());
    addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => this.#look());
    setInterval(() => this.#look(), AGAIN_MS);
  }

  subscribe(told) {
    this.#subscribers.add(told);
    return () => this.#subscribers.delete(told);
  }

  /** Open the line anew, whatever has become of the last one. */
  open() {
    this.#source?.close();
    this.#question = null;
    this.#spokeAt = performance.now();
    this.#source = new EventSource("api/events");
    const on = (name, use) =>
      this.#source.addEventListener(name, (event) => {
        this.#spokeAt = performance.now();
        use(JSON.parse(event.data || "null"));
      });
    on("now", (now) => {
      this.#takeNow(now);
      // Not before it is told how all is: from then on no join is left out.
      if (!this.#question) this.#askHistory();
    });
    on("join", (join) => this.#whenHeard(() => this.#takeJoin(join)));
    on("steering", (steering) => this.patch({ steering }));
    on("outputs", (outputs) => this.patch({ outputs: outputs.outputs ?? outputs }));
    on("reset", () => (this.#question = null));
    this.#source.onerror = () => this.#lost();
    this.#source.onopen = () => this.#opened();
  }

  /** Show at once what a change has answered. */
  patch(changes) {
    if (this.state.now) this.#set({ now: { ...this.state.now, ...changes } });
  }

  /** Put a judged join in the place of the one that it was. */
  replaceJoin(join) {
    this.#set({ joins: this.state.joins.map((one) => (one.n === join.n ? { ...one, ...join } : one)) });
    if (this.state.now?.next?.n === join.n)
      this.patch({ next: { ...this.state.now.next, liked: join.liked } });
  }

  /** A browser resumes a line by itself, with the id of the last event: what was missed is sent again. */
  #opened() {
    if (this.#question) this.#set({ link: "live" });
  }

  /** Joins may be told before the answer is here, which may be older. */
  async #askHistory() {
    const question = (this.#question = {});
    this.#told = [];
    try {
      const { joins } = await ask(`joins?limit=${HISTORY}`);
      if (this.#question === question) this.#set({ joins: newestFirst([...this.#told, ...joins]) });
    } catch {
      // It is asked for again as soon as it is told again how all is.
      if (this.#question === question) this.#question = null;
    }
  }

  #takeNow(now) {
    const before = this.state.now;
    const told = (now) => ({ now, told_ms: performance.now() });
    if (before) {
      this.#set({ link: "live", now: { ...now, ...some(before, HEARD) } });
      this.#whenHeard(() => this.#set(told({ ...this.state.now, ...some(now, HEARD) })));
    } else {
      this.#set({ link: "live", ...told(now) });
    }
  }

  #takeJoin(join) {
    this.#told = newestFirst([join, ...this.#told]);
    this.#set({ joins: newestFirst([join, ...this.state.joins]) });
  }

  #whenHeard(use) {
    const late_ms = this.#heardAfterMs();
    if (late_ms > 0) setTimeout(use, late_ms);
    else use();
  }

  #look() {
    const silent = performance.now() - this.#spokeAt > SILENCE_MS;
    if (silent || this.#source?.readyState === EventSource.CLOSED) this.open();
  }

  #lost() {
    if (this.state.link !== "lost") this.#set({ link: "lost" });
  }

  #set(changes) {
    const before = this.state;
    this.state = { ...before, ...changes };
    for (const told of this.#subscribers) told(this.state, before);
  }
}

/** Return the latest joins, each once, by its first record. */
function newestFirst(joins) {
  const each = new Map([...joins].reverse().map((join) => [join.n, join]));
  return [...each.values()].sort((a, b) => b.n - a.n).slice(0, HISTORY);
}

/** Return where in the song the stream is at this moment, in seconds. */
export function positionOf({ now, told_ms }) {
  const since_s = now.paused ? 0 : (performance.now() - told_ms) / 1000;
  return Math.min(now.position_s + since_s, now.length_s);
}

/** Return how long it is until the next join is heard, in seconds; null where nobody knows. */
export function joinIn(state) {
  const { now } = state;
  if (!now.next || now.next.in_s == null) return null;
  return Math.max(0, now.next.in_s - (now.paused ? 0 : (performance.now() - state.told_ms) / 1000));
}
