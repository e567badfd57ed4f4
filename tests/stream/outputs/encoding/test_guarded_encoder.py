"""The guard of an encoder replaces one that hangs, fails or swallows, and the sound goes on."""

import threading
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from model.base.arrays import FloatArray
from stream.outputs.encoding import guarded_encoder
from stream.outputs.encoding.codecs import Codec
from stream.outputs.encoding.encoder import StreamEncoder
from stream.outputs.encoding.guarded_encoder import EncodedPiece, EncoderStalledError, GuardedEncoder
from tests.support.heard import RATE_HZ, decode, music, residual_db, wait_until

SECOND = np.zeros((RATE_HZ, 2), dtype=np.float32)


class Faulty(StreamEncoder):
    """Fails as the test wants it."""

    def __init__(self, tags: Mapping[str, str], faults: "Faults", codec: Codec) -> None:
        super().__init__(codec, RATE_HZ, 128, tags)
        self._faults = faults

    def encode(self, block: FloatArray) -> bytes:
        return self._faults.encode(super().encode(block))


class Faults:
    def __init__(self, codec: Codec = "mp3") -> None:
        self.codec = codec
        self.kind = ""
        self.free = threading.Event()

    def encode(self, data: bytes) -> bytes:
        if self.kind == "hangs":
            self.free.wait()
        if self.kind == "fails":
            raise ValueError("broken")
        return b"" if self.kind == "swallows" else data

    def guarded(self) -> GuardedEncoder:
        return GuardedEncoder(lambda tags: Faulty(tags, self, self.codec), RATE_HZ)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    monkeypatch.setattr(guarded_encoder, "ENCODER_STALL_S", 1.0)
    made = Faults()
    yield made
    made.free.set()


@pytest.mark.parametrize("kind", ["hangs", "fails", "swallows"])
def test_a_faulty_encoder_is_replaced_and_counted(
    faults: Faults, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = faults.guarded()
    assert encoder.encode(SECOND).data
    faults.kind = kind
    replaced, seconds = False, 0
    while not replaced:
        replaced = encoder.encode(SECOND).replaced
        seconds += 1
    assert seconds == (guarded_encoder.SWALLOWED_S + 1 if kind == "swallows" else 1)
    assert encoder.replaced == 1
    assert "an encoder is replaced" in caplog.text
    faults.kind = ""
    assert encoder.encode(SECOND).data
    assert encoder.replaced == 1
    encoder.restart()


def test_one_that_fails_from_the_beginning_is_left_to_who_asked(faults: Faults) -> None:
    faults.kind = "fails"
    encoder = faults.guarded()
    with pytest.raises(ValueError, match="broken"):
        encoder.encode(SECOND)
    assert encoder.replaced == 0


def test_encoders_that_hang_do_not_pile_up(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_encoder, "ENCODER_STALL_S", 0.2)
    faults.kind = "hangs"
    encoder = faults.guarded()
    before = set(threading.enumerate())

    def new() -> int:
        return len(set(threading.enumerate()) - before)

    for _ in range(guarded_encoder.MOST_HANGING):
        with pytest.raises(EncoderStalledError, match="the encoder hangs"):
            encoder.encode(SECOND)
    for _ in range(3):
        with pytest.raises(EncoderStalledError, match="again and again"):
            encoder.encode(SECOND)
    assert new() == guarded_encoder.MOST_HANGING
    # Those that came back after all count no more.
    faults.kind = ""
    faults.free.set()
    wait_until(lambda: new() == 0, "they have ended")
    assert encoder.encode(SECOND).data
    encoder.restart()
    wait_until(lambda: new() == 0, "it has ended")


@pytest.mark.parametrize(("codec", "bound_db"), [("opus", -24), ("flac", -75), ("vorbis", -26)])
def test_a_title_in_band_begins_a_chained_stream_and_costs_no_sound(codec: Codec, bound_db: float) -> None:
    sound = music(6)
    encoder = GuardedEncoder(lambda tags: StreamEncoder(codec, RATE_HZ, 128, tags), RATE_HZ)
    encoder.turn({"title": "one"})
    pieces = [encoder.encode(block) for block in np.array_split(sound[: 2 * RATE_HZ], 9)]
    pieces.append(encoder.turn({"title": "two"}))
    # Nothing changes: nothing begins.
    pieces.append(encoder.turn({"title": "two"}))
    pieces += [encoder.encode(block) for block in np.array_split(sound[2 * RATE_HZ :], 9)]
    pieces.append(encoder.encode(sound[:0], last=True))
    links: list[bytes] = []
    for piece in filter(has_data, pieces):
        if piece.header:
            links.append(piece.header)
        links[-1] += piece.data
    assert len(links) == 2
    assert b"title=one" in links[0].lower() and b"title=two" in links[1].lower()
    heard = [decode(link) for link in links]
    rate_hz = heard[0][1]
    # To the sample but for what a codec begins with.
    assert sum(len(part) for part, _ in heard) == pytest.approx(
        len(sound) / RATE_HZ * rate_hz, abs=rate_hz * 0.03
    )
    assert residual_db(sound[: 2 * RATE_HZ], heard[0][0], rate_hz) < bound_db
    assert residual_db(sound[2 * RATE_HZ :], heard[1][0], rate_hz) < bound_db
    encoder.restart()


def has_data(piece: EncodedPiece) -> bool:
    return bool(piece.data)
