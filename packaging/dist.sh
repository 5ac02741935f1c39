#!/bin/sh
# Makes a Debian package (deb), and with dist also a tarball, checksums and the list of
# modules, in the folder dist.
# usage: packaging/dist.sh deb|dist VERSION ARCH GO-BUILD-FLAGS…
set -eu
what=$1 version=$2 arch=$3
shift 3
cd "$(dirname "$0")/.."
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' show -s --format=%ct HEAD)
export SOURCE_DATE_EPOCH
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p dist

go build "$@" -o "$work/native" ./cmd/xflash
if [ "$arch" = "$(go env GOARCH)" ]; then
    cp "$work/native" "$work/xflash"
else
    [ "$arch" = arm64 ] || { echo "dist: only arm64 can be built besides $(go env GOARCH), not $arch" >&2; exit 2; }
    packaging/setup.sh arm64
    CGO_ENABLED=1 GOARCH=arm64 CC=aarch64-linux-gnu-gcc PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig \
        go build "$@" -o "$work/xflash" ./cmd/xflash
fi
RUN="$work/native" packaging/deb/build.sh "$work/xflash" "$version" "$arch" dist
[ "$what" = dist ] || { ls "dist/xflash_${version}_$arch.deb"; exit 0; }

name=xflash-$version-linux-$arch
RUN="$work/native" packaging/install-files.sh "$work/xflash" "$work/" "$name"
cp LICENSE README.md "$work/$name/"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"dist/$name.tar.gz"
go version -m "$work/xflash" | sed 's/^[^:\t]*: //' >"dist/$name.modules.txt"
(cd dist && sha256sum "xflash_${version}_$arch.deb" "$name.tar.gz" "$name.modules.txt" >"$name.SHA256SUMS" && cat "$name.SHA256SUMS")
