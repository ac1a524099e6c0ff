#!/bin/bash
# Puts the BLAST+ of another Debian release into a folder, beside the system's, which stays as it is. For tests; needs Debian or Ubuntu.
#   config/other-blast.sh FOLDER [SUITE]     SUITE: trixie (Debian 13, 2.16.0; the default), sid, …; then put FOLDER/bin in front of PATH
# The packages come with all that they need, libc included, from the mirror that this machine uses anyway; programs are told
# by patchelf where their loader and libraries lie.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd) suite=${2:-trixie}
if [ -x "$folder/bin/blastn" ]; then
    "$folder/bin/blastn" -version | head -n 1
    exit 0
fi
sh "$(dirname "$0")/system.sh" patchelf
rm -rf "$folder/apt" "$folder/root" "$folder/part"
root=$folder/root apt=$folder/apt architecture=$(dpkg --print-architecture)
mkdir -p "$root" "$folder/part" "$apt"/etc/apt/{apt.conf.d,preferences.d,sources.list.d} "$apt"/var/lib/{dpkg,apt/lists/partial} \
    "$apt/var/cache/apt/archives/partial"
: > "$apt/var/lib/dpkg/status" # nothing is installed there, so the whole closure comes
mirror=$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" > "$apt/etc/apt/sources.list"
options=(-qq -y -o "Dir=$apt" -o "Dir::State::status=$apt/var/lib/dpkg/status" -o APT::Sandbox::User=root)
echo "== fetching the BLAST+ of $suite into $folder (1 to 3 minutes, 400 MB)"
apt-get "${options[@]}" update
apt-get "${options[@]}" --no-install-recommends --download-only install ncbi-blast+ > "$folder/log" 2>&1 || {
    tail -n 5 "$folder/log" >&2
    exit 1
}
for package in "$apt"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
own=$root/usr/lib/ncbi-blast+
loader=$(find "$root/usr/lib" "$root/usr/lib64" -name 'ld-linux*.so.*' 2> /dev/null | head -n 1)
path=$own:$(dirname "$(readlink -f "$loader")")
find "$own" -name '*.so*' -type f -exec patchelf --force-rpath --set-rpath "$path" {} +
dpkg-deb -c "$apt/var/cache/apt/archives"/ncbi-blast+_*"_$architecture.deb" | sed -n 's#.* \./usr/bin/\([^ /][^ /]*\).*#\1#p' |
    while read -r name; do
        cp -L "$root/usr/bin/$name" "$folder/part/$name"
        if patchelf --print-interpreter "$folder/part/$name" > /dev/null 2>&1; then
            patchelf --set-interpreter "$(readlink -f "$loader")" --force-rpath --set-rpath "$path" "$folder/part/$name"
        fi
    done
mv "$folder/part" "$folder/bin"
rm -rf "$apt" "$folder/log"
"$folder/bin/blastn" -version | head -n 1
