"""This module says when somebody sings in a song, by a small network that listens for voices."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.ndimage
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.base.graph_runtime import onnxruntime
from model.features.phase import louder_side, middle, phase_energies
from stream.audio.samples import SongSamples, in_parts
from stream.index.graphs import open_session, run_graph
from stream.pool.timeline import VOICE_STEP_S
from tools.songs.voice.filterbank import (
    VOICE_HOP_SAMPLES,
    VOICE_RATE_HZ,
    VOICE_WINDOW_SAMPLES,
    voice_frames,
)

_NETWORK = Path(__file__).parent / "net" / "voice.onnx"
_BLOCK_S = 60
"""Listened to at a time, so that a long song is never in memory whole; whole seconds fall on frames."""
_MARGIN_S = 2
"""Heard on either side of a block: the network looks 1.6 s back and as far ahead."""
_FRAMES_A_SECOND = VOICE_RATE_HZ // VOICE_HOP_SAMPLES
_STEPS_A_SECOND = round(1 / VOICE_STEP_S)
_SMOOTHED_FRAMES = 13
"""Half a second."""
_SPEECH, _SINGING, _MUSIC, _VOICE = range(4)
"""What the network tells of each frame: two kinds of voice, music, and (a network of its own) any voice."""
_LEVEL = 10 ** (-15 / 20)
"""Root mean square that a song is brought to: soft voices are heard as loud ones are."""
_SILENCE = 1e-6
_SURE = 1e-4
"""No frame is surer than this, so that one does not outvote all its neighbours."""
_EVEN_LOG_ODDS = -1.61
_SLOPE = 0.91
"""The mean log-odds at which somebody sings as likely as not, and how fast that grows with them: fitted to
songs whose sung stems are known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class VoiceCurve:
    """How likely somebody sings, over time."""

    likely: FloatArray
    """`(V,)` float32, 0 to 1, in each `VOICE_STEP_S` from `start_s` on."""
    start_s: float = 0.0
    """When the first step begins; below 0 for what begins later than the song does."""

    def at(self, instants_s: DoubleArray) -> FloatArray:
        """Return `(n,)` float32: how likely somebody sings at each instant; 0 where nothing is known."""
        if not len(self.likely):
            return np.zeros(len(instants_s), dtype=np.float32)
        middles_s = self.start_s + VOICE_STEP_S * (np.arange(len(self.likely)) + 0.5)
        found: FloatArray = np.interp(instants_s, middles_s, self.likely).astype(np.float32)
        return found

    def since(self, start_s: float) -> "VoiceCurve":
        """Return it for a stretch that begins at `start_s` and counts its time from there."""
        return VoiceCurve(likely=self.likely, start_s=self.start_s - start_s)


def find_voice(audio: SongSamples, sample_rate_hz: int, *, energies: DoubleArray | None = None) -> VoiceCurve:
    """Return how likely somebody sings in each `VOICE_STEP_S` of a song, `(frames, 2)` float32.

    A step that the song ends in counts as one. Speech is a voice as well, and so is what a network takes for
    one: a solo string or a reed. energies: the song's `phase_energies`, where they are known.
    """
    steps = -(-len(audio) * _STEPS_A_SECOND // sample_rate_hz)
    if not steps:
        return VoiceCurve(likely=np.empty(0, dtype=np.float32))
    if energies is None:
        energies = phase_energies(in_parts(audio))
    side = louder_side(energies)
    gain = _gain(energies[int(side)] / len(audio))
    log_odds = np.concatenate(
        [
            _log_odds(audio, sample_rate_hz, start_s, gain, side=side)
            for start_s in range(0, -(-len(audio) // sample_rate_hz), _BLOCK_S)
        ]
    )
    smooth = scipy.ndimage.uniform_filter1d(log_odds, _SMOOTHED_FRAMES, mode="nearest")
    heard_s = (np.arange(len(smooth)) * VOICE_HOP_SAMPLES + VOICE_WINDOW_SAMPLES / 2) / VOICE_RATE_HZ
    each = np.interp((np.arange(steps) + 0.5) * VOICE_STEP_S, heard_s, smooth)
    likely = 1.0 / (1.0 + np.exp(-_SLOPE * (each - _EVEN_LOG_ODDS)))
    return VoiceCurve(likely=likely.astype(np.float32))


def _gain(power: float) -> np.float32:
    """Return what brings a song of this mean square to `_LEVEL`; 1 for silence."""
    level = np.sqrt(power)
    return np.float32(_LEVEL / level if level > _SILENCE else 1.0)


def _log_odds(
    audio: SongSamples, sample_rate_hz: int, start_s: int, gain: np.float32, *, side: bool
) -> DoubleArray:
    """Return the log-odds of a voice in each frame of the block that begins at `start_s`, `(frames,)`.

    side: whether it is listened for in the side and not in the middle, as channels are out of phase.
    """
    first_s = max(0, start_s - _MARGIN_S)
    part = audio[first_s * sample_rate_hz : (start_s + _BLOCK_S + _MARGIN_S) * sample_rate_hz]
    heard = gain * soxr.resample(middle(part, side=side), sample_rate_hz, VOICE_RATE_HZ)
    # Of a song of a few samples nothing is left at this rate, and the network is to see a frame.
    frames = voice_frames(heard, max(1, -(-len(heard) // VOICE_HOP_SAMPLES)))
    options = onnxruntime.RunOptions()
    # Else onnxruntime keeps the 10 MB that a block takes, through all that a worker does.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    (likely,) = run_graph(_network(), {"features": frames[None]}, options)
    sure = np.clip(likely[0].astype(np.float64), _SURE, 1.0 - _SURE)
    odds = np.log(sure / (1.0 - sure))
    either: DoubleArray = (odds[:, _SPEECH] + odds[:, _SINGING] + 2.0 * odds[:, _VOICE]) / 4.0
    first = (start_s - first_s) * _FRAMES_A_SECOND
    return either[first : first + _BLOCK_S * _FRAMES_A_SECOND]


@cache
def _network() -> onnxruntime.InferenceSession:
    """Return the network, loaded once; a song is one worker's, and so is the one thread that it runs on."""
    return open_session(_NETWORK, threads=1)
