#!/usr/bin/env bash
# Guess: a folder that is watched is watched for as long as the watching goes on: unmounted and mounted, or removed
# and made again under the same name, its files are told of as before.
# What really happens (watchfiles 1.3.0): on Linux the removal is told, and nothing afterwards, without an error: the
# watch was of what is gone. Whoever watches has to look whether the folder is still the same one, and to begin anew.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check watchfiles==1.3.0

cat > "$place/try.py" <<'PYTHON'
import sys
import threading
from pathlib import Path

import watchfiles

folder, told, stop = Path(sys.argv[1]) / "music", [], threading.Event()
folder.mkdir()


def watch():
    for changes in watchfiles.watch(folder, stop_event=stop, debounce=50, step=10):
        told.extend(sorted(f"{change.name} {Path(path).name}" for change, path in changes))


def wait(seconds):
    threading.Event().wait(seconds)


threading.Thread(target=watch, daemon=True).start()
wait(1.0)
(folder / "before.txt").write_text("a")
wait(1.0)
(folder / "before.txt").unlink()
folder.rmdir()
wait(1.0)
folder.mkdir()
(folder / "after.txt").write_text("b")
wait(3.0)
print("watchfiles", watchfiles.__version__)
print("told:", ", ".join(told))
assert "added before.txt" in told, "what is there before the removal is told"
assert not any("after.txt" in one for one in told), "what is there afterwards is not"
stop.set()
PYTHON
"$place/venv/bin/python" "$place/try.py" "$place"
