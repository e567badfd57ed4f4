"""A selection takes what is named so and tagged so, and says what there is where nothing is."""

import unicodedata
from pathlib import Path

import mutagen
import pytest
from mutagen.flac import FLAC
from mutagen.id3 import TCON, TDRC

from model.base.errors import PoolError
from stream.pool.origin import origin_of
from stream.pool.pool import open_pool
from tests.support.music import quick_settings, write_music
from tools.library.selection import MusicSelection, Sieve
from tools.pools.build import build_pool
from tools.pools.scan import scan
from tools.songs.labels import read_labels

NAMES = ["Ada/a.flac", "Ada/Live/b.flac", "Bob/c.wav", "Bob/d.mp3"]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selection") / "music"
    write_music(folder, NAMES, seconds=2.0)
    for name, genres in (("Ada/a.flac", ["House", "Dub"]), ("Ada/Live/b.flac", ["House; Techno"])):
        file = FLAC(folder / name)
        file.update({"GENRE": genres, "DATE": "1994-05-01", "ARTIST": "Ada"})
        file.save()
    for name in ("Bob/c.wav", "Bob/d.mp3"):
        tagged = mutagen.File(folder / name)
        tagged.add_tags()
        tagged.tags.add(TCON(encoding=3, text=["Jazz"]))
        tagged.tags.add(TDRC(encoding=3, text=["2001"]))
        tagged.save()
    return folder


def taken(music: Path, **wishes: tuple[str, ...]) -> list[str]:
    return [found.name for found in scan([music], MusicSelection(**wishes)).files]  # type: ignore[arg-type]


def test_names_are_taken_and_left_out_by_patterns(music: Path) -> None:
    assert taken(music, include=("*.FLAC",)) == ["Ada/Live/b.flac", "Ada/a.flac"]
    assert taken(music, include=("Bob", "live")) == ["Ada/Live/b.flac", "Bob/c.wav", "Bob/d.mp3"]
    assert taken(music, include=("ada/*",), exclude=("*/live/*",)) == ["Ada/a.flac"]
    assert taken(music, exclude=("Ada", "*.mp3")) == ["Bob/c.wav"]
    with pytest.raises(PoolError, match="none of 4 files has a name that is asked for"):
        taken(music, include=("*.ogg",))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (("genre=house",), ["Ada/Live/b.flac", "Ada/a.flac"]),
        (("Genre=DUB",), ["Ada/a.flac"]),
        (("genre=techno",), ["Ada/Live/b.flac"]),
        (("genre=jazz", "genre=dub"), ["Ada/a.flac", "Bob/c.wav", "Bob/d.mp3"]),
        (("genre=house", "genre=jazz", "year=199*"), ["Ada/Live/b.flac", "Ada/a.flac"]),
        (("year=2001",), ["Bob/c.wav", "Bob/d.mp3"]),
    ],
)
def test_of_one_tag_any_value_and_of_several_tags_each(
    music: Path, where: tuple[str, ...], expected: list[str]
) -> None:
    assert taken(music, where=where) == expected


def test_where_nothing_is_tagged_so_it_says_what_there_is(music: Path) -> None:
    with pytest.raises(PoolError) as error:
        taken(music, where=("genre=hause",))
    assert str(error.value) == (
        "no song has genre=hause; genre is 'Jazz' (2), 'House; Techno' (1), 'House' (1), 'Dub' (1)"
    )
    with pytest.raises(PoolError, match=r"no song says anything of gnre; there is .*genre \(4\)"):
        taken(music, where=("gnre=house",))


@pytest.mark.parametrize("condition", ["house", "=house", "genre=", " = "])
def test_what_is_no_condition_is_a_sentence(condition: str) -> None:
    with pytest.raises(PoolError, match="is no condition; expected tag=value, such as genre=house"):
        MusicSelection(where=(condition,))


def test_what_is_no_longer_chosen_leaves_the_pool_and_is_not_missing(music: Path, tmp_path: Path) -> None:
    build_pool([music], tmp_path / "pool", quick_settings())
    chosen = quick_settings(selection=MusicSelection(where=("genre=dub",), exclude=("Bob",)))
    report = build_pool([music], tmp_path / "pool", chosen)
    assert (report.songs, report.removed, report.missing) == (1, 3, ())
    assert [song.name for song in open_pool(tmp_path / "pool").songs] == ["Ada/a.flac"]
    # Whoever builds it again, as a watcher does, chooses alike.
    origin = origin_of(tmp_path / "pool")
    assert origin and {"--where=genre=dub", "--exclude=Bob"} <= set(origin.options)


def test_what_nobody_can_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC and no more")
    assert read_labels(tmp_path / "a.flac") == {}


def test_an_accent_may_be_written_in_its_letter_or_behind_it() -> None:
    for written, asked in (("NFD", "NFC"), ("NFC", "NFD")):
        name = unicodedata.normalize(written, "Été/un.flac")
        selection = MusicSelection(include=(unicodedata.normalize(asked, "ÉTÉ"),))
        assert selection.takes_name(name) and not selection.takes_name("ete/un.flac")
        sieve = Sieve(selection=MusicSelection(where=(f"artist={unicodedata.normalize(asked, 'été')}",)))
        assert sieve.takes(Path(name), {"artist": [unicodedata.normalize(written, "Été")]})
