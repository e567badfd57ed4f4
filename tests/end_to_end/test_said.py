"""What `endlos ctl say` is given is heard in the stream of a real service, and stands in its log."""

import http.client
import re
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.commands import Running, run_here, wait_until
from tests.support.heard import decode
from tests.support.waiting import PATIENCE_S

TONE_HZ = 1000.0


def loudest_hz(sound: np.ndarray, rate_hz: int) -> list[float]:  # type: ignore[type-arg]
    """Return the loudest frequency of each half second."""
    half = rate_hz // 2
    parts = [sound[start : start + half, 0] for start in range(0, len(sound) - half, half)]
    return [float(np.abs(np.fft.rfft(part)).argmax()) * rate_hz / half for part in parts]


def test_a_tone_is_said_and_heard(
    tiny_pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, log = tmp_path / "tone.wav", tmp_path / "log.jsonl"
    soundfile.write(recording, 0.3 * np.sin(2 * np.pi * TONE_HZ * np.arange(3 * 16_000) / 16_000), 16_000)
    words = ("serve", tiny_pool, "--strategy", "random", "--seed", "1", "--http", "127.0.0.1:0", "--log", log)
    with Running(*words) as running:
        found = re.search(r"serving (http://\S+)/", running.wait_for("INFO serving http://"))
        assert found
        heard = bytearray()

        def listen() -> None:
            stream = urllib.request.urlopen(f"{found[1]}/stream.mp3", timeout=PATIENCE_S)
            # The service is ended in mid-answer.
            with stream, suppress(http.client.IncompleteRead, OSError):
                while data := stream.read(4096):
                    heard.extend(data)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        assert run_here("ctl", "say", recording, "--url", found[1]) == 0
        assert "within half a minute" in capsys.readouterr().out
        wait_until(lambda: '"event": "say"' in log.read_text(), "it is said")
        enough = len(heard) + 12 * 192_000 // 8
        wait_until(lambda: len(heard) > enough, "it is heard, and the music after it")
        assert run_here("ctl", "say", tmp_path / "nothing.wav", "--url", found[1]) == 1
        assert run_here("ctl", "say", log, "--url", found[1]) == 1
        told = capsys.readouterr().err
        assert "nothing.wav cannot be read: No such file" in told
        assert "log.jsonl is not audio" in told and "Traceback" not in told
        tones = loudest_hz(*decode(bytes(heard)))
    at = [place for place, hz in enumerate(tones) if abs(hz - TONE_HZ) < 5]
    assert 5 <= len(at) <= 6 and at == list(range(at[0], at[-1] + 1)), "3 s of it, in one go"
    assert at[-1] < len(tones) - 4, "the music goes on"
