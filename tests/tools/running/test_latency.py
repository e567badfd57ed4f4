"""The latency option takes what it should, fits the card, and remembers."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.base.errors import EndlosError, OutputError
from stream.outputs.card_timing import CardTiming, parse_latency
from stream.outputs.devices import OutputDevice
from stream.outputs.kinds.soundcard import SoundCardSettings
from stream.outputs.place import Tap
from tests.support.commands import run_here
from tests.support.pulse import FAVOURED, MISSING, pulse_available, pulse_null_sink
from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S
from tools.running import latency
from tools.running.home import HOME_VARIABLE
from tools.running.latency import LATENCIES_S, Trial, choose, measuring_card

REPOSITORY = Path(__file__).resolve().parents[3]
RATE_HZ = 44_100


def card_timing(
    text: str | None,
    block_frames: int | None,
    device: str | int | None,
    rate_hz: int,
    notice: Callable[[str], None],
    check: Callable[[], object] = bool,
) -> CardTiming:
    """Return how a card is driven that is asked for so, once it has been measured."""
    wanted = SoundCardSettings(device=device, latency=parse_latency(text), block_frames=block_frames)
    (card,) = wanted.measured(measuring_card(rate_hz, notice, check)).open(Tap(engine_rate_hz=rate_hz))
    return card._timing


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, CardTiming().latency_s), ("low", "low"), ("high", "high"), ("auto", "auto"), ("0.05", 0.05)],
)
def test_what_it_takes(text: str | None, expected: str | float) -> None:
    assert parse_latency(text) == expected


@pytest.mark.parametrize("text", ["", "fast", "-1", "0", "3", "nan", "50ms"])
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(EndlosError, match="expected low, high, auto, measure, or seconds") as error:
        parse_latency(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("command", ["play", "serve"])
def test_a_latency_that_is_none_is_told_also_where_there_is_no_card(
    command: str, tiny_pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(command, tiny_pool, "--http", "127.0.0.1:0", "--latency", "fast") == 1
    assert "'fast' is no latency" in capsys.readouterr().err


def card_that_manages(least_s: float, tried: list[float]) -> latency.Callable[[float, int], Trial]:
    def trial(latency_s: float, block_frames: int) -> Trial:
        tried.append(latency_s)
        assert block_frames <= latency_s * RATE_HZ / 4
        fails = latency_s < least_s
        return Trial(latency_s=latency_s, longest_gap_s=latency_s / 2, underruns=3 if fails else 0)

    return trial


@pytest.mark.parametrize(
    ("least_s", "chosen_s", "trials"),
    [(0.0, LATENCIES_S[-2], len(LATENCIES_S)), (0.04, 0.06, 5), (0.2, 0.2, 2), (1.0, 0.2, 1)],
)
def test_the_one_above_the_smallest_clean_one_is_chosen(least_s: float, chosen_s: float, trials: int) -> None:
    tried: list[float] = []
    assert choose(card_that_manages(least_s, tried)).latency_s == chosen_s
    assert tried == list(LATENCIES_S[:trials]), "from the largest on, until one fails"


def test_a_gap_as_long_as_the_latency_is_an_underrun_that_was_not_told() -> None:
    assert Trial(latency_s=0.05, longest_gap_s=0.049, underruns=0).clean
    assert not Trial(latency_s=0.05, longest_gap_s=0.05, underruns=0).clean
    assert not Trial(latency_s=0.05, longest_gap_s=0.01, underruns=1).clean


@pytest.fixture
def one_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Return which latencies have been tried on the card of this machine."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    card = OutputDevice(
        index=0,
        name="Speakers",
        host_api="ALSA",
        max_channels=2,
        default_rate_hz=48_000,
        low_latency_s=0.01,
        high_latency_s=0.1,
        is_default=True,
    )
    monkeypatch.setattr(latency, "find_device", lambda device: card)
    tried: list[float] = []
    trial = card_that_manages(0.025, tried)
    monkeypatch.setattr(
        latency, "play_silence", lambda device, rate_hz, latency_s, block, seconds: trial(latency_s, block)
    )
    return tried


def test_auto_measures_once_and_remembers(one_card: list[float]) -> None:
    said: list[str] = []
    first = card_timing("auto", None, None, RATE_HZ, said.append)
    assert first.latency_s == 0.04
    assert len(said) == 2
    assert "measuring Speakers, ALSA" in said[0]
    assert "40 ms" in said[1]
    one_card.clear()
    assert card_timing("auto", None, None, RATE_HZ, said.append) == first
    assert (one_card, len(said)) == ([], 2)
    assert latency.remembered("Speakers, ALSA") == first
    assert latency.remembered("Telephone, ALSA") is None
    card_timing("measure", None, None, RATE_HZ, said.append)
    assert one_card


@pytest.mark.usefixtures("one_card")
def test_a_block_size_goes_before_what_was_measured() -> None:
    assert card_timing("auto", 1024, None, RATE_HZ, lambda text: None).block_frames == 1024
    given = card_timing("low", 64, None, RATE_HZ, lambda text: None)
    assert given == CardTiming(latency_s="low", block_frames=64)
    default = card_timing(None, None, None, RATE_HZ, lambda text: None)
    assert default == CardTiming()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"Speakers, ALSA": 5}', '{"Speakers, ALSA": {"latency_s": "x"}}']
)
def test_a_damaged_memory_is_measured_again(one_card: list[float], tmp_path: Path, text: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "latency.json").write_text(text)
    assert card_timing("auto", None, None, RATE_HZ, lambda text: None).latency_s == 0.04
    assert one_card
    assert latency.remembered("Speakers, ALSA") is not None


@pytest.mark.usefixtures("one_card")
def test_a_memory_that_cannot_be_written_is_no_reason_not_to_play(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("no folder")
    assert card_timing("auto", None, None, RATE_HZ, lambda text: None).latency_s == 0.04
    assert "cannot be remembered" in caplog.text


def test_measuring_can_be_ended(one_card: list[float]) -> None:
    def check() -> None:
        if len(one_card) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        card_timing("auto", None, None, RATE_HZ, lambda text: None, check)
    assert latency.remembered("Speakers, ALSA") is None


def test_no_such_card_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_device(device: object) -> OutputDevice:
        raise OutputError("no such card")

    monkeypatch.setattr(latency, "find_device", find_device)
    with pytest.raises(OutputError, match="no such card"):
        card_timing("auto", None, "trumpet", RATE_HZ, lambda text: None)


_MEASURE = """
import json
from dataclasses import asdict
from tools.running.latency import play_silence
trials = [play_silence(None, 44_100, latency_s, 256, 0.5) for latency_s in (0.2, 0.06)]
print(json.dumps([asdict(trial) for trial in trials]))
"""


def test_a_real_card_is_timed_by_its_own_callbacks() -> None:
    require_real(MISSING, pulse_available())
    with pulse_null_sink() as sink:
        done = subprocess.run(
            [*FAVOURED, sys.executable, "-c", _MEASURE],
            cwd=REPOSITORY,
            env=sink.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
    large, small = json.loads(done.stdout)
    assert large["latency_s"] == pytest.approx(0.2, rel=0.3)
    assert small["latency_s"] == pytest.approx(0.06, rel=0.3)
    for trial in (large, small):
        # Never closer than a block: by itself the callback cannot be called more often.
        assert trial["longest_gap_s"] > 256 / RATE_HZ * 0.9
        assert trial["underruns"] >= 0
