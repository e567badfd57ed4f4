"""The listening test writes joins and other places as short files with a sheet, the answers apart."""

import html
import json
from pathlib import Path

import numpy as np
import soundfile

from tools.quality.joins.keeper import Heard, Heard16
from tools.quality.joins.protocol import Study

_RATE_HZ = 44_100

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>endlos: what do you hear?</title>
<style>body{{font:16px sans-serif;max-width:46em;margin:2em auto;padding:0 1em}}
li{{margin:.8em 0}} audio{{vertical-align:middle;width:22em}}</style>
<form id="sheet">{pairs}
<h1>Joined or not?</h1>
<p>In the middle of some of these pieces two places of music were joined; the others are as their musicians
made them. Listen, with headphones if you can, and say what you heard.</p>
<ol>{items}</ol><button>Save my answers</button></form>
<script>
document.getElementById("sheet").addEventListener("submit", event => {{
  event.preventDefault();
  const said = Object.fromEntries(new FormData(event.target));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(said, null, 2)], {{type: "application/json"}}));
  link.download = "my-answers.json";
  link.click();
}});
</script></html>
"""
_PAIRS = """
<h1>Which goes over better?</h1>
<p>Both pieces of a pair go from the same song to the same other one, at the same place.</p>
<ol>{items}</ol>"""
_PLAYER = '<audio controls preload="none" src="{file}"></audio> '
_CHOICE = '<label><input type="radio" name="{name}" value="{value}"> {words}</label> '


def write_sheet(study: Study, folder: Path, seed: int) -> list[Path]:
    """Write the pieces that the study kept, `sheet.html` and `answers.json` into `folder`.

    Pairs come first, one of each as the engine joined it and one as a short blend; then joins and other
    places. All in an order drawn by `seed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 5])
    answers: dict[str, dict[str, object]] = {}
    pairs, items = [], []
    for number, place in enumerate(rng.permutation(len(study.pairs)).tolist(), start=1):
        pair = study.pairs[place]
        assert pair.earlier is not None, "a pair is of two"
        name = f"pair{number:03d}"
        versions = [("now", pair.audio), ("earlier", pair.earlier)]
        order = rng.permutation(2).tolist()
        row = ""
        for letter, version in zip("ab", order, strict=True):
            row += _piece(folder, f"{name}{letter}", versions[version][1])
        choices = (("a", "the first"), ("b", "the second"), ("same", "no difference"))
        pairs.append(_item(row, name, choices))
        answers[name] = {letter: versions[version][0] for letter, version in zip("ab", order, strict=True)}
        answers[name] |= {"kind": pair.place.kind} | _facts(study, pair)
    for number, place in enumerate(rng.permutation(len(study.heard)).tolist(), start=1):
        piece = study.heard[place]
        name = f"{number:03d}"
        row = _piece(folder, name, piece.audio)
        items.append(_item(row, name, (("joined", "joined"), ("natural", "not joined"))))
        answers[name] = {"answer": "joined" if piece.place.joined else "natural"} | _facts(study, piece)
    page = _PAGE.format(pairs=_PAIRS.format(items="\n".join(pairs)) if pairs else "", items="\n".join(items))
    (folder / "sheet.html").write_text(page, encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(answers, indent=2), encoding="utf-8")
    return [folder / "sheet.html", folder / "answers.json"]


def _piece(folder: Path, name: str, audio: Heard16) -> str:
    soundfile.write(folder / f"{name}.flac", audio, _RATE_HZ, subtype="PCM_16")
    return _PLAYER.format(file=html.escape(f"{name}.flac"))


def _item(players: str, name: str, choices: tuple[tuple[str, str], ...]) -> str:
    boxes = "".join(_CHOICE.format(name=name, value=value, words=words) for value, words in choices)
    return f"<li>{players}{boxes}</li>"


def _facts(study: Study, piece: Heard) -> dict[str, object]:
    return {
        "other_song": piece.place.other_song,
        "fade_ms": 1e3 * piece.place.fade_frames / _RATE_HZ,
        "detector": float(study.scores[study.samples.transition == piece.transition].max()),
    }
