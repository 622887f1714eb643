#!/bin/sh
# Usage: scripts/setup.sh LOCK
# Makes .venv and installs what LOCK pins, only when LOCK changed since. Needs nothing but Python 3.11 or later;
# PYTHON names one when the usual names do not lead to it.
set -u
cd "$(dirname "$0")/.." || exit 1

lock=$1
venv=.venv
stamp=$venv/.installed # What .venv holds: a line `checksum size [folder]` for each lock.
here=$(pwd)
log=$venv/setup.log

stop() {
    printf 'threadline: %s\n' "$1" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3.11 python3 python python3.12 python3.13 python3.14}; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && return 0
    done
    if [ -n "${PYTHON:-}" ]; then
        stop "PYTHON=$PYTHON is not a Python 3.11 or later that starts; name another one."
    fi
    stop "Python 3.11 or later is needed and was not found; install it, or name it: make run PYTHON=/path/to/python3.11"
}

make_venv() {
    find_python
    "$candidate" -c 'import venv, ensurepip' 2>/dev/null ||
        stop "$candidate has no venv module; install it (Debian and Ubuntu: apt-get install python3-venv) or name another Python: make run PYTHON=/path/to/python3.11"
    rm -rf "$venv" 2>/dev/null
    mkdir "$venv" 2>/dev/null || stop "$here cannot be written to, so .venv cannot be made there; use a folder of your own."
    "$candidate" -m venv "$venv" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        stop "$candidate could not make .venv; the lines above say why."
    }
}

sum="$(cksum <"$lock") [$here]" || stop "$lock is missing; is this a whole checkout?"
if grep -qxF "$sum" "$stamp" 2>/dev/null && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

# A .venv of another Python, or one that was moved with its folder, is made anew.
if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    { [ -e "$stamp" ] && ! grep -qF "[$here]" "$stamp"; }; then
    make_venv
fi
[ -w "$venv" ] || stop "$here/$venv cannot be written to; its owner can run make setup."

printf 'Installing %s packages into .venv (once; about half a minute) ...\n' "$(grep -c '==' "$lock")"
rm -f "$stamp"
"$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --requirement "$lock" >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    stop "the packages could not be installed; the lines above say why. Is there a network connection? Then run the same command again."
}
# The development lock holds all of requirements.lock, at the same versions.
[ "$lock" = requirements.lock ] || printf '%s %s\n' "$(cksum <requirements.lock)" "[$here]" >>"$stamp"
printf '%s\n' "$sum" >>"$stamp"
