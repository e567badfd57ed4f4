"""The listening test writes joins and other places as short files with a sheet, the answers apart."""

import html
import json
from pathlib import Path

import numpy as np
import soundfile

from tools.quality.joins.protocol import Study

_RATE_HZ = 44_100

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>endlos: joined or not?</title>
<style>body{{font:16px sans-serif;max-width:46em;margin:2em auto;padding:0 1em}}
li{{margin:.8em 0}} audio{{vertical-align:middle;width:22em}}</style>
<h1>Joined or not?</h1>
<p>Each piece lasts {seconds:g} seconds. In the middle of some of them two places of music were joined; the
others are as their musicians made them. Listen, with headphones if you can, and say what you heard.</p>
<form id="sheet"><ol>{items}</ol><button>Save my answers</button></form>
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
_ITEM = (
    '<li><audio controls preload="none" src="{file}"></audio> '
    '<label><input type="radio" name="{name}" value="joined"> joined</label> '
    '<label><input type="radio" name="{name}" value="natural"> not joined</label></li>'
)


def write_sheet(study: Study, folder: Path, seed: int) -> list[Path]:
    """Write the pieces that the study kept, `sheet.html` and `answers.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng([seed, 5]).permutation(len(study.heard))
    items, answers = [], {}
    for number, place in enumerate(order.tolist(), start=1):
        piece = study.heard[place]
        name = f"{number:03d}"
        soundfile.write(folder / f"{name}.flac", piece.audio, _RATE_HZ, subtype="PCM_16")
        items.append(_ITEM.format(file=html.escape(f"{name}.flac"), name=name))
        answers[name] = {
            "answer": "joined" if piece.place.joined else "natural",
            "other_song": piece.place.other_song,
            "fade_ms": 1e3 * piece.place.fade_frames / _RATE_HZ,
            "detector": float(study.scores[study.samples.transition == piece.transition].max()),
        }
    seconds = len(study.heard[0].audio) / _RATE_HZ if study.heard else 0.0
    (folder / "sheet.html").write_text(
        _PAGE.format(seconds=seconds, items="\n".join(items)), encoding="utf-8"
    )
    (folder / "answers.json").write_text(json.dumps(answers, indent=2), encoding="utf-8")
    return [folder / "sheet.html", folder / "answers.json"]
