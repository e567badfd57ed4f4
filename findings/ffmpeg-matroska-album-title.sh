#!/usr/bin/env bash
# Guess: what FFmpeg calls the title of a Matroska file is the title of its song.
# What really happens (PyAV 18.1.0): Matroska says of each tag whose it is, by a number (50: the album, 30:
#   the track) and, if the writer likes, a word beside it. FFmpeg goes by the word alone: with it there are two
#   keys, ALBUM/TITLE and TRACK/TITLE, and none is `title`; without it both are TITLE, and the last in the file
#   wins, which may be the album's.
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

import av


def element(identifier, body):
    return bytes.fromhex(identifier) + struct.pack(">Q", len(body) | 1 << 56) + body


def tag(number, word, title):
    targets = element("68ca", bytes([number])) + (element("63ca", word) if word else b"")
    return element("7373", element("63c0", targets) + element("67c8", element("45a3", b"TITLE") + element("4487", title)))


head = element("1a45dfa3", element("4282", b"matroska"))
info = element("1549a966", element("2ad7b1", struct.pack(">I", 1_000_000)))
track = element("d7", b"\1") + element("73c5", b"\1") + element("83", b"\2") + element("86", b"A_PCM/INT/LIT")
track += element("e1", element("b5", struct.pack(">f", 8000.0)) + element("9f", b"\1") + element("6264", b"\x10"))
cluster = element("1f43b675", element("e7", b"\0") + element("a3", b"\x81\0\0\x80" + bytes(1600)))
for name, words in (("number and word", (b"TRACK", b"ALBUM")), ("number alone", (b"", b""))):
    tags = tag(30, words[0], b"the song") + tag(50, words[1], b"the album")
    body = info + element("1654ae6b", element("ae", track)) + element("1254c367", tags) + cluster
    open("tags.mka", "wb").write(head + element("18538067", body))
    with av.open("tags.mka") as container:
        print(f"{name}: {container.metadata}")
END
)
echo "$found"
expected="av $AV
number and word: {'TRACK/TITLE': 'the song', 'ALBUM/TITLE': 'the album'}
number alone: {'TITLE': 'the album'}"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
