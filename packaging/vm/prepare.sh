#!/bin/sh
# Gets what the virtual machine for the USB tests is made of: QEMU, and Debian's stock
# kernel, which is downloaded and unpacked but not installed. Kernel and modules are kept
# outside the repository, in ${XDG_CACHE_HOME:-~/.cache}/xflash/vm, for later runs.
# Prints the folder with "kernel" and "base.cpio". Exit 77 with a reason: not here.
# usage: packaging/vm/prepare.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
need="qemu-system-x86 seabios busybox-static cpio kmod"
modules="vhci-hcd"

skip() { echo "$*" >&2; exit 77; }

command -v apt-get >/dev/null 2>&1 || skip "this is not a Debian-like system; the rig needs the counterparts of $need and a kernel with vhci-hcd"
[ "$(dpkg --print-architecture)" = amd64 ] || skip "the rig is for amd64, this is $(dpkg --print-architecture)"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of package names, meant to be split
"$here/../install.sh" vm $need

# The generic kernel, not the one for clouds: that one has no USB. linux-image-amd64 only
# names the package of the day.
image=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || skip "no package linux-image-amd64 is known here; run apt-get update"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/xflash/vm
# What a kernel is made into depends on this file, so its sum is part of the name.
made=$cache/$image-$(sha256sum "$here/prepare.sh" | cut -c 1-8)
if [ -f "$made/base.cpio" ]; then
    echo "$made"
    exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$log" "$work"' EXIT
if ! ls "$cache/$image"_*.deb >/dev/null 2>&1; then
    echo "vm: downloading $image (70 MB)" >&2
    (mkdir "$work/deb" && cd "$work/deb" && apt-get download -q "$image") >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        skip "$image could not be downloaded"
    }
    mv "$work/deb/$image"_*.deb "$cache/"
fi
dpkg-deb -x "$cache/$image"_*.deb "$work/tree"
version=$(ls "$work/tree/lib/modules")
PATH=$PATH:/sbin:/usr/sbin
depmod -b "$work/tree" "$version"

base=$work/base
mkdir -p "$base/bin" "$base/lib/modules/$version"
cp /bin/busybox "$base/bin/"
for module in $modules; do
    modprobe -d "$work/tree" -S "$version" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
    target=$base/${file#"$work/tree/"}
    mkdir -p "$(dirname "$target")"
    cp "$file" "$target"
done
depmod -b "$base" "$version" 2>"$log" # it misses lists that only matter for built-in modules
(cd "$base" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/base.cpio"

mkdir -p "$work/made"
mv "$work/base.cpio" "$work/made/"
cp "$work/tree/boot/vmlinuz-$version" "$work/made/kernel"
rm -rf "$made"
mv "$work/made" "$made"
echo "$made"
