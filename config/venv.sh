#!/bin/sh
# Makes the virtual environment $1 with the newest Python from 3.11 on, or with version $2.
set -eu
[ -x "$1/bin/python" ] && exit 0
newest="python3.14 python3.13 python3.12 python3.11 python3 python"
if [ -n "${2:-}" ] && ! "python$2" -c '' 2> /dev/null; then  # a shim of a Python that is there, but not chosen
    PATH=$(pyenv prefix "$2")/bin:$PATH
fi
for name in ${2:+"python$2"} ${2:-$newest}; do
    # A name may be a shim (pyenv, asdf) of a Python that is not installed, which only complains: each is run once, unheard.
    python=$("$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11) or print(sys.executable))' 2> /dev/null) ||
        continue
    echo "== making the environment $1 with $("$python" --version) (about half a minute)"
    exec "$python" -m venv --upgrade-deps "$1"  # what Python brings along has known flaws after a while
done
echo "blastd needs Python 3.11 or later, with its modules venv and ensurepip." >&2
exit 1
