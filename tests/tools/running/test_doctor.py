"""The doctor finds what a machine lacks, and says what to do."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model.base.errors import ModelError, OutputError
from model.base.kernel_cache import KernelPlace
from stream.outputs.devices import OutputDevice
from stream.outputs.portaudio import card_rate
from tests.support.commands import run_here
from tests.support.models import write_tiny_model
from tools.running import doctor


def test_every_check_has_a_finding_and_every_fault_an_advice() -> None:
    checks = doctor.check_machine()
    assert len({check.name for check in checks}) == len(checks) == 10
    for check in checks:
        assert check.found
        assert bool(check.advice) != check.good
        assert check.essential or check.name not in ("Python", "onnxruntime", "carried model")


def test_a_model_that_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tiny_model(tmp_path, edge_samples=100)
    monkeypatch.setattr("model.saved.carried.carried_model", lambda: folder)
    assert doctor.check_model().good
    (folder / "pair.onnx").write_bytes(b"nothing")
    broken = doctor.check_model()
    assert not broken.good
    assert "pair.onnx" in broken.found


def test_something_essential_missing_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> Path:
        raise ModelError("no model")

    monkeypatch.setattr("model.saved.carried.carried_model", missing)
    assert run_here("doctor") == 1
    shown = capsys.readouterr()
    assert "FAIL  carried model" in shown.out
    assert "essential parts are missing: carried model" in shown.err


def test_all_well_exits_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_model(tmp_path, edge_samples=100)
    monkeypatch.setattr("model.saved.carried.carried_model", lambda: folder)
    assert run_here("doctor") == 0
    assert "FAIL" not in capsys.readouterr().out


def test_no_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    check = doctor.check_portaudio()
    assert not check.good
    assert not check.essential
    assert "libportaudio2" in check.advice


def test_no_sound_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered() -> list[object]:
        raise OutputError("PortAudio does not answer")

    monkeypatch.setattr("stream.outputs.devices.list_devices", list)
    assert doctor.check_devices().found == "none"
    monkeypatch.setattr("stream.outputs.devices.list_devices", unanswered)
    assert doctor.check_devices().found == "PortAudio does not answer"
    assert not doctor.check_devices().good


@pytest.fixture
def studio_card(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, dict[int, int]], None]:
    """Return what makes the one card of this machine: its own rate, and PortAudio's answers by rate."""

    def make(own_hz: float, answers: dict[int, int]) -> None:
        card = OutputDevice(
            index=0, name="Studio card", host_api="JACK", max_channels=2, default_rate_hz=own_hz,
            low_latency_s=0.01, high_latency_s=0.1, is_default=True,
        )  # fmt: skip
        monkeypatch.setattr("stream.outputs.devices.list_devices", lambda: [card])
        monkeypatch.setattr(card_rate, "_ask", lambda device, rate_hz: answers.get(rate_hz, -9997))

    return make


@pytest.mark.parametrize(
    ("own_hz", "answers", "found"),
    [
        (44_100.0, {44_100: 0}, "Studio card"),
        # The stream itself runs at 48 kHz then.
        (48_000.0, {48_000: 0}, "Studio card"),
        (96_000.0, {96_000: 0}, "Studio card (at 96000 Hz: the stream is resampled from 44100 Hz)"),
        (192_000.0, {192_000: 0}, "Studio card (at 192000 Hz: the stream is resampled from 44100 Hz)"),
        # Another program has it.
        (96_000.0, {44_100: -9985}, "Studio card (at 96000 Hz: the stream is resampled from 44100 Hz)"),
    ],
)
def test_the_rate_of_a_card_is_told(
    studio_card: Callable[[float, dict[int, int]], None],
    capsys: pytest.CaptureFixture[str],
    own_hz: float,
    answers: dict[int, int],
    found: str,
) -> None:
    studio_card(own_hz, answers)
    check = doctor.check_devices()
    assert (check.good, check.found) == (True, found)
    run_here("devices", "--json")
    [device] = json.loads(capsys.readouterr().out)["devices"]
    assert (device["plays_at_hz"], device["resampled"]) == (own_hz, own_hz > 48_000)


def test_a_card_that_takes_no_rate_is_no_good(
    studio_card: Callable[[float, dict[int, int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    studio_card(8_000.0, {})
    check = doctor.check_devices()
    assert not check.good
    assert check.found == "Studio card (takes no stereo at any usual rate)"
    assert "sound system" in check.advice
    run_here("devices", "--json")
    assert json.loads(capsys.readouterr().out)["devices"][0]["plays_at_hz"] is None


def test_portaudio_is_asked_without_playing() -> None:
    """The real PortAudio, of a device that there is not: an answer, and no exception."""
    pytest.importorskip("sounddevice")
    device = OutputDevice(
        index=999, name="gone", host_api="ALSA", max_channels=2, default_rate_hz=96_000.0,
        low_latency_s=0.01, high_latency_s=0.1, is_default=False,
    )  # fmt: skip
    assert card_rate._ask(device, 44_100) < 0
    assert card_rate.foretell_rate(device, 44_100).rate_hz == 96_000


def test_a_kernel_cache_that_does_not_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = KernelPlace(folder=tmp_path, lasting=True)
    monkeypatch.setattr("model.base.kernel_cache.kernel_place", lambda: place)
    assert doctor.check_kernel_cache().good
    assert str(tmp_path) in doctor.check_kernel_cache().found
    place = KernelPlace(folder=tmp_path, lasting=False)
    assert not doctor.check_kernel_cache().good
    assert "NUMBA_CACHE_DIR" in doctor.check_kernel_cache().advice


def test_few_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not doctor.check_cores().good
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert doctor.check_cores().good


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDLOS_HOME", str(tmp_path / "not" / "yet"))
    assert str(tmp_path) in doctor.check_disk().found
    monkeypatch.setattr(doctor, "_FREE_DISK_GIB", 1e9)
    assert "ENDLOS_HOME" in doctor.check_disk().advice
