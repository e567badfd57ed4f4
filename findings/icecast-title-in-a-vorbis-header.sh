#!/usr/bin/env bash
# Guess: a title may be told to Icecast's admin interface as soon as the server has taken the source: at worst it is
# refused, or comes a little late.
# What really happens (icecast2 2.4.4): told while the server is in the midst of the three header packets of
# a Vorbis stream, it is "successful"; from then on the mount answers every listener with status 200 and not one byte,
# until the source connects anew. The server reads 4,096 bytes at a time, less than a usual header has, so on a busy
# machine it happens without any trick; here the second half of the header comes late. After the header, or with MP3,
# all is well. Titles in the comments of chained streams have no such place.
# Needs icecast2 on the path (Debian: apt install icecast2); the rest is made here.
set -euo pipefail

icecast=$(PATH="$PATH:/usr/bin:/usr/local/bin:/usr/sbin" command -v icecast2) || { echo "no icecast2" >&2; exit 1; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 777 "$place"
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6

"$place/venv/bin/python" - "$icecast" "$place" <<'PYTHON'
import base64
import io
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import soundfile

program, place = sys.argv[1:]
sound, file = np.random.default_rng(0).normal(0, 0.1, (44_100 * 20, 2)), io.BytesIO()
with soundfile.SoundFile(file, "w", 44_100, 2, format="OGG", subtype="VORBIS") as ogg:
    for start in range(0, len(sound), 4_096):
        ogg.write(sound[start : start + 4_096])
data = file.getvalue()
FIRST_PAGE = data.index(b"OggS", 4)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
with open(f"{place}/icecast.xml", "w") as config:
    config.write(
        "<icecast><limits><clients>20</clients><sources>8</sources><burst-size>0</burst-size></limits>"
        "<authentication><source-password>p</source-password><admin-password>p</admin-password></authentication>"
        f"<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>"
        f"<paths><logdir>{place}</logdir><webroot>/usr/share/icecast2/web</webroot>"
        "<adminroot>/usr/share/icecast2/admin</adminroot></paths>"
        "<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog></logging>"
        f"<security><chroot>0</chroot>{owner}</security></icecast>"
    )
print(subprocess.run([program, "-v"], capture_output=True, text=True).stdout.strip())
server = subprocess.Popen([program, "-c", f"{place}/icecast.xml"], stderr=subprocess.DEVNULL)
secret = {"Authorization": "Basic " + base64.b64encode(b"source:p").decode()}


def connected():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)


def heard(mount, before_title):
    source = connected()
    source.sendall(
        f"PUT {mount} HTTP/1.1\r\nHost: x\r\nAuthorization: {secret['Authorization']}\r\n"
        "Content-Type: audio/ogg\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    assert b" 100 " in source.recv(4_096)
    source.sendall(data[:before_title])
    time.sleep(0.5)
    address = f"http://127.0.0.1:{port}/admin/metadata?mount={mount}&mode=updinfo&song=Title"
    with urllib.request.urlopen(urllib.request.Request(address, headers=secret)) as answer:
        told = answer.read()
    source.sendall(data[before_title : len(data) // 2])
    listener = urllib.request.urlopen(f"http://127.0.0.1:{port}{mount}")
    got = bytearray()

    def listen():
        while more := listener.read1(4_096):
            got.extend(more)

    threading.Thread(target=listen, daemon=True).start()
    for part in range(10):
        source.sendall(data[len(data) // 2 :][part * len(data) // 20 : (part + 1) * len(data) // 20])
        time.sleep(0.2)
    print(f"title after {before_title} bytes:", told[-60:])
    print("a listener got", len(got), "bytes, status", listener.status)
    return len(got)


try:
    early, late = heard("/early.ogg", FIRST_PAGE), heard("/late.ogg", len(data) // 4)
finally:
    server.kill()
assert early == 0 < late, (early, late)
PYTHON
