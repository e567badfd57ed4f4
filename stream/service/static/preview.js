// The preview sounds one join again, while the stream in this page is turned down.

import { previewOf } from "./api.js";

/** Plays one join at a time; says `change` when another begins, or it ends. */
export class Preview extends EventTarget {
  #audio = new Audio();
  #player;

  /** The number of the join that is heard again; null for none. */
  n = null;

  constructor(player) {
    super();
    this.#player = player;
    for (const name of ["ended", "error"]) this.#audio.addEventListener(name, () => this.stop());
  }

  /** Hear a join, or end it where it is heard already. Throws what the browser says when it cannot. */
  async toggle(join) {
    if (this.n === join.n) {
      this.stop();
      return;
    }
    this.#become(join.n);
    this.#audio.src = previewOf(join);
    this.#audio.volume = this.#player?.volume ?? 1;
    try {
      await this.#audio.play();
    } catch (error) {
      // Aborted: another one was asked for meanwhile.
      if (error.name === "AbortError") return;
      this.stop();
      throw new Error("this join cannot be heard again", { cause: error });
    }
  }

  stop() {
    this.#audio.pause();
    this.#become(null);
  }

  #become(n) {
    if (n === this.n) return;
    this.n = n;
    this.#player?.duck(n !== null);
    this.dispatchEvent(new Event("change"));
  }
}
