"""No command writes over what it reads, by whatever name."""

import os
import shutil
from pathlib import Path

import mutagen.flac
import mutagen.id3
import mutagen.wave
import pytest

from model.base.errors import EndlosError
from tests.support.commands import run_here
from tools.pools.overwriting import refuse_overwriting


def test_the_same_file_by_any_name_is_refused(tmp_path: Path) -> None:
    file, soft, hard = (tmp_path / name for name in ("run.jsonl", "soft", "hard"))
    file.write_text("kept")
    soft.symlink_to(file)
    os.link(file, hard)
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in (
        file,
        soft,
        hard,
        tmp_path / "folder" / "run.jsonl",
        tmp_path / "folder" / ".." / tmp_path.name / file.name,
    ):
        with pytest.raises(EndlosError, match=r"--log and --replay are both .* read and written"):
            refuse_overwriting([("--log", name)], [("--replay", file)])
    refuse_overwriting([("--log", tmp_path / "other")], [("--replay", file), ("--model", None)])


def test_two_outputs_in_one_file_are_refused_before_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(tmp_path)
    outputs = [("OUT", tmp_path / "o.wav"), ("--log", tmp_path / "folder" / "o.wav")]
    with pytest.raises(EndlosError, match=r"--log and OUT are both .*, and one would overwrite the other"):
        refuse_overwriting(outputs, [])
    nowhere = Path(os.devnull)
    refuse_overwriting([("--out", nowhere), ("--log", nowhere)], [("--replay", nowhere)])


def test_what_a_pool_its_music_or_a_model_is_made_of_is_refused(
    tiny_pool: Path, tiny_music: Path, tiny_model: Path, tmp_path: Path
) -> None:
    sources = [("POOL", tiny_pool), ("MUSIC", tiny_music), ("--model", tiny_model)]
    column = next((tiny_pool / "columns").rglob("*.bin"))
    link = tmp_path / "link.wav"
    link.symlink_to(tiny_music / "one.wav")
    for path, owner in (
        (tiny_pool / "pool.db", "POOL"),
        (column, "POOL"),
        (tiny_music / "one.wav", "POOL"),
        (link, "POOL"),
        (tiny_model / "model.json", "--model"),
    ):
        with pytest.raises(EndlosError, match=f"--log would overwrite .*, which belongs to {owner}"):
            refuse_overwriting([("--log", path)], sources)
    with pytest.raises(EndlosError, match="which belongs to MUSIC"):
        refuse_overwriting([("--log", link)], sources[1:])
    with pytest.raises(EndlosError, match="--out and POOL are both"):
        refuse_overwriting([("--out", tiny_pool)], sources)
    # A log beside the music, from the last time, is nobody's.
    music = tmp_path / "music"
    shutil.copytree(tiny_music, music)
    (music / "log.jsonl").touch()
    refuse_overwriting([("--log", music / "log.jsonl")], [("MUSIC", music)])


def test_a_replay_into_its_own_log_leaves_the_log_alone(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.jsonl"
    words = ("render", tiny_pool, tmp_path / "o.wav")
    assert run_here(*words, "--strategy", "random", "--seconds", "4", "--log", log) == 0
    before = log.read_bytes()
    assert before
    assert run_here(*words, "--replay", log, "--log", log) == 1
    assert "read and written at once" in capsys.readouterr().err
    assert log.read_bytes() == before
    assert run_here(*words, "--replay", log, "--log", tmp_path / "again.jsonl") == 0


@pytest.mark.parametrize(
    "words",
    [
        ("render", "{pool}", "{song}", "--seconds", "1"),
        ("render", "{pool}", "{folder}/o.wav", "--seconds", "1", "--log", "{folder}/o.wav"),
        ("play", "{pool}", "--log", "{song}"),
        ("play", "{music}", "--log", "{song}"),
        ("serve", "{pool}", "--log", "{database}"),
        ("serve", "{music}", "--log", "{song}"),
        ("serve", "{pool}", "--icecast-password-file", "{folder}/word", "--log", "{folder}/word"),
        ("eval", "{pool}", "--model", "{model}", "--scores", "{contract}"),
        ("eval", "{pool}", "--plot", "{song}"),
        ("eval", "{pool}", "--beside", "{model}", "--plot", "{contract}"),
        ("joins", "{pool}", "--model", "{model}", "--plot", "{model}"),
        ("joins", "{pool}", "--listen", "{pool}"),
        ("bench", "{pool}", "--out", "{database}"),
        ("bench", "{pool}", "--model", "{model}", "--plot", "{contract}"),
        ("train", "{pool}", "--out", "{pool}"),
        ("train", "{pool}", "--from", "{model}", "--out", "{model}"),
    ],
)
def test_every_command_refuses_in_one_sentence_and_touches_nothing(
    words: tuple[str, ...],
    tiny_pool: Path,
    tiny_music: Path,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def begin(*_: object, **__: object) -> None:
        raise EndlosError("it has begun")

    for endless in (
        "tools.running.playing.play_source",
        "tools.running.serving.serve_source",
        "tools.bench.suite.measure_questions",
        "tools.quality.joins.protocol.study",
        "tools.training.lessons.train_model",
    ):
        monkeypatch.setattr(endless, begin)
    copies = {name: tmp_path / name for name in ("music", "model")}
    for name, source in (("music", tiny_music), ("model", tiny_model)):
        shutil.copytree(source, copies[name])
    music = copies["music"] if "{music}" in words else tiny_music
    places = {
        "pool": tiny_pool,
        "music": music,
        "model": copies["model"],
        "song": music / "one.wav",
        "database": tiny_pool / "pool.db",
        "contract": copies["model"] / "model.json",
        "folder": tmp_path,
    }
    (tmp_path / "word").write_text("secret\n")
    kept = {path: path.read_bytes() for path in (places["song"], places["database"], places["contract"])}
    assert run_here(*(word.format(**places) for word in words)) == 1
    told = capsys.readouterr().err
    assert told.startswith("endlos: ") and told.count("\n") == 1
    assert "would overwrite" in told or "read and written at once" in told or "overwrite the other" in told
    assert {path: path.read_bytes() for path in kept} == kept
    assert (tmp_path / "word").read_text() == "secret\n"


def test_nothing_is_written_into_a_pool(tiny_pool: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tiny_pool)
    for path in (tiny_pool / "new.wav", tiny_pool / "decoded" / "new.jsonl", tmp_path / "link" / "new.wav"):
        with pytest.raises(EndlosError, match=r"OUT would stand inside the pool .*; give another place"):
            refuse_overwriting([("OUT", path)], [])
        with pytest.raises(EndlosError, match="inside the pool"):
            refuse_overwriting([("OUT", path)], [("POOL", tiny_pool)])


def test_what_endlos_has_not_written_is_kept(
    tiny_pool: Path, tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagged, named = tmp_path / "tagged.flac", tmp_path / "named.wav"
    log, note = tmp_path / "log.jsonl", tmp_path / "letter.jsonl"
    words = ("--strategy", "random", "--seconds", "2", "--quiet")
    for _ in range(2):
        # Its own files, as often as one likes.
        assert run_here("render", tiny_pool, tagged, *words, "--log", log) == 0
    flac = mutagen.flac.FLAC(tagged)
    flac["title"] = "Mine"
    flac.save()
    assert run_here("render", tiny_pool, named, *words) == 0
    wave = mutagen.wave.WAVE(named)
    wave.add_tags()
    wave.tags.add(mutagen.id3.TIT2(encoding=3, text="Mine"))
    wave.save()
    # Of somebody else, and without a word about it.
    shutil.copyfile(tiny_music / "one.wav", tmp_path / "untagged.wav")
    shutil.copyfile(tiny_music / "three.flac", tmp_path / "untagged.flac")
    note.write_text("Dear reader")
    (tmp_path / "text.wav").write_text("a document")
    (tmp_path / "sheet.cue").write_text('TITLE "Mine"')
    for name in (
        "tagged.flac",
        "named.wav",
        "untagged.wav",
        "untagged.flac",
        note.name,
        "text.wav",
        "sheet.cue",
    ):
        path = tmp_path / name
        before = path.read_bytes()
        with pytest.raises(EndlosError, match=r"which endlos has not written; .* or remove the file first"):
            refuse_overwriting([("OUT", path)], [])
        with pytest.raises(
            EndlosError, match=r"; give another place to OUT, or replace the file with --force"
        ):
            refuse_overwriting([("OUT", path)], [], force=False)
        refuse_overwriting([("OUT", path)], [], force=True)
        assert path.read_bytes() == before
    # An empty file, as a shell or `mktemp` makes it, loses nothing.
    (tmp_path / "empty.wav").touch()
    refuse_overwriting([("OUT", tmp_path / "empty.wav"), ("--out", tmp_path)], [])


def test_a_file_of_somebody_else_is_replaced_when_that_is_asked_for(
    tiny_pool: Path, tiny_music: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "untagged.wav"
    shutil.copyfile(tiny_music / "one.wav", path)
    before = path.read_bytes()
    words = ("render", tiny_pool, path, "--strategy", "random", "--seconds", "2", "--quiet")
    assert run_here(*words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "OUT would overwrite" in told and "--force" in told
    assert path.read_bytes() == before
    assert run_here("serve", tiny_pool, "--output", f"file:{path}") == 1
    assert f"--output {path} would overwrite" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert run_here(*words, "--force") == 0
    assert path.read_bytes() != before
    # What is read stays as it is, whatever is asked for.
    for out in (tiny_music / "one.wav", tiny_pool / "new.wav"):
        assert run_here("render", tiny_pool, out, *words[3:], "--force") == 1
