#!/bin/bash
# Unpacks a fresh system into a folder: what debootstrap makes, with certificates and a user
# "me" who may use sudo. Each suite is fetched once and kept in ${XDG_CACHE_HOME:-~/.cache}/xflash.
# usage: packaging/test/root.sh bookworm|trixie|noble FOLDER
set -eu
suite=$1 root=$2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xflash/roots
kept=$cache/$suite.tar
options=(--variant=minbase --include=sudo,ca-certificates)
case $suite in
bookworm | trixie) from=(http://deb.debian.org/debian) ;;
# Debian has no keys of Ubuntu, and one recipe of debootstrap serves all of Ubuntu.
noble)
    options+=(--no-check-gpg --components=main,universe)
    from=(http://archive.ubuntu.com/ubuntu gutsy)
    ;;
*) echo "root: unknown suite $suite: use bookworm, trixie or noble" >&2; exit 2 ;;
esac

if [ ! -f "$kept" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    debootstrap "${options[@]}" "$suite" "$work/root" "${from[@]}" >"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; exit 1; }
    chroot "$work/root" apt-get clean
    tar -C "$work/root" -cf "$work/tar" .
    mv "$work/tar" "$kept"
fi
mkdir -p "$root"
tar -C "$root" -xf "$kept"

cp /etc/resolv.conf "$root/etc/resolv.conf"
# A network that signs for others has its own certificates; the fresh system needs them too.
if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null 2>&1
fi
echo 'APT::Get::Assume-Yes "true";' >"$root/etc/apt/apt.conf.d/90yes" # a person presses Enter
chroot "$root" useradd -m -s /bin/bash me
echo 'me ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/me"
chroot "$root" apt-get update -qq
