#!/usr/bin/env bash
# Guess: a program that has handled a KeyboardInterrupt ends with the code that it gives to `sys.exit`.
# What really happens (Python 3.8 to 3.13): where the interrupt came out of an `exec` of text, as namedtuples and
#   dataclasses make their methods, Python notes it as unhandled, whoever handles it. A program that `python -m` runs is
#   then ended by SIGINT once it is over, whatever its code and however much later: for a shell 130, for
#   `subprocess` -2. Run as a file, the same program keeps its code. Another `exec` of text, of "" too, has Python
#   forget it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cat >"$place/handles.py" <<'END'
import sys

try:
    exec("raise KeyboardInterrupt")
except KeyboardInterrupt:
    pass
if "forget" in sys.argv:
    exec("")
print("handled", flush=True)
sys.exit(7)
END

# Not by the shell, which would take the signal for its own end.
cat >"$place/ask.py" <<'END'
import subprocess
import sys

for words in (["handles.py"], ["-m", "handles"], ["-m", "handles", "forget"]):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    print("python", *words, done.stdout.strip(), done.returncode)
END

"${PYTHON:-python3}" --version
found=$(cd "$place" && "${PYTHON:-python3}" ask.py)
echo "$found"
expected="python handles.py handled 7
python -m handles handled -2
python -m handles forget handled 7"
[ "$found" = "$expected" ] || { printf 'this has changed; it was:\n%s\n' "$expected" >&2; exit 1; }
