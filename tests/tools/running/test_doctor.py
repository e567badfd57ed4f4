"""The doctor finds what a machine lacks, and says what to do."""

import os
import sys
from pathlib import Path

import pytest

from model.base.errors import ModelError, OutputError
from model.base.kernel_cache import KernelPlace
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
    monkeypatch.setattr("model.saved.contract.carried_model", lambda: folder)
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

    monkeypatch.setattr("model.saved.contract.carried_model", missing)
    assert run_here("doctor") == 1
    shown = capsys.readouterr()
    assert "FAIL  carried model" in shown.out
    assert "essential parts are missing: carried model" in shown.err


def test_all_well_exits_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_model(tmp_path, edge_samples=100)
    monkeypatch.setattr("model.saved.contract.carried_model", lambda: folder)
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
