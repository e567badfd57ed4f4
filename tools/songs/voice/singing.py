"""This module says when somebody sings in a song, by a small network that listens for voices."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.ndimage
import soxr

from model.base.arrays import DoubleArray, FloatArray
from model.base.graph_runtime import onnxruntime
from model.features.phase import middle, out_of_phase
from stream.audio.samples import SongSamples, in_parts
from stream.index.graphs import open_session, run_graph
from stream.pool.timeline import VOICE_STEP_S
from tools.songs.power import window_power
from tools.songs.voice.filterbank import VOICE_HOP_SAMPLES, VOICE_RATE_HZ, voice_frames

_NETWORK = Path(__file__).parent / "net" / "voice.onnx"
_BLOCK_S = 60
"""Listened to at a time, so that a long song is never in memory whole; whole seconds fall on frames."""
_MARGIN_S = 2
"""Heard on either side of a block: the network looks 1.5 s back and 1.6 s ahead."""
_FRAMES_A_SECOND = VOICE_RATE_HZ // VOICE_HOP_SAMPLES
_STEPS_A_SECOND = round(1 / VOICE_STEP_S)
_SMOOTHED_STEPS = 5
_SPEECH, _SINGING, _MUSIC, _VOICE = range(4)
"""What the network tells of each frame: two kinds of voice, music, and (a network of its own) any voice."""
_LEVEL = 10 ** (-15 / 20)
"""Root mean square that a song is brought to: soft voices are heard as loud ones are."""
_SILENCE = 1e-6
_SURE = 1e-4
"""No frame is surer than this, so that one does not outvote all its neighbours."""
_EVEN_LOG_ODDS = -2.66
_SLOPE = 0.89
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


def find_voice(audio: SongSamples, sample_rate_hz: int) -> VoiceCurve:
    """Return how likely somebody sings in each `VOICE_STEP_S` of a song, `(frames, 2)` float32.

    A step that the song ends in counts as one. Speech is a voice as well, and so is what a network takes for
    one: a solo string or a reed.
    """
    steps = -(-len(audio) * _STEPS_A_SECOND // sample_rate_hz)
    blocks, gain = [np.empty(0)], _gain(audio)
    for start_s in range(0, -(-len(audio) // sample_rate_hz), _BLOCK_S):
        blocks.append(_log_odds(audio, sample_rate_hz, start_s, gain))
    smooth = scipy.ndimage.uniform_filter1d(
        np.concatenate(blocks)[:steps], _SMOOTHED_STEPS, mode="nearest", output=np.float64
    )
    likely = 1.0 / (1.0 + np.exp(-_SLOPE * (smooth - _EVEN_LOG_ODDS)))
    return VoiceCurve(likely=likely.astype(np.float32))


def _gain(audio: SongSamples) -> np.float32:
    """Return what brings the middle of a song to `_LEVEL`; 1 for silence."""
    power = sum(
        len(part) * float(window_power(_mono(part)[:, None], len(part))[0]) for part in in_parts(audio)
    )
    level = np.sqrt(power / max(1, len(audio)))
    return np.float32(_LEVEL / level if level > _SILENCE else 1.0)


def _mono(part: FloatArray) -> FloatArray:
    """Return `(frames,)`: the middle of a part of a song, or its side where channels are out of phase."""
    return middle(part, side=out_of_phase([part]))


def _log_odds(audio: SongSamples, sample_rate_hz: int, start_s: int, gain: np.float32) -> DoubleArray:
    """Return the log-odds of a voice in each step of the block that begins at `start_s`, `(steps,)`."""
    first_s = max(0, start_s - _MARGIN_S)
    part = audio[first_s * sample_rate_hz : (start_s + _BLOCK_S + _MARGIN_S) * sample_rate_hz]
    heard = soxr.resample(_mono(part) * gain, sample_rate_hz, VOICE_RATE_HZ)
    frames = voice_frames(heard, -(-len(heard) // VOICE_HOP_SAMPLES))
    (likely,) = run_graph(_network(), {"features": frames[None]})
    sure = np.clip(likely[0].astype(np.float64), _SURE, 1.0 - _SURE)
    odds = np.log(sure / (1.0 - sure))
    either = (odds[:, _SPEECH] + odds[:, _SINGING] + 2.0 * odds[:, _VOICE]) / 4.0
    first = (start_s - first_s) * _FRAMES_A_SECOND
    own = either[first : first + _BLOCK_S * _FRAMES_A_SECOND]
    frames_a_step = _FRAMES_A_SECOND // _STEPS_A_SECOND
    whole = np.pad(own, (0, -len(own) % frames_a_step), mode="edge")
    means: DoubleArray = whole.reshape(-1, frames_a_step).mean(axis=1)
    return means


@cache
def _network() -> onnxruntime.InferenceSession:
    """Return the network, loaded once; a song is one worker's, and so is the one thread that it runs on."""
    return open_session(_NETWORK, threads=1)
