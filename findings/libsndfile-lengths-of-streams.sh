#!/usr/bin/env bash
# Guess: `SoundFile.frames` is how many frames a file has, or the library says that it does not know; reading all of them
#   reads the file.
# What really happens (soundfile 0.14.0, libsndfile 1.2.2): a FLAC that states no length has 9223372036854775807 frames, and
#   `read()` ends in NumPy's ValueError "array is too big"; read in blocks until none comes, it gives all that it holds. Of a
#   chained Opus the frames are those of its first link, and of a FLAC that states less than it holds they are what it
#   states: the rest is not read, and nothing says so.
set -euo pipefail
SOUNDFILE=0.14.0 NUMPY=2.2.6
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check "soundfile==$SOUNDFILE" "numpy==$NUMPY"
found=$(cd "$place" && "$python" - <<'END'
import pathlib, struct
import numpy as np, soundfile

print(f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}")
tone = 0.3 * np.sin(np.arange(96_000) / 20)[:, None] * [1, 1]


def made(name, **options):
    soundfile.write(name, tone, 48_000, **options)
    return bytearray(pathlib.Path(name).read_bytes())


def tell(what, data):
    path = pathlib.Path("a" + what.split()[-1])
    path.write_bytes(data)
    with soundfile.SoundFile(path) as file:
        frames = file.frames
        try:
            told = len(file.read())
        except Exception as error:
            told = f"{type(error).__name__}: {str(error)[:16]}"
    with soundfile.SoundFile(path) as file:
        file.seekable = lambda: False
        blocks = 0
        while len(block := file.read(10_000)):
            blocks += len(block)
    print(f"{what}: states {frames}, read() gives {told}, blocks give {blocks}")


flac = made("whole.flac")
for what, stated in (("no length in .flac", 0), ("half the length in .flac", 48_000)):
    lying = bytearray(flac)
    lying[21] &= 0xF0
    lying[22:26] = struct.pack(">I", stated)
    tell(what, lying)
tell("two links in .opus", 2 * made("whole.opus", format="OGG", subtype="OPUS"))
END
)
echo "$found"
expected="soundfile $SOUNDFILE, libsndfile 1.2.2
no length in .flac: states 9223372036854775807, read() gives ValueError: array is too big, blocks give 96000
half the length in .flac: states 48000, read() gives 48000, blocks give 48000
two links in .opus: states 96000, read() gives 96000, blocks give 96000"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
