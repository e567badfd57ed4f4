"""The libraries of other players are read as they write them, and never written."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from model.base.errors import PoolError
from tests.support.music import write_music
from tools.library.catalogs import read_catalog
from tools.library.selection import MusicSelection
from tools.pools.scan import scan

SONGS = ["Ada/First/02 b.flac", "Ada/First/01 a.flac", "Bob/c.flac"]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "music"
    write_music(folder, SONGS, seconds=0.2)
    return folder


@pytest.fixture(scope="module")
def beets(music: Path) -> Iterator[Path]:
    """A library as beets itself writes it, beside its configuration, in a folder of its own."""
    from beets.library import Item, Library

    home = music.parent / "beets"
    home.mkdir()
    (home / "config.yaml").write_text(f'plugins: []\ndirectory: "{music}"  # here\n', encoding="utf-8")
    library = Library(str(home / "library.db"), directory=str(music))
    for name in SONGS:
        item = Item.from_path(str(music / name))
        artist, track = name.partition("/")[0], 0
        if artist == "Ada":
            track = int(Path(name).name[:2])
        item.update({"albumartist": artist, "album": "First", "disc": 1, "track": track, "year": 1999})
        item["genres"] = ["House", "Deep House"] if artist == "Ada" else ["Jazz"]
        item["mood"] = "calm" if track == 1 else "wild"
        library.add(item)
    library._close()
    yield home / "library.db"


def navidrome(path: Path, *, library: str | None, songs: dict[str, dict[str, object]]) -> Path:
    """Write a database with what Navidrome's migrations leave of its tables, as far as it concerns us."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            """CREATE TABLE album (id varchar); CREATE TABLE property (id varchar, value varchar);
            CREATE TABLE media_file (id varchar primary key, path varchar, title varchar default '',
            album varchar default '', artist varchar default '', album_artist varchar default '',
            track_number integer default 0, disc_number integer default 0, year integer default 0,
            genre varchar default '', date varchar default '', comment varchar default '', bpm integer);"""
        )
        if library is not None:
            database.executescript(
                """CREATE TABLE library (id integer primary key autoincrement, name text, path text);
                ALTER TABLE media_file ADD COLUMN library_id integer not null default 1;
                ALTER TABLE media_file ADD COLUMN missing boolean default false not null;
                ALTER TABLE media_file ADD COLUMN tags jsonb default '{}' not null;"""
            )
            database.execute("INSERT INTO library (name, path) VALUES ('Music', ?)", (library,))
        for number, (name, fields) in enumerate(songs.items()):
            values = {"id": str(number), "path": name, **fields}
            named = ", ".join(values)
            marks = ", ".join("?" * len(values))
            database.execute(f"INSERT INTO media_file ({named}) VALUES ({marks})", tuple(values.values()))
        database.commit()
    return path


def taken(path: Path, *where: str, roots: tuple[Path, ...] = ()) -> list[str]:
    return [found.name for found in scan([path], MusicSelection(where=where, roots=roots)).files]


def test_a_library_of_beets_is_taken_album_by_album(beets: Path, music: Path) -> None:
    before = beets.read_bytes()
    entries = read_catalog(beets)
    assert [entry.path for entry in entries] == [music / name for name in sorted(SONGS)]
    labels = entries[0].labels
    assert labels and labels["genre"] == ("House", "Deep House")
    assert (labels["mood"], labels["year"], labels["albumartist"]) == (("calm",), ("1999",), ("Ada",))
    assert taken(beets, "genre=deep*") == ["01 a.flac", "02 b.flac"]
    assert taken(beets, "genre=house", "mood=calm", roots=(music,)) == ["Ada/First/01 a.flac"]
    assert beets.read_bytes() == before
    assert [path.name for path in beets.parent.iterdir() if "journal" in path.name] == []


def test_absolute_paths_of_earlier_versions_of_beets_are_found(
    beets: Path, music: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "library.db"
    copy.write_bytes(beets.read_bytes())
    with closing(sqlite3.connect(copy)) as database:
        for number, name in enumerate(SONGS, start=1):
            database.execute(
                "UPDATE items SET path = ? WHERE id = ?", (bytes(f"{music}/{name}", "utf-8"), number)
            )
        database.commit()
    assert [entry.path for entry in read_catalog(copy)] == [music / name for name in sorted(SONGS)]


def test_navidrome_keeps_paths_of_its_library(music: Path, tmp_path: Path) -> None:
    tags = json.dumps(
        {"genre": [{"id": "x", "value": "House"}, {"id": "y", "value": "Dub"}], "mood": ["calm"]}
    )
    songs: dict[str, dict[str, object]] = {
        SONGS[0]: {"album_artist": "Ada", "track_number": 2, "tags": tags},
        SONGS[1]: {"album_artist": "Ada", "track_number": 1},
        SONGS[2]: {"album_artist": "Bob", "missing": True},
    }
    path = navidrome(tmp_path / "navidrome.db", library=str(music), songs=songs)
    assert [entry.path for entry in read_catalog(path)] == [music / name for name in sorted(SONGS)[:2]]
    assert taken(path, "genre=dub", "mood=calm") == ["02 b.flac"]


def test_a_library_in_a_container_is_looked_for_where_it_is_here(music: Path, tmp_path: Path) -> None:
    songs: dict[str, dict[str, object]] = {SONGS[2]: {}, "Bob/gone.flac": {}}
    path = navidrome(tmp_path / "navidrome.db", library="/container/music", songs=songs)
    found = scan([path], MusicSelection(roots=(music,)))
    assert [file.path for file in found.files] == [music / SONGS[2]]
    ((gone, failure),) = found.failures
    assert failure.reason == "navidrome.db names it, but it is not there"
    assert gone.name == "/container/music/Bob/gone.flac"


def test_navidrome_before_it_had_libraries(music: Path, tmp_path: Path) -> None:
    songs: dict[str, dict[str, object]] = {f"{music}/{SONGS[2]}": {"genre": "Jazz", "year": 1960}}
    path = navidrome(tmp_path / "navidrome.db", library=None, songs=songs)
    assert taken(path, "genre=jazz", "year=19*") == ["c.flac"]


def _no_songs(path: Path) -> None:
    navidrome(path, library=None, songs={})


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (id integer)")


def _damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5_000)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (_no_songs, "holds no songs; let Navidrome look through its music first"),
        (_other, "is a database, but none of beets or Navidrome"),
        (_damaged, "cannot be read as a database"),
    ],
)
def test_other_databases_are_a_sentence(write: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    write(tmp_path / "some.db")
    with pytest.raises(PoolError, match=told) as error:
        scan([tmp_path / "some.db"])
    assert "\n" not in str(error.value)
