"""Every settings class refuses what cannot be meant in one sentence; the test walks the packages."""

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from model.base.errors import EndlosError
from stream.choosing.settings import PlannerSettings
from stream.choosing.weighing.weights import CostWeights
from stream.engine.settings import EngineSettings
from stream.outputs.address import HttpAddress
from stream.outputs.card_timing import CardTiming
from stream.outputs.icecast.mount import IcecastMount
from stream.outputs.kinds.file import FileSettings
from stream.outputs.kinds.hls import HlsSettings
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.kinds.pipe import PipeSettings
from stream.outputs.kinds.soundcard import SoundCardSettings
from stream.outputs.settings import OutputSettings
from stream.scoring.settings import ScoringSettings
from tests.support.commands import run_here
from tools.quality.joins.protocol import JoinSettings
from tools.quality.ranking.protocol import EvalSettings
from tools.quality.study.scale import CHEAP
from tools.songs.cut import CutSettings
from tools.songs.song import AnalysisSettings

REPOSITORY = Path(__file__).resolve().parents[3]
REQUIRED: dict[str, dict[str, Any]] = {
    "AnalysisSettings": {"cut": CutSettings(), "edge_samples": 630},
    "BenchSettings": {"pool": Path("pool")},
    "EvalSettings": {"model": Path("model")},
    "FileSettings": {"path": Path("stream.flac")},
    "HlsSettings": {"folder": Path("hls")},
    "IcecastSettings": {
        "mount": IcecastMount(host="h", port=8000, path="/a.mp3", user="source", password="x"),
        "codec": "mp3",
        "bitrate_kbps": 128,
    },
    "LiveSettings": {"engine": EngineSettings(), "outputs": OutputSettings(places=[HttpSettings()])},
    "OutputSettings": {"places": [HttpSettings()]},
    "ScoringSettings": {"model": None},
    "StudySettings": {"music": Path("music"), "out": Path("study"), "scale": CHEAP},
}
"""What has no default, by the name of the settings."""


def _all_settings() -> list[type]:
    """Return every frozen dataclass named so, of the modules that define one; no other is imported."""
    found: list[type] = [CostWeights, CardTiming, HttpAddress]
    for package in ("model", "stream", "tools"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            for name in re.findall(r"^class (\w+Settings)\b", path.read_text(encoding="utf-8"), re.MULTILINE):
                module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
                found.append(getattr(importlib.import_module(module), name))
    return found


def _numbers(settings: type) -> list[str]:
    hints = get_type_hints(settings)
    return [
        field.name
        for field in fields(settings)
        if any(kind in (int, float) for kind in _kinds(hints[field.name]))
    ]


def _kinds(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


CASES = [
    pytest.param(settings, name, value, id=f"{settings.__name__}.{name}={value}")
    for settings in _all_settings()
    for name in _numbers(settings)
    for value in (math.nan, math.inf, -math.inf, -1, 0, 10**30)
]


def test_all_settings_are_found() -> None:
    names = {settings.__name__ for settings in _all_settings()}
    assert all(settings.__dataclass_params__.frozen for settings in _all_settings())  # type: ignore[attr-defined]
    assert {"PlannerSettings", "CutSettings", "BinarySettings", "JoinSettings", "CostWeights"} <= names
    assert set(REQUIRED) <= names
    assert len(CASES) > 200


@pytest.mark.parametrize(("settings", "name", "value"), CASES)
def test_a_number_is_taken_or_refused_in_one_sentence(settings: type, name: str, value: float) -> None:
    given = {**REQUIRED.get(settings.__name__, {}), name: value}
    try:
        settings(**given)
    except EndlosError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda value: CostWeights(bar=value), (math.nan, math.inf, -1.0)),
        (lambda value: PlannerSettings(seed=value), (-1,)),
        (lambda value: PlannerSettings(min_phrase_s=value), (math.nan, -1.0)),
        (lambda value: PlannerSettings(temperature=value), (math.nan, 0.0)),
        (lambda value: ScoringSettings(model=None, threads=value), (0, -1)),
        (lambda value: ScoringSettings(model=None, simulate_slow_ms=value), (math.nan, math.inf, -1.0)),
        (lambda value: EvalSettings(model=Path(), gaps_ms=(0.0, value)), (math.nan, math.inf, -1.0)),
        (lambda value: EvalSettings(model=Path(), chunk_s=value), (math.nan, math.inf, 0.0, 1e308)),
        (lambda value: EvalSettings(model=Path(), seed=value), (-1,)),
        (lambda value: JoinSettings(seed=value), (-1,)),
        (lambda value: JoinSettings(kept=value), (-1,)),
        (lambda value: JoinSettings(natural_s=value), (math.nan, 0.0, 1e9)),
        (lambda value: SoundCardSettings(volume_db=value), (math.nan, math.inf, 1.0, -math.inf)),
        (lambda value: SoundCardSettings(latency=value), (math.nan, math.inf, 0.0, -1.0, 60.0)),
        (lambda value: SoundCardSettings(block_frames=value), (-1, 1 << 20)),
        (lambda value: CardTiming(latency_s=value), (math.nan, math.inf, 0.0, -1.0, 60.0)),
        (lambda value: CardTiming(block_frames=value), (-1, 1 << 20)),
        (lambda value: FileSettings(path=Path("a.wav"), bits=value), (0, 8, -24)),
        (lambda value: FileSettings(path=Path("a.mp3"), bitrate_kbps=value), (0, -1, 10**9)),
        (lambda value: HlsSettings(folder=Path("hls"), segment_s=value), (math.nan, 0, -1, 7)),
        (lambda value: HlsSettings(folder=Path("hls"), keep_s=value), (math.nan, 0, 5, 10**6)),
        (lambda value: HlsSettings(folder=Path("hls"), bitrates_kbps=(value,)), (math.nan, 0, 10**6)),
        (lambda value: PipeSettings(rate_hz_asked=value), (math.nan, 0, -1, 10**9)),
        (lambda value: HttpAddress(port=value), (-1, 70_000)),
        (lambda value: EngineSettings(simulate_slow_ms=value), (math.nan, math.inf, -1.0)),
        (lambda value: EngineSettings(scorer_threads=value), (0, -1, 10**6)),
        (lambda value: EngineSettings(plan_ahead=value), (0, -1, 10**9)),
        (lambda value: EngineSettings(fade_s=value), (math.nan, math.inf, -1.0)),
        (lambda value: AnalysisSettings(cut=CutSettings(), edge_samples=value), (-1, 1)),
    ],
)
def test_what_no_one_can_mean_is_refused(make: Callable[[Any], object], values: tuple[float, ...]) -> None:
    for value in values:
        with pytest.raises(EndlosError, match=r"\w+ .*(give|expected|must)"):
            make(value)


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "POOL", "--chunk-s=nan"),
        ("eval", "POOL", "--chunk-s=inf"),
        ("eval", "POOL", "--chunk-s=1e308"),
        ("render", "POOL", "out.wav", "--seconds=inf"),
        ("render", "POOL", "out.wav", "--seconds=1e308"),
        ("pool", "build", "POOL", "--out=other", "--chunk-s=nan"),
        ("pool", "build", "POOL", "--out=other", "--max-chunk-s=inf"),
        ("pool", "build", "POOL", "--out=other", "--cut=equal", "--chunk-s=1e-9"),
        ("train", "POOL", "--out=model", "--learning-rate=nan"),
    ],
    ids=" ".join,
)
def test_what_the_command_line_lets_through_is_one_sentence(
    words: tuple[str, ...],
    tiny_pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_here(*(str(tiny_pool) if word == "POOL" else word for word in words)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "unexpected" not in line
    assert not list(tmp_path.iterdir())
