"""This helper plays known noise through the sound card in its own process, which obeys lines of text.

The argument is the device's latency in seconds; after it, `beside` lets an HTTP output hear the same, and
`only RATE` makes the device refuse any other rate, as cards under JACK and in exclusive modes do.
Commands on standard input: `pause`, `resume`, `skip`, `hold MS` (Python's lock, from another thread), `volume
DB`, `status`, `quit`. Each is answered by one line of JSON.
"""

import ctypes
import json
import sys
import threading
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import sounddevice

from model.base.arrays import FloatArray
from stream.outputs.card import SoundCard
from stream.outputs.card_timing import CardTiming
from stream.outputs.listeners.broadcast import Broadcast
from stream.outputs.pacer import Pacer

RATE_HZ = 44_100
SONG_S = 20


@cache
def song(number: int) -> FloatArray:
    """Noise that is found in a recording at one place only, `(frames, 2)` float32; heard in a loop."""
    noise = np.random.default_rng(number).uniform(-0.5, 0.5, size=(SONG_S * RATE_HZ, 2))
    return noise.astype(np.float32)


class Songs:
    """In the place of the engine: one song in a loop, the next one after a skip."""

    def __init__(self) -> None:
        self.number = 0
        self._position = 0
        for number in range(4):
            song(number)

    def render(self, frames: int) -> FloatArray:
        heard = song(self.number)
        at = np.arange(self._position, self._position + frames) % len(heard)
        self._position += frames
        return heard[at]

    def skip(self) -> None:
        self.number += 1
        self._position = 0


def hold_lock(ms: int) -> None:
    """Hold Python's global lock from another thread, as a long C call of somebody else's would."""
    thread = threading.Thread(target=lambda: ctypes.PyDLL(None).usleep(1000 * ms))
    thread.start()
    thread.join()


def refuse_but(rate_hz: int) -> None:
    """Have PortAudio's streams refuse every other rate."""
    real = sounddevice._StreamBase

    def open_only(*, samplerate: int, **settings: Any) -> Any:
        if samplerate != rate_hz:
            raise sounddevice.PortAudioError("Error opening OutputStream: Invalid sample rate", -9997)
        return real(samplerate=samplerate, **settings)

    sounddevice._StreamBase = open_only


def main() -> None:
    if "only" in sys.argv:
        refuse_but(int(sys.argv[sys.argv.index("only") + 1]))
    songs = Songs()
    card = SoundCard(None, RATE_HZ, CardTiming(latency_s=float(sys.argv[1])))
    beside = [Broadcast(RATE_HZ, card_paced=True)] if "beside" in sys.argv else []
    pacer = Pacer(songs.render, beside, RATE_HZ, leader=card)
    pacer.start()
    for line in sys.stdin:
        command, *words = line.split()
        if command in ("pause", "resume"):
            pacer.pause(command == "pause")
        elif command == "skip":
            pacer.skip(songs.skip)
        elif command == "hold":
            hold_lock(int(words[0]))
        elif command == "volume":
            card.volume_db = float(words[0])
        elif command == "quit":
            pacer.stop()
        answer = {
            "card": asdict(card.status()),
            "pacer": asdict(pacer.status()),
            "beside": [asdict(output.status()) for output in beside],
        }
        print(json.dumps(answer), flush=True)
        if command == "quit":
            return


if __name__ == "__main__":
    main()
