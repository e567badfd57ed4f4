"""The stated length of a file is what its header says it holds, true or not."""

import re

import soundfile

_UNKNOWN_FRAMES = 1 << 60
"""libsndfile's number of frames is beyond this where the file states none."""
_CUT_OFF = re.compile(
    r"^ *(?:data|SSND|Data Size) *: (?P<stated>\d+) \(should be (?P<there>[1-9]\d*)\)$", re.MULTILINE
)
"""What libsndfile notes of a WAV, an AIFF or an AU: bytes of samples that are stated, and that are there."""
_NO_BYTES = 0x7F00_0000
"""Who writes to a pipe cannot know the length, and states the largest that there is."""


def stated_frames(file: soundfile.SoundFile) -> int | None:
    """Return how many frames a file is to be read for; None where it does not say."""
    frames: int = file.frames
    return frames if frames < _UNKNOWN_FRAMES else None


def frames_before_the_cut(file: soundfile.SoundFile) -> int:
    """Return how many frames a file without a codec held before it was cut off; 0 where it was not.

    Of such a file libsndfile counts what is there alone.
    """
    noted = _CUT_OFF.search(file.extra_info)
    if noted is None or int(noted["stated"]) >= _NO_BYTES:
        return 0
    there: int = file.frames
    return there * int(noted["stated"]) // int(noted["there"])
