// The circle's drawing puts the pool on a ring: songs are arcs, chunks ticks, joins chords.
//
// What stands still is drawn once, into a picture of its own; a frame copies it and draws what moves. So a
// frame costs the same for 30 chunks and for 100,000.

const FULL = 2 * Math.PI;
const TOP = -Math.PI / 2;
const RING = 0.055; // The ring's width, of its radius.
const MARGIN = 20; // For the glow of the playhead, in CSS pixels.
const LEAST_TICK = 0.7; // Ticks that are closer to each other, in pixels of the screen, would be a veil.
const LEAST_GAP = 2.5; // Arcs that are shorter than this touch each other.

const LIGHT = { arc: "58% 0.09", dim: "82% 0.045", line: "55% 0.11", ink: "24% 0.02", ground: "97.5% 0.008" };
const DARK = { arc: "70% 0.095", dim: "38% 0.05", line: "76% 0.1", ink: "94% 0.01", ground: "18% 0.014" };

export class CircleDrawing {
  #canvas;
  #context;
  #still = document.createElement("canvas");
  #drawn = "";
  #dark = matchMedia("(prefers-color-scheme: dark)");
  #map = { songs: [], chunks: 0 };
  #hues = null;
  #size = 0;
  #radius = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** map: as `/api/map` tells it. hues: of each song its hue, by its id. */
  take(map, hues) {
    this.#map = map;
    this.#hues = hues;
    this.#drawn = "";
  }

  /** Return the place in the map of the song at a point of the canvas, in CSS pixels; null off the ring. */
  songAt(x, y) {
    const middle = this.#size / 2;
    const distance = Math.hypot(x - middle, y - middle) / this.#radius;
    if (!this.#map.chunks || distance < 0.72 || distance > 1.15) return null;
    const turned = Math.atan2(y - middle, x - middle) - TOP;
    return this.songOfChunk((this.#map.chunks * ((turned + FULL) % FULL)) / FULL);
  }

  /** Return the place in the map of the song that a chunk belongs to. */
  songOfChunk(chunk) {
    const { songs } = this.#map;
    let [low, high] = [0, songs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (songs[middle].first_chunk <= chunk) low = middle;
      else high = middle - 1;
    }
    return songs.length ? low : null;
  }

  /**
   * Draw one frame.
   *
   * playing: the song that is heard, as the map has it; null where it is not in it. at: the chunk that is
   * heard, with its fraction; null. energy: how loud it is, 0 to 1. past: joins, the newest first. coming:
   * the next one; null. near: how near it is, 0 to 1. chosen: places in the map that are pointed out.
   */
  draw({ playing, at, energy, past, coming, near, chosen }) {
    this.#measure();
    const context = this.#context;
    context.clearRect(0, 0, this.#size, this.#size);
    context.drawImage(this.#still, 0, 0, this.#size, this.#size);
    if (!this.#map.chunks) return;
    past.forEach((join, n) => this.#chord(join, { alpha: 0.75 * 0.92 ** n + 0.12, width: n ? 1.2 : 2 }));
    for (const place of chosen) this.#outline(this.#map.songs[place]);
    if (playing) this.#lift(playing);
    if (coming) this.#coming(coming, near);
    if (at !== null) this.#playhead(at, energy);
  }

  get #shades() {
    return this.#dark.matches ? DARK : LIGHT;
  }

  #angle(chunk) {
    return TOP + (FULL * chunk) / this.#map.chunks;
  }

  #point(angle, radius = this.#radius) {
    const middle = this.#size / 2;
    return [middle + radius * Math.cos(angle), middle + radius * Math.sin(angle)];
  }

  #measure() {
    const size = this.#canvas.clientWidth;
    const scale = Math.min(2, devicePixelRatio || 1);
    const wanted = `${size} ${scale} ${this.#dark.matches}`;
    if (wanted === this.#drawn || !size) return;
    this.#drawn = wanted;
    this.#size = size;
    this.#radius = size / 2 - MARGIN;
    for (const canvas of [this.#canvas, this.#still]) {
      canvas.width = canvas.height = Math.round(size * scale);
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    }
    if (this.#map.chunks) this.#drawStill(this.#still.getContext("2d"));
  }

  #drawStill(context) {
    const pixels = (FULL * this.#radius) / this.#map.chunks;
    const width = RING * this.#radius;
    const middle = this.#size / 2;
    for (const song of this.#map.songs) {
      const gap = song.chunks * pixels > LEAST_GAP ? 0.8 / this.#radius : 0;
      context.beginPath();
      context.lineWidth = width;
      context.strokeStyle = this.#colour("arc", song.id);
      const [from, to] = [this.#angle(song.first_chunk), this.#angle(song.first_chunk + song.chunks)];
      context.arc(middle, middle, this.#radius - width / 2, from + gap, to - gap);
      context.stroke();
    }
    if ((pixels * this.#still.width) / this.#size < LEAST_TICK) return;
    context.beginPath();
    context.lineWidth = Math.min(1, pixels * 0.35);
    context.strokeStyle = `oklch(${this.#shades.ground} 0)`;
    for (let chunk = 0; chunk < this.#map.chunks; chunk += 1) {
      context.moveTo(...this.#point(this.#angle(chunk), this.#radius - width * 0.45));
      context.lineTo(...this.#point(this.#angle(chunk), this.#radius - width));
    }
    context.stroke();
  }

  #colour(shade, id) {
    return `oklch(${this.#shades[shade]} ${this.#hues.of(id).toFixed(1)})`;
  }

  /** Begin the path from one chunk to another: near ones by a small arch, far ones through the middle. */
  #bend(from, to, until = 1) {
    const context = this.#context;
    const inner = this.#radius * (1 - RING) - 2;
    const [a, b] = [this.#angle(from + 0.5), this.#angle(to + 0.5)];
    const apart = Math.abs(Math.sin((a - b) / 2));
    const half = a + Math.atan2(Math.sin(b - a), Math.cos(b - a)) / 2;
    const control = this.#point(half, inner * (1 - Math.max(0.12, apart)));
    const [start, end] = [this.#point(a, inner), this.#point(b, inner)];
    const mix = (p, q) => [p[0] + (q[0] - p[0]) * until, p[1] + (q[1] - p[1]) * until];
    const first = mix(start, control);
    const tip = mix(first, mix(control, end));
    context.beginPath();
    context.moveTo(...start);
    context.quadraticCurveTo(...first, ...tip);
    return tip;
  }

  #chord({ chunk_from, chunk_to, from }, { alpha, width }) {
    if (chunk_from < 0 || chunk_to < 0) return;
    const context = this.#context;
    this.#bend(chunk_from, chunk_to);
    context.globalAlpha = alpha;
    context.lineWidth = width;
    context.strokeStyle = this.#colour("line", from.id);
    context.stroke();
    context.globalAlpha = 1;
  }

  /** The coming join grows towards where it leads, and arrives when it is heard. */
  #coming(join, near) {
    if (join.chunk_from < 0 || join.chunk_to < 0) return;
    const context = this.#context;
    context.lineCap = "round";
    context.strokeStyle = context.fillStyle = `oklch(${this.#shades.ink} 0)`;
    context.setLineDash([1, 5]);
    context.lineWidth = 1.5;
    this.#bend(join.chunk_from, join.chunk_to);
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 2.5;
    const tip = this.#bend(join.chunk_from, join.chunk_to, near);
    context.stroke();
    context.beginPath();
    context.arc(...tip, 3.5, 0, FULL);
    context.fill();
    const target = this.#point(this.#angle(join.chunk_to + 0.5), this.#radius * (1 - RING / 2));
    context.lineWidth = 2;
    context.beginPath();
    context.arc(...target, RING * this.#radius * 0.62, 0, FULL);
    context.stroke();
  }

  /** The song that is heard stands out of the ring. */
  #lift(song) {
    const context = this.#context;
    const middle = this.#size / 2;
    const least = 3 / this.#radius;
    const from = this.#angle(song.first_chunk);
    const to = Math.max(this.#angle(song.first_chunk + song.chunks), from + least);
    context.strokeStyle = this.#colour("line", song.id);
    context.lineCap = "butt";
    context.lineWidth = 4;
    context.beginPath();
    context.arc(middle, middle, this.#radius + 4, from, to);
    context.stroke();
  }

  #outline(song) {
    if (!song) return;
    const context = this.#context;
    const middle = this.#size / 2;
    const least = 3 / this.#radius;
    const from = this.#angle(song.first_chunk);
    const to = Math.max(this.#angle(song.first_chunk + song.chunks), from + least);
    context.beginPath();
    context.lineWidth = 2;
    context.strokeStyle = `oklch(${this.#shades.ink} 0)`;
    context.arc(middle, middle, this.#radius + 2, from, to);
    context.arc(middle, middle, this.#radius * (1 - RING) - 2, to, from, true);
    context.closePath();
    context.stroke();
  }

  #playhead(at, energy) {
    const context = this.#context;
    const [x, y] = this.#point(this.#angle(at), this.#radius * (1 - RING / 2));
    context.fillStyle = `oklch(${this.#shades.ink} 0)`;
    context.globalAlpha = 0.14;
    context.beginPath();
    context.arc(x, y, 9 + 9 * energy, 0, FULL);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(x, y, 6, 0, FULL);
    context.fill();
    context.fillStyle = `oklch(${this.#shades.ground} 0)`;
    context.beginPath();
    context.arc(x, y, 2.2, 0, FULL);
    context.fill();
  }
}

/** Of each song a hue: its place on the circle. */
export class Hues {
  #known = new Map();

  take({ songs, chunks }) {
    this.#known = new Map(
      songs.map((song) => [song.id, (360 * (song.first_chunk + song.chunks / 2)) / chunks]),
    );
  }

  /** A song that is not on the circle has one of its own, by its id. */
  of(id) {
    return this.#known.get(id) ?? [...id].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 360, 7);
  }
}
