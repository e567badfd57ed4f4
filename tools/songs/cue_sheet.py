"""The cue sheet of a file that endlos makes says which songs it is made of, and where each begins."""

from collections.abc import Sequence

from stream.outputs.encoding.audio_tags import SOFTWARE_MARK
from stream.outputs.titles import one_line
from stream.pool.songs import Track

SHEET_EXTENSION = ".cue"
MOST_TRACKS = 99
"""A sheet has no more, because a disc has no more: readers stumble over the hundredth."""

_FRAMES_PER_S = 75
_FILE_TYPES = {"mp3": "MP3"}
"""By the name's end; what is neither this nor of Apple is called a wave, whatever it is."""


def cue_sheet(file_name: str, title: str, tracks: Sequence[Track], sample_rate_hz: int) -> str:
    """Return the text of a sheet beside the file `file_name`, one track for each of `tracks`, in their order.

    Times are rounded to the sheet's 75ths of a second. The format knows no way to write a double quote. Of
    more tracks than `MOST_TRACKS` the last that there is room for says how many there are from there on.
    """
    if len(tracks) > MOST_TRACKS:
        last = tracks[MOST_TRACKS - 1]
        more = Track(start_sample=last.start_sample, title=f"{len(tracks) - MOST_TRACKS + 1} more", artist="")
        tracks = [*tracks[: MOST_TRACKS - 1], more]
    kind = _FILE_TYPES.get(file_name.rpartition(".")[2].lower(), "WAVE")
    lines = [
        f"REM COMMENT {_quoted(SOFTWARE_MARK)}",
        f"TITLE {_quoted(title)}",
        f"FILE {_quoted(file_name)} {kind}",
    ]
    for number, track in enumerate(tracks, 1):
        lines += [f"  TRACK {number:02} AUDIO", f"    TITLE {_quoted(track.title)}"]
        if track.artist:
            lines.append(f"    PERFORMER {_quoted(track.artist)}")
        lines.append(f"    INDEX 01 {_time(track.start_sample, sample_rate_hz)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    single = one_line(text).replace('"', "'")
    return f'"{single}"'


def _time(sample: int, sample_rate_hz: int) -> str:
    seconds, frames = divmod(round(sample * _FRAMES_PER_S / sample_rate_hz), _FRAMES_PER_S)
    return f"{seconds // 60:02}:{seconds % 60:02}:{frames:02}"
