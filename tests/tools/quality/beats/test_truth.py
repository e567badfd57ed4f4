"""Files of beats are read, and what is none is a sentence."""

from pathlib import Path

import pytest

from model.base.errors import EndlosError
from tools.quality.beats.protocol import judge_all
from tools.quality.beats.truth import read_truth

CHECKED = Path(__file__).parents[3] / "truth" / "beats"


def _file(folder: Path, text: str) -> Path:
    path = folder / "song.beats"
    path.write_text(text, encoding="utf-8")
    return path


def test_beats_and_stretches(tmp_path: Path) -> None:
    truth = read_truth(_file(tmp_path, "# a remark\n1.0 3\n1.5 1\n2.0 2  # here\n\n9.0 1\n9.5 2\n"))
    assert truth.times_s.tolist() == [1.0, 1.5, 2.0, 9.0, 9.5]
    assert truth.positions.tolist() == [2, 0, 1, 0, 1]
    assert truth.stretches_s == ((1.0, 2.0), (9.0, 9.5))
    assert truth.bar_beats == 3
    assert read_truth(_file(tmp_path, "1.0 ?\n1.5 ?\n")).bar_beats == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.0\n", "line 1"),
        ("1.0 one\n", "line 1"),
        ("2.0 1\n1.0 2\n", "line 2"),
        ("1.0 0\n", "line 1"),
        ("# nothing\n", "no beat"),
    ],
)
def test_what_is_no_list_of_beats(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EndlosError, match=said):
        read_truth(_file(tmp_path, text))


def test_a_song_that_is_not_there(tmp_path: Path) -> None:
    _file(tmp_path, "1.0 1\n2.0 2\n")
    (tmp_path / "music").mkdir()
    with pytest.raises(EndlosError, match="no song called song"):
        judge_all(tmp_path / "music", tmp_path, 1, lambda done: None)


def test_every_checked_song_can_be_read() -> None:
    files = sorted(CHECKED.glob("*.beats"))
    assert len(files) >= 10
    for file in files:
        assert len(read_truth(file).times_s) >= 24
