"""Whatever is made up from the description of the interface, it answers as described, and not by 500."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stream.service import limits
from tests.support.interface import PlayedPool

EXAMPLES = 6
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def played(tiny_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedPool]:
    folder = Path(shutil.copytree(tiny_pool, tmp_path_factory.mktemp("own") / "pool"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "CHANGES", 100_000)
        with closing(PlayedPool(folder)) as running:
            yield running


@pytest.mark.parametrize("mode", GenerationMode)
def test_nothing_that_is_asked_ends_in_500(played: PlayedPool, mode: GenerationMode) -> None:
    """mode: positive, what is described; negative, what is not."""
    described = schemathesis.openapi.from_url(f"http://127.0.0.1:{played.port}/api/openapi.json")
    answers: Counter[int] = Counter()
    song_id = played.engine.pool.songs[0].audio_hash
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path == "/events":
            # They never end: `tests/stream/service/test_events.py` reads them.
            continue

        @given(case=operation.as_strategy(generation_mode=mode), known=booleans())
        @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
        def check(case: schemathesis.Case, known: bool) -> None:
            if known and "song_id" in case.path_parameters:
                case.path_parameters["song_id"] = song_id
            answer = case.call(headers={"X-Endlos": "1"})
            answers[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        with suppress(Unsatisfiable):  # of what takes nothing there is nothing wrong to be made
            check()
    assert answers.total() > 30
    assert answers[200] > 5 if mode is GenerationMode.POSITIVE else answers[422] > 5
    assert played.ask("GET", "/api/now").status == 200
