#!/usr/bin/env bash
# Guess: `SoundFile.read()` without a number reads a file to its end; where it cannot be read, soundfile raises an error of
#   its own.
# What really happens (soundfile 0.14.0, libsndfile 1.2.2): libsndfile cannot seek in GSM 6.10, and `read()` then raises
#   a plain ValueError, "frames must be specified for non-seekable files". With a number it reads the whole file.
set -euo pipefail
SOUNDFILE=0.14.0 NUMPY=2.2.6
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check "soundfile==$SOUNDFILE" "numpy==$NUMPY"
found=$(cd "$place" && "$python" - <<'END'
import numpy as np, soundfile

print(f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}")
soundfile.write("a.wav", 0.3 * np.sin(np.arange(16_000) / 9), 8_000, subtype="GSM610")
with soundfile.SoundFile("a.wav") as file:
    print("frames", file.frames, "seekable", file.seekable())
    try:
        print("read() gives", len(file.read()))
    except Exception as error:
        print("read() raises", type(error).__name__, error)
    print("read(1000000) gives", len(file.read(1_000_000)))
END
)
echo "$found"
expected="soundfile $SOUNDFILE, libsndfile 1.2.2
frames 16000 seekable False
read() raises ValueError frames must be specified for non-seekable files
read(1000000) gives 16000"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
