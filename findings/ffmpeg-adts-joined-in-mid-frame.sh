#!/usr/bin/env bash
# Guess: who comes into a stream of AAC (ADTS) in the middle of a frame, as every listener of a server may that
#   knows nothing of frames, loses that frame and hears the next.
# What really happens (PyAV 18.1.0, FFmpeg 8.1.2): 12 bits and a zero layer are a head to FFmpeg, wherever
#   they stand. Sound looks like that now and then; the length that it then reads, up to 8,191 bytes, it takes for
#   one frame, and half a second of whole frames at 128 kbit/s is gone. It does not look whether a head follows
#   where that frame would end; whoever cuts to the first place from where three heads follow each other hears
#   everything.
set -euo pipefail
AV=18.1.0 NUMPY=2.4.6
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "av==$AV" "numpy==$NUMPY"

found=$(
    cd "$place"
    echo "av $AV"
    "$python" - <<'END'
import io

import av
import numpy as np

RATE_HZ, FRAME = 44_100, 1024


def encoded(seconds):
    """AAC of a gliding tone in noise, which is no special sound."""
    time_s = np.arange(seconds * RATE_HZ // FRAME * FRAME) / RATE_HZ
    noise = 0.05 * np.random.default_rng(1).standard_normal((2, len(time_s)))
    sound = (0.3 * np.sin(2 * np.pi * (220 + 20 * np.sin(time_s)) * time_s) + noise).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=RATE_HZ, layout="stereo", bit_rate=128_000)
        for at in range(0, len(time_s), FRAME):
            part = np.ascontiguousarray(sound[:, at : at + FRAME])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE_HZ, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def head(data, at):
    return data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0


def claimed_bytes(data, at):
    return (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5


def decoded_s(data):
    frames = 0
    with av.open(io.BytesIO(data)) as container:
        for packet in container.demux(audio=0):
            try:
                frames += sum(frame.samples for frame in packet.decode())
            except av.FFmpegError:
                pass
    return frames / RATE_HZ


data = encoded(12)
begins = [0]
while begins[-1] < len(data):
    begins.append(begins[-1] + claimed_bytes(data, begins[-1]))
lost_s, spared_s = [], []
for number, (begin, end) in enumerate(zip(begins, begins[1:])):
    left_s = (len(begins) - 2 - number) * FRAME / RATE_HZ
    for at in range(begin + 1, end - 7):
        if head(data, at) and 4000 < claimed_bytes(data, at) < len(data) - at:
            lost_s.append(left_s - decoded_s(data[at - 5 :]))
            spared_s.append(left_s - decoded_s(data[end:]))
print("listeners whose torn frame looks so:", "some" if lost_s else "none")
print("most that one loses behind it:", f"{max(lost_s):.1f} s")
print("cut to the next whole frame:", f"{max(spared_s):.1f} s")
END
)
echo "$found"
expected="av $AV
listeners whose torn frame looks so: some
most that one loses behind it: 0.5 s
cut to the next whole frame: 0.0 s"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
