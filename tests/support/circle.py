"""This helper draws the circle of a made-up pool in a real browser, and times its frames."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

SIZE = 600
TURNS = (0.1303, 0.3807, 0.6305, 0.8809)
"""Of the circle, where it is looked at: nowhere that a song may begin."""
_DRAW = """async ({ chunks, perSong, frames, size, turns }) => {
    const { CircleDrawing, Hues } = await import("/static/circle_drawing.js");
    const canvas = document.createElement("canvas");
    canvas.style.width = canvas.style.height = `${size}px`;
    document.body.append(canvas);
    const songs = Array.from({ length: chunks / perSong }, (_, n) => (
        { id: `song ${n}`, first_chunk: n * perSong, chunks: perSong }));
    const map = { songs, chunks };
    const hues = new Hues();
    hues.take(map);
    const drawing = new CircleDrawing(canvas);
    drawing.take(map, hues);
    const context = canvas.getContext("2d");
    const at = (n) => (n * 7919) % chunks;
    const join = (n) => ({ chunk_from: at(n), chunk_to: at(3 * n + 1), from: songs[0] });
    const past = Array.from({ length: 24 }, (_, n) => join(n));
    const times_ms = [];
    for (let n = 0; n < frames; n += 1) {
        const began = performance.now();
        const moving = { at: 1 + n / frames, energy: 0.5, near: n / frames };
        drawing.draw({ playing: songs[0], past, coming: join(30), chosen: [0], ...moving });
        // Read back, or it was only noted down.
        context.getImageData(0, 0, 1, 1);
        times_ms.push(performance.now() - began);
    }
    const place = (turn) => {
        const [angle, radius] = [2 * Math.PI * turn, size / 2 - 28];
        return [size / 2 + radius * Math.sin(angle), size / 2 - radius * Math.cos(angle)];
    };
    const inked = (point) => {
        const [x, y] = point.map((at) => (at * canvas.width) / size);
        return context.getImageData(x, y, 1, 1).data[3] > 0;
    };
    const found = {
        times_ms,
        inked: turns.map((turn) => inked(place(turn))),
        corner: inked([2, 2]),
        songs: turns.map((turn) => drawing.songAt(...place(turn))),
        middle: drawing.songAt(size / 2, size / 2),
    };
    canvas.remove();
    return found;
}"""


@dataclass(frozen=True, kw_only=True)
class DrawnCircle:
    """What a browser has drawn."""

    times_ms: list[float]
    """Of each frame; the first draws also what stands still."""
    inked: list[bool]
    """Whether something is drawn at each of `TURNS`, on the ring."""
    corner: bool
    """The same of a corner, where nothing is to be."""
    songs: list[int | None]
    """The songs that are pointed at there."""
    middle: int | None


def draw_circle(page: Page, chunks: int, per_song: int, frames: int) -> DrawnCircle:
    """Draw a pool of so many chunks, each song of `per_song`, in a page that endlos has served."""
    told: dict[str, Any] = {"chunks": chunks, "perSong": per_song, "frames": frames}
    return DrawnCircle(**page.evaluate(_DRAW, {**told, "size": SIZE, "turns": TURNS}))
