#!/usr/bin/env bash
# Guess: a library that runs a model on this machine writes nothing into its user's home, or stops when its own
# `disable_telemetry_events()` is called first.
# What really happens (onnxruntime 1.32.0): on Linux the import alone writes the identity of a device and a database of
# events into the user's cache, before the function can be called. ORT_DISABLE_TELEMETRY=1 in the environment
# before the import leaves nothing behind.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --disable-pip-version-check onnxruntime==1.32.0

written() { # NAME CODE [VARIABLE=VALUE]: what an import leaves in an empty home
    mkdir "$place/$1"
    env -u XDG_CACHE_HOME -u ORT_DISABLE_TELEMETRY "${@:3}" HOME="$place/$1" "$place/venv/bin/python" -c "$2"
    (cd "$place/$1" && find . -type f | sort)
}

"$place/venv/bin/python" -c 'import os; os.environ["ORT_DISABLE_TELEMETRY"] = "1"; import onnxruntime
print("onnxruntime", onnxruntime.__version__)'
plain=$(written plain 'import onnxruntime')
function=$(written function 'import onnxruntime; onnxruntime.disable_telemetry_events()')
variable=$(written variable 'import onnxruntime' ORT_DISABLE_TELEMETRY=1)
printf 'import alone:\n%s\nwith its function:\n%s\nwith the variable:\n%s\n' "$plain" "$function" "$variable"
[[ $plain == *deviceid* && $plain == *onnxruntime.db* ]]
[[ $function == *deviceid* ]]
[[ -z $variable ]]
