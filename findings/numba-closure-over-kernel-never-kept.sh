#!/usr/bin/env bash
# Guess: a kernel with `cache=True` is compiled once for a machine, also where a factory makes it round another kernel:
#   the index of what is kept knows the values that a closure holds.
# What really happens (numba 0.68.1): it knows them by their pickled bytes, and a compiled function's hold an identity that
#   each process draws anew. Such a kernel is never found again: every process compiles it, without a warning, and leaves
#   one more file beside those of all processes before. One that closes over a number is found.
set -euo pipefail
NUMBA=0.68.1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check "numba==$NUMBA"

cat >"$place/factory.py" <<'END'
import sys

from numba import njit


@njit(cache=True)
def double(value):
    return 2 * value


def round_kernel(inner):
    @njit(cache=True)
    def outer_of_kernel(value):
        return inner(value)

    return outer_of_kernel


def round_number(factor):
    @njit(cache=True)
    def outer_of_number(value):
        return factor * value

    return outer_of_number


made = round_kernel(double) if sys.argv[1] == "kernel" else round_number(2)
assert made(21) == 42
print("found" if made.stats.cache_hits else "compiled")
END

# What three processes in a row say, and how many compiled files of it they leave.
three() {
    local said=() kept=$place/kept-$1
    for _ in 1 2 3; do said+=("$(NUMBA_CACHE_DIR=$kept "$python" "$place/factory.py" "$1")"); done
    echo "closure over a $1: ${said[*]}; $(find "$kept" -name "*outer_of_$1*.nbc" | wc -l) files"
}

"$python" -c 'import numba; print("numba", numba.__version__)'
found=$(three kernel; three number)
echo "$found"
expected="closure over a kernel: compiled compiled compiled; 3 files
closure over a number: compiled found found; 1 files"
[ "$found" = "$expected" ] || { echo "this has changed; it was:"; echo "$expected"; exit 1; }
