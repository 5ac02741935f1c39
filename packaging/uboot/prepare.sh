#!/bin/sh
# Builds U-Boot for QEMU's PC from Debian's source package, as a fastboot server that is not
# ours (usbproto/libusb/NOTES.md §6). It takes a minute or two, once: the result is kept outside the
# repository, in ${XDG_CACHE_HOME:-~/.cache}/xflash/uboot. Nothing of U-Boot is in xflash.
# Prints the path of the ROM. Exit 77 with a reason: not here.
# usage: packaging/uboot/prepare.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Debian 13; that of Debian 12 (2023.01) has no fastboot over TCP.
source=u-boot_2025.01.orig.tar.bz2
sum=cdef7d507c93f1bbd9f015ea9bc21fa074268481405501945abc6f854d5b686f
url=http://deb.debian.org/debian/pool/main/u/u-boot/$source
need="qemu-system-x86 make gcc libc6-dev bison flex bc bzip2 swig python3-dev python3-setuptools python3-pyelftools libssl-dev"

skip() { echo "$*" >&2; exit 77; }

command -v apt-get >/dev/null 2>&1 || skip "this is not a Debian-like system; the build needs the counterparts of $need"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "it is built for amd64, this is $(dpkg --print-architecture)"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/xflash/uboot
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of package names, meant to be split
"$here/../install.sh" uboot $need

made=$cache/$(cat "$here/prepare.sh" "$here/config" | sha256sum | cut -c 1-8).rom
if [ -f "$made" ]; then
    echo "$made"
    exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$log" "$work"' EXIT
echo "uboot: downloading $source (33 MB)" >&2
# apt's own downloader goes through the proxy that apt was told of.
/usr/lib/apt/apt-helper download-file "$url" "$work/$source" "SHA256:$sum" >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    skip "$url could not be downloaded"
}
mkdir "$work/tree"
tar -xjf "$work/$source" -C "$work/tree" --strip-components=1
cat "$here/config" >>"$work/tree/configs/qemu-x86_defconfig"
echo "uboot: building" >&2
{ make -C "$work/tree" qemu-x86_defconfig && make -C "$work/tree" -j"$(nproc)"; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "U-Boot could not be built" >&2
    exit 1
}
mv "$work/tree/u-boot.rom" "$made"
echo "$made"
