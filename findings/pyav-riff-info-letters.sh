#!/usr/bin/env bash
# Guess: FFmpeg hands tags out as UTF-8, so `av.open` of a WAV file with an umlaut in its title is no more than
#   opening a file, and `metadata_errors="replace"` at most costs a letter where a file is damaged.
# What really happens (PyAV 18.1.0): FFmpeg passes the bytes of RIFF INFO on as they are, and Windows' taggers write them
#   in the code page of the country, as RIFF asks for. `av.open` then raises UnicodeDecodeError: the audio of a
#   sound file cannot be reached. "replace" loses every letter that is not ASCII, of a Russian title all;
#   "surrogateescape" keeps the bytes, from which the letters can be guessed.
set -euo pipefail
AV=18.1.0
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "av==$AV"

found=$(
    cd "$place"
    echo "av $AV"
    "$python" - <<'END'
import struct
import wave

import av

with wave.open("title.wav", "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(bytes(4000))
data = open("title.wav", "rb").read()
title = "Grüße".encode("cp1252") + b"\0"
info = b"LIST" + struct.pack("<I", 12 + len(title)) + b"INFOINAM" + struct.pack("<I", len(title)) + title
data += info
open("title.wav", "wb").write(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
for options in ({}, {"metadata_errors": "replace"}, {"metadata_errors": "surrogateescape"}):
    try:
        with av.open("title.wav", **options) as container:
            print(options, ascii(container.metadata["title"]))
    except UnicodeDecodeError as error:
        print(options, type(error).__name__)
END
)
echo "$found"
expected="av $AV
{} UnicodeDecodeError
{'metadata_errors': 'replace'} 'Gr\\ufffd\\ufffde'
{'metadata_errors': 'surrogateescape'} 'Gr\\udcfc\\udcdfe'"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
