"""The demo songs are instrumental house and lounge tracks that the program makes, free of others' rights."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import mutagen.flac
import numpy as np
import numpy.typing as npt
import soundfile

from model.base.arrays import FloatArray
from model.base.errors import EndlosError
from model.base.files import beside
from tools.demo.compose import Score, compose_score
from tools.demo.effects import DEMO_RATE_HZ
from tools.demo.mixdown import mix_down

ARTIST = "endlos"
ALBUM = "Demo songs"
_SHORTEST_S = 5.0


def write_demo_songs(
    folder: Path,
    songs: int = 3,
    seconds: float = 120,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Make `songs` tracks of `seconds` each, write them to `folder` as tagged FLAC, return their paths.

    44.1 kHz, stereo, 16 bit, about -15 LUFS. The same seed gives the same samples, and song n does not
    depend on how many follow it. Styles take turns: house, deep house, downtempo. Title, tempo (`bpm`) and
    key (`initialkey`) are in the tags; beat n stands at n * 60 / bpm seconds. `progress` is called with
    songs done and songs in all. Each file is written beside and renamed; one of the same name is replaced.
    `EndlosError`: fewer than one song, under 5 s, a negative seed, a folder that cannot be written.
    """
    if songs < 1:
        raise EndlosError(f"{songs} demo songs were asked for; at least 1 is expected")
    if not math.isfinite(seconds) or seconds < _SHORTEST_S:
        raise EndlosError(
            f"demo songs of {seconds} s were asked for; at least {_SHORTEST_S:g} s are expected"
        )
    if seed < 0:
        raise EndlosError(f"the seed is {seed}; expected 0 or more")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    paths = []
    for index in range(songs):
        score = compose_score(seed, index, seconds)
        rng = np.random.default_rng([seed, index, 22])
        path = folder / f"{index + 1:02d} {score.title}.flac"
        _write(path, mix_down(score, rng), score, index + 1, songs, rng)
        paths.append(path)
        if progress is not None:
            progress(index + 1, songs)
    return paths


def _write(
    path: Path, audio: FloatArray, score: Score, number: int, songs: int, rng: np.random.Generator
) -> None:
    try:
        # The suffix keeps an unfinished file out of a scan for music.
        with beside(path) as unfinished:
            soundfile.write(unfinished, _dithered(audio, rng), DEMO_RATE_HZ, format="FLAC", subtype="PCM_16")
            tags = mutagen.flac.FLAC(unfinished)  # type: ignore[no-untyped-call]
            tags.update(  # type: ignore[no-untyped-call]
                title=score.title,
                artist=ARTIST,
                album=ALBUM,
                genre=score.style.genre,
                bpm=re.sub(r"\.0$", "", str(score.bpm)),
                initialkey=score.key,
                tracknumber=str(number),
                tracktotal=str(songs),
            )
            tags.save()
    except (OSError, soundfile.SoundFileError, mutagen.MutagenError) as error:
        raise _unwritable(path, error) from error


def _dithered(audio: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Return `(frames, 2)`, rounded with triangular dither: fades end in an even hiss, not in steps."""
    dither = rng.random(audio.shape, np.float32)
    dither -= rng.random(audio.shape, np.float32)
    rounded: npt.NDArray[np.int16] = np.rint(audio * np.float32(32_767) + dither).astype(np.int16).T
    return rounded


def _unwritable(path: Path, error: Exception) -> EndlosError:
    return EndlosError(f"{path} cannot be written ({error}); name a folder that you may write to")
