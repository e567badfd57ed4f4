#!/usr/bin/env bash
# Runs the tests that wait, have threads, or look at a clock, again and again beside two busy loops.
set -euo pipefail
python=${1:?usage: tests/flaky.sh PYTHON [REPEATS] [more options for pytest]}
repeats=${2:-20}
failed=$(mktemp) loops=()
trap 'kill "${loops[@]}"; rm -f "$failed"' EXIT
for _ in 1 2; do
    "$python" -c 'while True: pass' &
    loops+=($!)
done
for ((run = 1; run <= repeats; run++)); do
    echo "run $run of $repeats"
    "$python" -m pytest -m timing -q "${@:3}" 2>&1 | tee >(grep -E '^(FAILED|ERROR) ' >>"$failed" || true) | tail -n 1 || true
done
echo "failures in $repeats runs:"
sort "$failed" | cut -d ' ' -f 2 | uniq -c
[ ! -s "$failed" ]
