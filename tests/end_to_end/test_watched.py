"""Songs come and go while `endlos serve` plays their folder, and who listens hears no gap."""

import json
import re
import signal
import time
import urllib.request
from pathlib import Path

from tests.support.commands import Running
from tests.support.music import write_music
from tests.support.on_air import Listener
from tests.support.waiting import PATIENCE_S, wait_until

PIECES = 10


def test_a_song_that_is_copied_joins_and_one_that_is_removed_leaves(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_music(music, ["a.wav", "b.wav", "c.wav"], seconds=10.0)
    (new,) = write_music(tmp_path, ["d.wav"], seconds=10.0)
    words = ("serve", music, "--strategy", "random", "--http", "127.0.0.1:0")
    with Running(*words, ENDLOS_HOME=str(tmp_path / "home")) as running:
        found = re.search(r"serving (http://\S+:(\d+)/)", running.wait_for("INFO serving http://"))
        assert found

        def songs() -> set[str]:
            with urllib.request.urlopen(f"{found[1]}api/songs", timeout=PATIENCE_S) as answer:
                return {song["title"] for song in json.load(answer)["songs"]}

        with Listener(int(found[2])) as listener:
            data = new.read_bytes()
            size = -(-len(data) // PIECES)
            with (music / "d.wav").open("wb", buffering=0) as copy:
                for start in range(0, len(data), size):
                    copy.write(data[start : start + size])
                    # Slower than a folder takes to settle, as over a network: what it does, not a wait.
                    time.sleep(0.5)
                (music / "a.wav").unlink()
                assert "the music has changed" not in running.printed(), "it is still being copied"
            wait_until(lambda: songs() == {"b", "c", "d"}, "the new song is there, the old one is gone")
            assert listener.unbroken
            assert listener.loudest(0.5) > 0.01
        running.send(signal.SIGTERM)
        assert running.end() == 0
        printed = running.printed()
        assert printed.count("the music has changed") == 1
        assert "Traceback" not in printed and "could not be read" not in printed
