#!/usr/bin/env bash
# Guess: every packet that an audio encoder returns, while it is flushed too, is a frame of the sound; whoever writes a
# container of his own stores each as a sample, for as long as it says.
# What really happens (PyAV 18.1.0): flushing FLAC returns one packet more than there were frames, of no bytes and no
# duration: FFmpeg hands its final header (STREAMINFO) on as side data of it. Opus and AAC have none. Stored as a
# sample of an MP4 it is an empty frame; what is empty has to be left out.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6

"$place/venv/bin/python" - <<'PYTHON'
import av
import numpy as np


def packets(name, form, frames=3):
    encoder = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", form
    encoder.open()
    length, found = encoder.frame_size, []
    for number in range(frames):
        noise = np.random.default_rng(number).normal(0, 0.1, (2, length)).astype(np.float32)
        if form == "s16":
            noise = (noise.T.reshape(1, -1) * 32_767).astype(np.int16)
        elif form == "flt":
            noise = np.ascontiguousarray(noise.T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(noise, format=form, layout="stereo")
        frame.sample_rate, frame.pts = 48_000, number * length
        found += encoder.encode(frame)
    return found + encoder.encode(None)


print("PyAV", av.__version__)
empty = {}
for name, form in (("flac", "s16"), ("libopus", "flt"), ("aac", "fltp")):
    sizes = [(packet.size, packet.duration) for packet in packets(name, form)]
    print(name, "three frames give (bytes, duration):", sizes)
    empty[name] = sum(size == 0 for size, _ in sizes)
assert empty == {"flac": 1, "libopus": 0, "aac": 0}, empty
PYTHON
