#!/usr/bin/env bash
# Guess: `SoundFile.frames` is how many frames a file has, or the library says that it does not know; reading all of them
#   reads the file.
# What really happens (soundfile 0.14.0 with libsndfile 1.2.2): a FLAC that states no length, and a chained Ogg Vorbis, have
#   9223372036854775807 frames, and `read()` ends in NumPy's ValueError "array is too big". Of a chained Opus the frames are
#   those of its first link, and of a FLAC that states less than it holds they are what it states; the rest is not read, and
#   nothing says so. Read in blocks until none comes, the FLAC without a length gives all that it holds.
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

print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
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
vorbis = made("one.ogg")
tell("two links in .ogg", vorbis + made("two.ogg"))
END
)
echo "$found"
