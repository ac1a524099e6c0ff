#!/bin/sh
# Makes the virtual environment $1 with the newest Python from 3.11 on.
set -eu
[ -x "$1/bin/python" ] && exit 0
for python in python3.13 python3.12 python3.11 python3; do
    if command -v "$python" > /dev/null 2>&1 && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "== making the environment $1 with $("$python" --version)"
        exec "$python" -m venv --upgrade-deps "$1"  # what Python brings along has known flaws after a while
    fi
done
echo "blastd needs Python 3.11 or later." >&2
exit 1
