#!/usr/bin/env bash
# Sets up what endlos needs from nothing: a virtual environment with pinned packages, and system packages.
set -euo pipefail

usage="usage: tools/setup.sh venv VENV | python VENV LOCKFILE | system play|test"

# The newest Python that was tested comes first; a name that is only a shim does not run and is passed over.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "endlos needs Python 3.11 or newer, found $(python3 --version 2>&1 || echo none);" \
        "install one (Debian: apt-get install python3 python3-venv) and run this again" >&2
    return 1
}

# Runs a command as root, directly or by a sudo that asks for no password; 1 when neither is possible.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    else
        return 1
    fi
}

# Installs Debian packages that are missing; where that is not possible, says what to type and goes on.
debian_packages() {
    local package missing=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if as_root apt-get update -q >/dev/null &&
        as_root apt-get install -qy --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
        return
    fi
    echo "could not install them; type:  sudo apt-get install ${missing[*]}" >&2
}

virtual_environment() {
    local venv=$1 python
    if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$(find_python)
        if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && command -v apt-get >/dev/null; then
            debian_packages "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
        fi
        "$python" -m venv --clear "$venv"
    fi
}

python_packages() {
    local venv=$1 lock=$2
    virtual_environment "$venv"
    echo "installing the packages of $lock into $venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
}

system_packages() {
    local packages=(libportaudio2)
    if [ "$1" = test ]; then
        packages+=(libasound2-plugins pulseaudio pulseaudio-utils icecast2 ffmpeg chromium strace cuetools dbus-daemon systemd
            curl mpv vlc-bin vlc-plugin-base openssl faketime iproute2)
    fi
    if command -v apt-get >/dev/null; then
        debian_packages "${packages[@]}"
    elif [ "$(uname -s)" = Linux ]; then
        echo "install by your system's package manager, if missing: PortAudio (Debian: ${packages[*]})" >&2
    fi
}

case "$#:${1:-}" in
    2:venv) virtual_environment "$2" ;;
    3:python) python_packages "$2" "$3" ;;
    2:system) system_packages "$2" ;;
    *) echo "$usage" >&2 && exit 2 ;;
esac
