"""The home folder keeps what nobody gave a place."""

from pathlib import Path

import pytest

from tools.running.home import cache_folder, cached_pool, data_folder, demo_folder


def test_one_variable_moves_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDLOS_HOME", str(tmp_path))
    for place in (data_folder(), cache_folder(), demo_folder(), cached_pool(tmp_path / "music")):
        assert place.is_relative_to(tmp_path)
    monkeypatch.delenv("ENDLOS_HOME")
    assert not data_folder().is_relative_to(tmp_path)
    assert "endlos" in str(cache_folder())


def test_each_music_folder_has_its_own_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDLOS_HOME", str(tmp_path / "home"))
    first, second = tmp_path / "a" / "music", tmp_path / "b" / "music"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    assert cached_pool(first) != cached_pool(second)
    assert cached_pool(first) == cached_pool(tmp_path / "b" / ".." / "a" / "music")
    monkeypatch.chdir(tmp_path / "a")
    assert cached_pool(Path("music")) == cached_pool(first)
    odd = cached_pool(tmp_path / "a: song? / ü*")
    assert odd.parent == cached_pool(first).parent
    assert not set(odd.name) & set('/\\:*?"<>| ')
