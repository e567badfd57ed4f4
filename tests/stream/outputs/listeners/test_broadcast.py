"""The HTTP output gives bursts, late joins and titles, and cuts slow listeners off."""

import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.encoding.codecs import Codec
from stream.outputs.listeners import broadcast as module
from stream.outputs.listeners.broadcast import BURST_S, HISTORY_S, Broadcast, Listener, ListenerLimits
from stream.outputs.listeners.icy import IcyTitles
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db, wait_until


class Reader:
    def __init__(self, listener: Listener | None) -> None:
        assert listener is not None
        self.listener = listener
        self.data = b""

    def poll(self) -> None:
        self.data += b"".join(piece.data for piece in self.listener.take())


def play(output: Broadcast, sound: np.ndarray, *readers: Reader) -> None:
    """Offer the sound, four times as fast as it plays, while the readers read."""
    frames = output.status().frames_out + len(sound) - RATE_HZ

    def done() -> bool:
        for reader in readers:
            reader.poll()
        return output.status().frames_out >= frames

    with Feeder(output, sound, speed=4):
        wait_until(done, "all is encoded")


@pytest.mark.parametrize("codec", ["mp3", "opus"])
def test_two_listeners_hear_the_same_and_a_late_one_gets_a_burst(codec: Codec) -> None:
    sound = music(8)
    output = Broadcast(RATE_HZ, codec, 128)
    output.start()
    early = [Reader(output.join()) for _ in range(2)]
    play(output, sound, *early)
    late = Reader(output.join())
    late.poll()
    assert output.listeners == 3
    output.close()
    for reader in early:
        reader.poll()
        assert reader.listener.ended
        assert not reader.listener.lost
    assert early[0].data == early[1].data
    heard, rate_hz = decode(early[0].data)
    assert residual_db(sound, heard, rate_hz, skip_s=0.8) < -20
    burst, rate_hz = decode(late.data)
    # Give or take what the encoder and the decoder keep to themselves.
    assert BURST_S - 0.15 < len(burst) / rate_hz < BURST_S + 1
    assert residual_db(sound, burst, rate_hz) < -20


def test_each_piece_wakes_once_and_so_does_the_end() -> None:
    """However many listen, and at the end when all is there."""
    output = Broadcast(RATE_HZ, "mp3", 128)
    seen: list[tuple[int, bool]] = []
    output.call(wake := lambda: seen.append((output.oldest + len(output._pieces), output.closed)))
    readers = [Reader(output.join()) for _ in range(30)]
    output.start()
    play(output, music(5), *readers)
    output.close()
    assert [pieces for pieces, _ in seen] == [*range(1, len(seen)), len(seen) - 1]
    assert [closed for _, closed in seen[-1:]] == [True]
    output.call_no_more(wake)
    assert output._wakers == ()


@pytest.mark.parametrize(("listeners", "of_address"), [(0, 1), (1, 0), (10_001, 1), (1, 10_001)])
def test_limits_that_make_no_sense_are_refused(listeners: int, of_address: int) -> None:
    with pytest.raises(OutputError, match="expected 1 to 10000"):
        ListenerLimits(listeners=listeners, of_address=of_address)


def test_a_slow_listener_is_lost_and_touches_nobody() -> None:
    output = Broadcast(RATE_HZ, "mp3", 64)
    output.start()
    slow, quick = Reader(output.join()), Reader(output.join())
    play(output, music(HISTORY_S + 6), quick)
    slow.listener.look()
    assert slow.listener.lost
    slow.poll()
    assert slow.listener.ended
    assert slow.data == b""
    assert not quick.listener.lost
    for reader in (slow, quick):
        output.leave(dropped=reader.listener.lost)
    assert (output.listeners, output.dropped_listeners) == (0, 1)
    assert "1 too slow" in output.status().detail
    # What is kept for the slow is bounded by time, not by what they have read.
    everything = sum(len(piece.data) for piece in output._pieces)
    assert everything < 64_000 / 8 * (HISTORY_S + 2)
    output.close()


def test_listeners_are_limited() -> None:
    output = Broadcast(RATE_HZ, limits=ListenerLimits(listeners=20))
    listeners = [output.join() for _ in range(20)]
    assert None not in listeners
    assert output.join() is None
    output.leave(dropped=False)
    assert output.join() is not None


def test_after_an_encoder_fault_ogg_listeners_get_a_new_header(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Broadcast(RATE_HZ, "opus", 96)
    output.start()
    reader = Reader(output.join())
    play(output, music(3), reader)
    with monkeypatch.context() as broken:
        broken.setattr(module.Broadcast, "_attend", lambda self: 1 / 0)
        wait_until(lambda: output.status().state == "reconnecting", "the fault is seen")
    wait_until(lambda: output.status().state == "playing", "it is back")
    play(output, music(3, seed=1), reader)
    output.close()
    reader.poll()
    assert reader.data.count(b"OpusHead") == 2
    heard, rate_hz = decode(reader.data[reader.data.rindex(b"OggS", 0, reader.data.rindex(b"OpusHead")) :])
    assert len(heard) > 1.5 * rate_hz


@pytest.mark.parametrize("pieces", [1, 99, 1000, 4096, 100_000])
def test_titles_stand_between_the_bytes(pieces: int) -> None:
    data = np.random.default_rng(0).bytes(20_500)
    icy = IcyTitles(interval_bytes=4096)
    woven, position = b"", 0
    for end, title in ((9000, "One"), (13_000, "It's – two"), (17_000, "x" * 9000), (20_500, "end';evil")):
        while position < end:
            more = data[position : min(position + pieces, end)]
            woven += icy.weave(more, title)
            position += len(more)

    audio, seen, position = b"", [], 0
    while position < len(woven):
        audio += woven[position : position + 4096]
        position += 4096
        if position < len(woven):
            length = woven[position] * 16
            seen.append(woven[position + 1 : position + 1 + length].rstrip(b"\0").decode())
            position += 1 + length
    assert audio == data
    assert seen[:3] == ["StreamTitle='One';", "", "StreamTitle='It's – two';"]
    assert seen[3].startswith("StreamTitle='xxxx")
    assert seen[3].endswith("xx';")
    assert len(seen[3]) <= 255 * 16
    assert seen[4] == "StreamTitle='end’;evil';"


def test_a_listener_is_told_the_title_of_what_it_takes_not_of_what_is_encoded() -> None:
    output = Broadcast(RATE_HZ, "mp3", 128)
    output.start()
    early = output.join()
    assert early is not None
    output.entitle("first", 0)
    output.entitle("second", 3 * RATE_HZ)
    with Feeder(output, music(6), speed=8) as feeder:
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is encoded")
    output.close()
    assert output.title == "second"
    heard: dict[str, bytes] = {}
    for piece in early.take():
        heard[piece.title] = heard.get(piece.title, b"") + piece.data
    assert list(heard) == ["first", "second"]
    seconds = len(heard["first"]) / (128_000 / 8)
    assert 2.6 < seconds < 3.2, "but for what the encoder holds back"
