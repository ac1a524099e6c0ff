#!/bin/sh
# Installs what is named, and BLAST+ (and Python's venv module) through the system's package manager when they are missing; says so.
set -eu
packages=
command -v blastn > /dev/null 2>&1 && command -v makeblastdb > /dev/null 2>&1 || packages="ncbi-blast+"
for python in python3.14 python3.13 python3.12 python3.11 python3 python none; do
    "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && break
done
[ "$python" = none ] && packages="$packages python3-venv"
for extra in "$@"; do
    command -v "$extra" > /dev/null 2>&1 || dpkg -s "$extra" > /dev/null 2>&1 || packages="$packages $extra"
done
[ -z "$packages" ] && exit 0
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo > /dev/null 2>&1; then
        echo "Missing:$packages. Install as root, then repeat." >&2
        exit 1
    fi
    as_root=sudo
fi
echo "== installing with the system's package manager (a minute or two): $packages"
if command -v apt-get > /dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    # shellcheck disable=SC2086 # two words are two packages
    $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $packages > /dev/null 2>&1 || {
        $as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
        $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $packages > /dev/null
    }
elif command -v dnf > /dev/null 2>&1; then
    $as_root dnf install -y ncbi-blast+ python3
elif command -v brew > /dev/null 2>&1; then
    brew install blast
else
    echo "No package manager that we know: install NCBI BLAST+ 2.10 or later, and put it on PATH." >&2
    exit 1
fi
blastn -version | head -n 1
