"""The sound card output plays without gaps on a real sound server, and comes back when it is lost."""

import ctypes
import json
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soxr

from model.base.arrays import FloatArray
from model.base.errors import OutputError
from stream.outputs import card as module
from stream.outputs import devices
from stream.outputs.card import SoundCard
from stream.outputs.card_timing import CardTiming
from stream.outputs.devices import OutputDevice
from stream.outputs.listeners.broadcast import BURST_S
from stream.outputs.portaudio import card_stream
from stream.outputs.portaudio.card_feed import RAMP_S, SWITCH_FADE_S
from tests.support.player import RATE_HZ, song
from tests.support.pulse import (
    FAVOURED,
    MISSING,
    PulseSink,
    locate,
    poll_until,
    pulse_available,
    pulse_null_sink,
)
from tests.support.real import require_real
from tests.support.waiting import PATIENCE_S

REPOSITORY = Path(__file__).resolve().parents[3]
RAMP_FRAMES = round(RAMP_S * RATE_HZ)
SETTLED = RATE_HZ // 10
CARD: dict[str, Any] = {
    "host_api": "Core Audio",
    "max_channels": 2,
    "default_rate_hz": 44_100.0,
    "low_latency_s": 0.01,
    "high_latency_s": 0.1,
    "is_default": True,
}


class Player:
    """`tests.support.player` in a process of its own, because PortAudio looks at the environment once."""

    def __init__(self, sink: PulseSink, latency_s: float, *more: str) -> None:
        self._process = subprocess.Popen(
            [*FAVOURED, sys.executable, "-m", "tests.support.player", str(latency_s), *more],
            cwd=REPOSITORY,
            env=sink.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        poll_until(lambda: self.card()["state"] == "playing", lambda: "the player does not play")

    def do(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the player has ended"
        status: dict[str, Any] = json.loads(answer)
        return status

    def card(self) -> dict[str, Any]:
        card: dict[str, Any] = self.do("status")["card"]
        return card

    def play_for(self, seconds: float) -> None:
        """Come back when the card has played as much more."""
        target = self.card()["frames_out"] + seconds * RATE_HZ
        poll_until(lambda: self.card()["frames_out"] >= target, lambda: "it stands still")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="module")
def sink() -> Iterator[PulseSink]:
    require_real(MISSING, pulse_available())
    with pulse_null_sink() as sink:
        yield sink


@contextmanager
def playing(sink: PulseSink, latency_s: float = 0.1, *more: str) -> Iterator[Player]:
    player = Player(sink, latency_s, *more)
    try:
        yield player
    finally:
        player.end()


def await_heard(sink: PulseSink, probe: FloatArray, since: int) -> int:
    """Return the frame of the recording where `probe` begins, once it has been recorded."""
    found: list[int] = []

    def look() -> bool:
        at = locate(sink.recorded(since), probe)
        found.extend([] if at is None else [since + at])
        return at is not None

    poll_until(look, lambda: "it is not heard")
    return found[0]


def assert_heard(sink: PulseSink, number: int, start: int, seconds: float, since: int) -> None:
    """Assert that `seconds` of a song, from its frame `start` on, are in the recording in one piece."""
    frames = round(seconds * RATE_HZ)
    at = await_heard(sink, song(number)[start : start + 64], since)
    poll_until(lambda: sink.recorded_frames() >= at + frames, lambda: "the recording ends")
    heard = sink.recorded(at)[:frames]
    differs = np.flatnonzero(np.any(heard != song(number)[start : start + frames], axis=1))
    assert not len(differs), f"{len(differs)} frames differ, the first after {differs[0] / RATE_HZ:.3f} s"


@pytest.mark.realtime
def test_what_is_offered_is_what_is_heard_bit_for_bit(sink: PulseSink) -> None:
    since = sink.recorded_frames()
    # So deep that a machine which does something else meanwhile does not matter. As much is taken at once.
    with playing(sink, latency_s=1.0) as player:
        player.play_for(3)
        assert_heard(sink, 0, SETTLED, 2.5, since)
        status = player.do("status")
    assert status["card"]["underrun_frames"] == 0
    assert status["card"]["dropped_frames"] == 0
    assert status["card"]["reconnects"] == 0
    assert 0.9 < status["card"]["latency_s"] < 1.5
    assert status["pacer"]["clock"] == "leader"
    # It begins faded. The monitor may miss the first milliseconds: it has told of silence there before.
    heard = sink.recorded(await_heard(sink, song(0)[SETTLED : SETTLED + 64], since) - SETTLED)[:RAMP_FRAMES]
    told = heard.any(axis=1)
    ramp = np.arange(1, RAMP_FRAMES + 1)[:, np.newaxis] / RAMP_FRAMES
    np.testing.assert_allclose(heard[told], (song(0)[:RAMP_FRAMES] * ramp)[told], atol=1e-3)


@pytest.mark.realtime
def test_it_plays_on_while_another_thread_holds_the_global_lock(sink: PulseSink) -> None:
    since = sink.recorded_frames()
    with playing(sink) as player:
        player.play_for(1)
        # Not more often: after each, Python has to fill the ring again.
        for _ in range(2):
            before = player.card()["frames_out"]
            after = player.do("hold 500")["card"]
            assert after["frames_out"] - before > 0.4 * RATE_HZ
            assert after["underrun_frames"] == 0
            player.play_for(0.5)
        assert_heard(sink, 0, SETTLED, 2.5, since)


@pytest.mark.realtime
def test_a_pause_is_silent_faded_and_goes_on_where_it_was(sink: PulseSink) -> None:
    since = sink.recorded_frames()
    with playing(sink) as player:
        player.play_for(1)
        player.do("pause")
        poll_until(lambda: not sink.recorded()[-RATE_HZ // 2 :].any(), lambda: "the pause is not silent")
        paused = player.card()
        assert paused["state"] == "paused"
        stopped = sink.recorded(since)
        last = int(np.flatnonzero(stopped.any(axis=1))[-1])
        player.do("resume")
        player.play_for(0.5)
        resumed = player.card()
        assert resumed["underrun_frames"] == 0
        assert resumed["state"] == "playing"
    played = paused["frames_out"]
    falling = stopped[last - RAMP_FRAMES + 2 : last + 1, 0] / song(0)[played - RAMP_FRAMES : played - 1, 0]
    np.testing.assert_allclose(falling, np.arange(RAMP_FRAMES - 1, 0, -1) / RAMP_FRAMES, atol=1e-3)
    rising = sink.recorded(since + last + 1)
    rising = rising[int(np.flatnonzero(rising.any(axis=1))[0]) :][:RAMP_FRAMES, 0]
    gain = rising / song(0)[played : played + RAMP_FRAMES, 0]
    np.testing.assert_allclose(gain, np.arange(1, RAMP_FRAMES + 1) / RAMP_FRAMES, atol=1e-3)


def test_it_says_when_it_was_last_heard_and_that_it_goes_on_in_a_pause(sink: PulseSink) -> None:
    with playing(sink) as player:
        poll_until(lambda: player.card()["audible_ago_s"] is not None, lambda: "nothing was heard")
        player.do("pause")

        def rests() -> bool:
            card = player.card()
            return bool(card["audible_ago_s"] > 2.0 > card["delivered_ago_s"])

        poll_until(rests, lambda: f"it is not silent and there: {player.card()}")
        player.do("resume")
        poll_until(lambda: player.card()["audible_ago_s"] < 2.0, lambda: "it is not heard again")


@pytest.mark.realtime
def test_a_skip_is_heard_at_once_and_faded(sink: PulseSink) -> None:
    fade = round(SWITCH_FADE_S * RATE_HZ)
    with playing(sink) as player:
        player.play_for(1)
        before = player.card()
        since = sink.recorded_frames()
        player.do("skip")
        at = await_heard(sink, song(1)[fade : fade + 64], since) - fade
        assert player.card()["underrun_frames"] == 0
    # What was ready in the ring is not played first; what it takes in detail is benchmarked.
    assert (at - since) / RATE_HZ < before["buffered_s"]
    heard = sink.recorded(at)[:fade]
    old = await_heard(sink, sink.recorded(at - 64)[:64], since)
    assert old == at - 64
    position = locate(song(0), sink.recorded(at - 64)[:64])
    assert position is not None
    new = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)[:, np.newaxis]
    expected = song(0)[position + 64 : position + 64 + fade] * (1 - new) + song(1)[:fade] * new
    np.testing.assert_allclose(heard, expected, atol=1e-6)


@pytest.mark.realtime
def test_after_a_skip_in_a_pause_the_old_song_is_not_heard_again(sink: PulseSink) -> None:
    with playing(sink) as player:
        player.play_for(1)
        player.do("pause")
        poll_until(lambda: not sink.recorded()[-RATE_HZ // 2 :].any(), lambda: "the pause is not silent")
        since = sink.recorded_frames()
        player.do("skip")
        player.do("skip")
        player.do("resume")
        at = await_heard(sink, song(2)[RAMP_FRAMES : RAMP_FRAMES + 64], since) - RAMP_FRAMES
        assert not sink.recorded(since)[: at - since].any()
        assert player.card()["underrun_frames"] == 0


@pytest.mark.realtime
def test_it_ends_faded_and_at_once(sink: PulseSink) -> None:
    since = sink.recorded_frames()
    with playing(sink) as player:
        player.play_for(0.5)
        assert player.do("quit")["card"]["state"] == "stopped"
    poll_until(lambda: not sink.recorded()[-RATE_HZ // 4 :].any(), lambda: "it is not silent")
    heard = sink.recorded(since)
    last = int(np.flatnonzero(heard.any(axis=1))[-1])
    envelope = np.abs(heard[last - RAMP_FRAMES : last + 1]).max(axis=1) / 0.5
    # Noise of one peak level under a line that falls to nothing.
    assert np.all(envelope <= np.linspace(1, 0, RAMP_FRAMES + 1) + 2 / RAMP_FRAMES)


def test_it_comes_back_when_the_sound_server_does() -> None:
    require_real(MISSING, pulse_available())
    with pulse_null_sink() as sink, playing(sink) as player:
        player.play_for(0.5)
        sink.kill()
        poll_until(lambda: player.card()["state"] == "reconnecting", lambda: "it notices nothing")
        before = player.do("status")
        poll_until(
            lambda: player.do("status")["pacer"]["frames"] > before["pacer"]["frames"] + RATE_HZ // 2,
            lambda: "the stream does not go on without the card",
        )
        assert player.do("status")["pacer"]["clock"] == "wall"
        poll_until(lambda: player.card()["audible_ago_s"] > 1.0, lambda: "it says that it is heard")
        since = sink.recorded_frames()
        sink.start()
        poll_until(lambda: player.card()["state"] == "playing", lambda: "it does not come back")
        player.play_for(0.5)
        status = player.do("status")
        assert status["card"]["reconnects"] == 1
        assert status["pacer"]["clock"] == "leader"
        # A sink that is not yet recorded may take two seconds at once, and then stand still.
        assert status["pacer"]["leader_losses"] >= 1
        poll_until(lambda: bool(sink.recorded(since).any()), lambda: "nothing is heard")


@pytest.mark.realtime
def test_a_sink_that_is_taken_away_and_given_back_is_not_noticed_by_who_listens_elsewhere() -> None:
    require_real(MISSING, pulse_available())
    told: list[tuple[float, dict[str, Any]]] = []

    with pulse_null_sink() as sink, playing(sink, 0.1, "beside") as player:

        def look() -> dict[str, Any]:
            status = player.do("status")
            told.append((time.monotonic(), status))
            return status

        player.play_for(1)
        # What is offered before its encoder stands is dropped, and on a busy machine that takes its time.
        poll_until(lambda: look()["beside"][0]["frames_out"] > RATE_HZ // 2, lambda: "nobody listens")
        del told[:-1]
        sink.unload()
        poll_until(lambda: look()["card"]["state"] == "reconnecting", lambda: "it notices nothing")
        since_frames = told[-1][1]["pacer"]["frames"] + 2 * RATE_HZ
        poll_until(lambda: look()["pacer"]["frames"] > since_frames, lambda: "the stream stands still")
        missed = look()["card"]["dropped_frames"]
        assert missed > RATE_HZ
        sink.load()
        poll_until(lambda: look()["card"]["state"] == "playing", lambda: "it does not come back")
        sink.record()
        heard: list[int] = []

        def hear() -> bool:
            at = locate(song(0), sink.recorded()[-64:])
            heard.extend([] if at is None else [at])
            return at is not None

        poll_until(hear, lambda: "nothing is heard")
        behind = (look()["pacer"]["frames"] - heard[0]) % len(song(0))
        # The card's ring and what the sound server holds; a sink that nobody recorded took two seconds.
        assert behind < 4 * RATE_HZ, "it is not where the stream is"
        player.play_for(0.5)
        last = look()
    assert last["card"]["reconnects"] == 1
    assert last["pacer"]["clock"] == "leader"
    [before], [beside] = told[0][1]["beside"], last["beside"]
    for counter in ("underrun_frames", "dropped_frames", "reconnects"):
        assert beside[counter] == before[counter], counter
    # Never further behind than what every listener has in hand.
    ahead = [status["beside"][0]["frames_out"] / RATE_HZ - at_s for at_s, status in told]
    assert max(ahead) - min(ahead) < BURST_S


@pytest.mark.realtime
def test_a_changed_default_sink_is_followed() -> None:
    """What the sound server does by itself: the stream is moved, and the card is never lost."""
    require_real(MISSING, pulse_available())
    with pulse_null_sink() as sink, playing(sink) as player:
        player.play_for(0.5)
        sink.load("other")
        sink.record("other")
        since = sink.recorded_frames()
        sink.make_default("other")
        position = player.card()["frames_out"]
        poll_until(lambda: bool(sink.recorded(since)[:-SETTLED].any()), lambda: "it is not followed")
        first = int(np.flatnonzero(sink.recorded(since).any(axis=1))[0]) + since
        heard = locate(song(0), sink.recorded(first + RAMP_FRAMES)[:64])
        assert heard is not None
        assert abs(heard - position) < RATE_HZ
        status = player.card()
        assert (status["reconnects"], status["underrun_frames"], status["state"]) == (0, 0, "playing")


@pytest.mark.realtime
def test_a_card_of_another_rate_hears_the_stream_resampled() -> None:
    """PulseAudio's sink at 96 kHz, and PortAudio refusing any other rate: no card of the kind is at hand."""
    require_real(MISSING, pulse_available())
    whole = soxr.resample(song(0), RATE_HZ, 96_000)
    with pulse_null_sink(96_000) as sink, playing(sink, 0.25, "only", "96000") as player:
        player.play_for(3)
        probe = whole[SETTLED * 3 : SETTLED * 3 + 64]
        at = await_heard(sink, probe, 0)
        frames = 2 * 96_000
        poll_until(lambda: sink.recorded_frames() >= at + frames, lambda: "the recording ends")
        status = player.do("status")
        np.testing.assert_array_equal(sink.recorded(at)[:frames], whole[SETTLED * 3 : SETTLED * 3 + frames])
        card = status["card"]
        assert (card["underrun_frames"], card["dropped_frames"], card["reconnects"]) == (0, 0, 0)
        assert status["pacer"]["clock"] == "leader"
        assert "at 96000 Hz, resampled from 44100 Hz" in card["detail"]
        # The stream goes by its own seconds, not by the card's frames.
        assert abs(status["pacer"]["frames"] - card["frames_out"] - card["buffered_s"] * RATE_HZ) < 4_096
        since = sink.recorded_frames()
        player.do("skip")
        skipped = soxr.resample(song(1), RATE_HZ, 96_000)
        await_heard(sink, skipped[9_600 : 9_600 + 64], since)


class FakePortAudio(SimpleNamespace):
    """What `list_devices` asks of python-sounddevice, for machines that are not at hand."""

    PortAudioError = OSError


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def device(name: str, host_api: int, channels: int) -> dict[str, object]:
        return {
            "name": name,
            "hostapi": host_api,
            "max_output_channels": channels,
            "default_samplerate": 48_000.0,
            "default_low_output_latency": 0.01,
            "default_high_output_latency": 0.1,
        }

    fake = FakePortAudio(
        query_hostapis=lambda: (
            {"name": "OSS", "default_output_device": -1},
            {"name": "ALSA", "default_output_device": 3},
        ),
        query_devices=lambda: [
            device("Microphone", 1, 0),
            device("Speakers (USB)", 1, 2),
            device("Telephone", 1, 1),
            device("HDMI speakers", 1, 8),
        ],
    )
    monkeypatch.setattr(devices, "load_sounddevice", lambda: fake)


@pytest.mark.usefixtures("two_cards")
def test_the_devices_are_those_that_can_play_stereo() -> None:
    found = devices.list_devices()
    assert [(device.index, device.full_name, device.is_default) for device in found] == [
        (1, "Speakers (USB), ALSA", False),
        (3, "HDMI speakers, ALSA", True),
    ]
    assert devices.has_sound_card()


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 3), (1, 1), ("usb", 1), ("HDMI Speakers", 3), ("hdmi speakers, alsa", 3)],
)
def test_a_device_is_found_by_index_or_name(wanted: str | int | None, index: int) -> None:
    assert devices.find_device(wanted).index == index


@pytest.mark.usefixtures("two_cards")
@pytest.mark.parametrize("wanted", ["trumpet", 0, 2, 17, "speakers"])
def test_what_is_no_device_or_several_is_refused_with_a_list(wanted: str | int) -> None:
    with pytest.raises(OutputError, match=r"1: Speakers \(USB\), ALSA; 3: HDMI speakers, ALSA") as error:
        devices.find_device(wanted)
    assert repr(wanted) in str(error.value)


def test_no_sound_card_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakePortAudio(query_hostapis=lambda: (), query_devices=list)
    monkeypatch.setattr(devices, "load_sounddevice", lambda: fake)
    assert not devices.has_sound_card()
    with pytest.raises(OutputError, match="there is no sound card on this machine"):
        devices.find_device(None)


def test_no_portaudio_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(OutputError, match="libportaudio2"):
        devices.list_devices()
    assert not devices.has_sound_card()


def test_a_card_that_is_not_there_fails_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_device(device: str | int | None) -> None:
        raise OutputError(f"{device!r} is not a sound card of this machine")

    monkeypatch.setattr(module, "load_sounddevice", FakePortAudio)
    monkeypatch.setattr(module, "find_device", find_device)
    card = SoundCard("trumpet", RATE_HZ)
    with pytest.raises(OutputError, match="'trumpet' is not a sound card"):
        card.start()
    assert card.status().state == "stopped"
    card.close()


def test_what_is_opened_again_is_the_default_device_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = iter([OutputDevice(index=index, name=f"card {index}", **CARD) for index in (3, 5)])
    opened: list[int] = []

    class Stream:
        latency, active = 0.01, False

        def __init__(self, **settings: Any) -> None:
            opened.append(settings["device"])

        def start(self) -> None: ...

        def abort(self) -> None: ...

        def close(self) -> None: ...

    fake = FakePortAudio(
        _StreamBase=Stream,
        _ffi=SimpleNamespace(cast=lambda kind, value: value),
        _initialized=0,
        _initialize=lambda: None,
    )
    for user in (module, card_stream):
        monkeypatch.setattr(user, "load_sounddevice", lambda: fake)
    asked: list[object] = []
    monkeypatch.setattr(module, "find_device", lambda device: asked.append(device) or next(defaults))
    card = SoundCard(None, RATE_HZ)
    card.start()
    poll_until(lambda: card.status().state == "starting", lambda: "it does not open")
    # A stream that is no longer active once it has begun: the device is gone.
    card.offer(np.zeros((RATE_HZ // 2, 2), dtype=np.float32))
    poll_until(lambda: card.status().reconnects == 1, lambda: "it does not come back")
    card.close()
    assert opened == [3, 5]
    assert asked == [None, None]
    assert card.status().detail == "card 5, Core Audio"


class RefusedRateError(OSError):
    """PortAudio's error of a rate that a device does not take."""

    def __init__(self, code: int = -9997) -> None:
        super().__init__("Invalid sample rate", code)


def _card_of(
    monkeypatch: pytest.MonkeyPatch, own_rate_hz: float, open_at: Callable[[int], object]
) -> tuple[SoundCard, list[int]]:
    """Return a card that is opened through `open_at`, and the rates at which that was tried."""
    device = OutputDevice(index=3, name="card", **{**CARD, "default_rate_hz": own_rate_hz})
    tried: list[int] = []

    def stream(*, samplerate: int, **settings: Any) -> Any:
        tried.append(samplerate)
        open_at(samplerate)
        return SimpleNamespace(
            latency=0.01, active=True, start=lambda: None, abort=lambda: None, close=lambda: None
        )

    fake = FakePortAudio(_StreamBase=stream, _ffi=SimpleNamespace(cast=lambda kind, value: value))
    for user in (module, card_stream):
        monkeypatch.setattr(user, "load_sounddevice", lambda: fake)
    monkeypatch.setattr(module, "find_device", lambda wanted: device)
    return SoundCard(None, RATE_HZ), tried


def _only(*rates_hz: int) -> Callable[[int], None]:
    def open_at(rate_hz: int) -> None:
        if rate_hz not in rates_hz:
            raise RefusedRateError

    return open_at


@pytest.mark.parametrize(
    ("own_hz", "takes_hz", "tried_hz"),
    [
        (96_000.0, (96_000,), [44_100, 96_000]),
        (192_000.0, (192_000,), [44_100, 192_000]),
        (192_000.0, (44_100, 192_000), [44_100]),
        # Its own word is not true either.
        (44_100.0, (96_000,), [44_100, 48_000, 96_000]),
    ],
)
def test_a_card_is_opened_at_the_first_rate_that_it_takes(
    monkeypatch: pytest.MonkeyPatch, own_hz: float, takes_hz: tuple[int, ...], tried_hz: list[int]
) -> None:
    card, tried = _card_of(monkeypatch, own_hz, _only(*takes_hz))
    card.start()
    assert tried == tried_hz
    assert ("resampled" in card.status().detail) == (tried_hz[-1] != RATE_HZ)
    # Room and what is held are told in the stream's own frames and seconds; at a latency of 0.1 s.
    assert card.space_frames() == pytest.approx((0.75 + 0.14) * RATE_HZ, abs=2)
    card.offer(np.zeros((RATE_HZ // 2, 2), dtype=np.float32))
    assert card.status().buffered_s == pytest.approx(0.5, abs=1e-4)
    card.close()


def test_a_card_that_takes_no_rate_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    card, _ = _card_of(monkeypatch, 96_000.0, _only())
    with pytest.raises(OutputError, match=r"does not take stereo at any rate .* choose another"):
        card.start()
    card.close()


def test_a_card_that_fails_otherwise_is_not_tried_at_other_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(rate_hz: int) -> None:
        raise RefusedRateError(-9985)

    card, tried = _card_of(monkeypatch, 96_000.0, busy)
    with pytest.raises(OutputError, match="does not take stereo at 44100 Hz"):
        card.start()
    assert tried == [44_100]
    card.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SoundCard(None, RATE_HZ, ring_s=0.01),
        lambda: SoundCard(None, RATE_HZ, CardTiming(block_frames=-1)),
        lambda: SoundCard(None, RATE_HZ, CardTiming(block_frames=1 << 20)),
    ],
)
def test_settings_that_cannot_work_are_refused(make: Callable[[], SoundCard]) -> None:
    with pytest.raises(OutputError, match="give the sound card"):
        make()


def test_the_volume_is_at_most_full_and_a_number() -> None:
    card = SoundCard(None, RATE_HZ)
    card.volume_db = 6
    assert card.volume_db == 0
    card.volume_db = -12.5
    assert card.volume_db == -12.5
    with pytest.raises(OutputError, match="not a number"):
        card.volume_db = float("nan")


def test_it_can_be_closed_unopened() -> None:
    card = SoundCard(None, RATE_HZ)
    card.offer(np.zeros((256, 2), dtype=np.float32))
    card.close()
    assert card.status().dropped_frames == 256


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc lets a program replace its stderr")
def test_what_portaudio_prints_reaches_nobody(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    libc = ctypes.CDLL(None)

    def print_there(words: bytes) -> None:
        stream = ctypes.c_void_p.in_dll(libc, "stderr")
        libc.fputs(words, stream)
        libc.fflush(stream)

    print_there(b"the way is open\n")
    assert capfd.readouterr().err == "the way is open\n"
    card = SoundCard(None, 44_100)
    printed = threading.Event()

    def play() -> None:
        print_there(b"Expression 'err' failed in 'pa_linux_alsa.c'\n")
        printed.set()
        card._wait(PATIENCE_S)

    monkeypatch.setattr(card, "_open", lambda: print_there(b"ALSA lib pcm.c: Unknown PCM\n"))
    monkeypatch.setattr(card, "_play", play)
    card.start()
    assert printed.wait(PATIENCE_S)
    card.close()
    print_there(b"and open again\n")
    assert capfd.readouterr().err == "and open again\n"
