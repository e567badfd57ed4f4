"""The store goes on where it stood, whatever has become of its folder, and tidies up behind itself."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from model.base.errors import OutputError
from stream.outputs.hls.playlist import MediaPlaylist, read_media_playlist
from stream.outputs.hls.segmenter import Segment, Segmenter
from stream.outputs.hls.store import FIRST_HEARD, FIRST_LISTED, HlsStore, is_ours
from stream.outputs.hls.variant import MASTER, HlsVariant
from tests.stream.outputs.hls.test_playlist import listed

AAC, FLAC = HlsVariant(codec="aac", bitrate_kbps=128), HlsVariant(codec="flac", bitrate_kbps=0)
NOW_S = datetime(2026, 11, 30, tzinfo=UTC).timestamp()


@dataclass
class Runs:
    """A store, and what stands in the place of its encoders."""

    folder: Path
    variants: tuple[HlsVariant, ...] = (AAC,)
    wall_s: float = NOW_S
    clock_s: float = 0.0
    store: HlsStore = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin as a new process does."""
        self.store = HlsStore(
            self.folder, self.variants, 2, 8, 44_100, wall_s=lambda: self.wall_s, clock=lambda: self.clock_s
        )

    def write(self, segments: int, title: str = "") -> None:
        """Write a run of so many segments of 2 s each."""
        segmenters = [cast(Segmenter, _Segmenter(variant)) for variant in self.variants]
        self.store.begin(segmenters)
        for number in range(segments):
            for segmenter in segmenters:
                data = f"{segmenter.variant.name} {number}".encode()
                self.store.add(
                    segmenter,
                    Segment(data=data, begin_s=2.0 * number, length_s=2.0),
                    datetime.fromtimestamp(self.wall_s, UTC),
                    title,
                )
            self.wall_s += 2
            self.clock_s += 2

    def listed(self, variant: HlsVariant = AAC) -> MediaPlaylist:
        return read_media_playlist((self.folder / f"{variant.name}.m3u8").read_text(), 2)

    def numbers(self, variant: HlsVariant = AAC) -> list[int]:
        return [segment.number for segment in self.listed(variant).segments]

    def runs(self, variant: HlsVariant = AAC) -> list[int]:
        return [segment.run for segment in self.listed(variant).segments]


@dataclass
class _Segmenter:
    variant: HlsVariant
    init: bytes = b"init"
    rate_hz: int = 44_100


def test_a_new_run_goes_on_from_the_one_before(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(3)
    numbers, first_run = runs.numbers(), runs.runs()[0]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    runs.restart()
    runs.write(2)
    assert runs.numbers() == list(range(numbers[0] + 1, numbers[0] + 5)), "four of 2 s are kept"
    assert runs.runs() == [first_run, first_run, first_run + 1, first_run + 1]
    inits = [segment.init for segment in runs.listed().segments]
    assert inits[0] == inits[1] != inits[2] == inits[3]
    assert all((tmp_path / name).is_file() for name in inits)
    assert "ENDLIST" not in (tmp_path / "aac-128.m3u8").read_text()


def test_the_first_segment_of_a_run_is_listed_with_the_second(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(FIRST_LISTED - 1)
    assert not (tmp_path / "aac-128.m3u8").exists() and not (tmp_path / MASTER).exists()
    runs.write(FIRST_LISTED)
    assert runs.runs()[0] + 1 == runs.runs()[-1], "what the run before it left unlisted is listed as well"
    before = runs.numbers()
    runs.restart()
    runs.write(FIRST_LISTED - 1)
    assert runs.numbers() == before


def test_players_are_told_of_variants_once_they_can_go_from_one_to_another(tmp_path: Path) -> None:
    """Chromium 156 stops for good where it goes over to a variant of which a single segment is new to it."""
    runs = Runs(tmp_path)
    runs.write(FIRST_HEARD - 1)
    assert (tmp_path / "aac-128.m3u8").exists() and not (tmp_path / MASTER).exists()
    Runs(tmp_path / "more").write(FIRST_HEARD)
    assert (tmp_path / "more" / MASTER).exists()


def test_a_run_in_the_same_process_is_one_more_too(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(2)
    runs.write(2)
    assert runs.runs() == [runs.runs()[0]] * 2 + [runs.runs()[0] + 1] * 2
    assert runs.numbers() == list(range(runs.numbers()[0], runs.numbers()[0] + 4))


@pytest.mark.parametrize("process", ["same", "new"])
def test_numbers_go_on_where_the_folder_was_emptied(tmp_path: Path, process: str) -> None:
    runs = Runs(tmp_path / "hls")
    runs.write(5)
    numbers, first_run = runs.numbers(), runs.runs()[0]
    for path in runs.folder.iterdir():
        path.unlink()
    runs.folder.rmdir()
    runs.wall_s += 3600
    if process == "new":
        runs.restart()
    runs.write(2)
    assert runs.numbers()[0] > numbers[-1], "a number is never given twice"
    assert runs.runs()[0] > first_run
    # Else hls.js 1.7.4 stands still for a minute with each playlist that it loads.
    assert runs.runs()[0] < 1_000_000


def test_what_stood_before_a_file_that_is_gone_is_not_listed(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(4)
    numbers = runs.numbers()
    (tmp_path / f"aac-128-{numbers[1]}.m4s").unlink()
    runs.restart()
    runs.write(2)
    assert runs.numbers() == [*numbers[2:], numbers[-1] + 1, numbers[-1] + 2]


def test_a_list_that_missed_a_run_begins_anew_so_that_all_count_the_same(tmp_path: Path) -> None:
    runs = Runs(tmp_path, (AAC, FLAC))
    runs.write(3)
    runs.variants = (FLAC,)
    runs.restart()
    runs.write(3)
    runs.variants = (AAC, FLAC)
    runs.restart()
    before = runs.numbers(AAC)
    runs.write(2)
    assert runs.runs(AAC) == [runs.runs(FLAC)[-1]] * 2
    assert runs.numbers(AAC) == [before[-1] + 1, before[-1] + 2]
    assert len(set(runs.runs(FLAC))) == 2


def test_the_old_is_removed_when_no_player_can_be_at_it(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(4)
    first = runs.listed().segments[0]
    runs.restart()
    # Listed for 8 s, and kept for 10 s more, which is looked at every 5 s.
    runs.write(5)
    assert first.file not in [segment.file for segment in runs.listed().segments]
    assert (tmp_path / first.file).is_file()
    runs.restart()
    runs.write(12)
    assert not (tmp_path / first.file).exists() and not (tmp_path / first.init).exists()
    assert len(list(tmp_path.glob("*.m4s"))) < 4 + 9
    assert all(
        (tmp_path / name).is_file() for each in runs.listed().segments for name in (each.file, each.init)
    )


def test_what_killed_runs_left_is_swept_and_nothing_of_anybody_elses(tmp_path: Path) -> None:
    ours = ["aac-128-5.m4s", "opus-96-init-7.mp4", "flac-1.m4s.4194305.part"]
    others = ["flac.m3u8", "song.m4s", "aac-128-x.m4s", "notes.txt", "x.mp4.4194305.part"]
    for name in (*ours, *others):
        (tmp_path / name).write_text("#EXTM3U\nmy own\n")
    (tmp_path / "opus-96.m3u8").write_text(MediaPlaylist(target_s=2).with_segment(listed(1), 9).text())
    runs = Runs(tmp_path)
    runs.store.require()
    runs.write(20)
    assert not [name for name in ours if (tmp_path / name).exists()]
    assert not (tmp_path / "opus-96.m3u8").exists()
    assert all((tmp_path / name).is_file() for name in others)


def test_a_folder_with_somebody_elses_playlists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aac-128.m3u8").write_text("#EXTM3U\nmy own\n")
    with pytest.raises(
        OutputError, match=r"aac-128\.m3u8 would be overwritten, which endlos has not written"
    ):
        Runs(tmp_path).store.require()
    assert [path.name for path in tmp_path.iterdir()] == ["aac-128.m3u8"]


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("none/hls", "No such file or directory"),
        ("file", "File exists"),
        ("/proc/hls", "cannot be written to"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, folder: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=sentence):
        Runs(tmp_path / folder).store.require()


def test_a_title_stands_beside_its_segment(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.write(2, "Ä - B")
    assert {segment.title for segment in runs.listed().segments} == {"Ä - B"}


def test_only_what_is_ours_is_ours() -> None:
    assert all(
        map(
            is_ours,
            [MASTER, "stream-flac.m3u8", "aac-192.m3u8", "flac.m3u8", "flac-7.m4s", "opus-96-init-0.mp4"],
        )
    )
    for name in (
        "../flac-7.m4s",
        "flac-7.m4s\n",
        "flac-.m4s",
        "FLAC-7.m4s",
        "aac-7.mp4",
        "",
        "x.m3u8",
        "flac-7.m4s.1.part",
    ):
        assert not is_ours(name), name
