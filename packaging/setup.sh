#!/bin/sh
# Installs the Debian packages that building and testing xflash needs, and says which.
# usage: packaging/setup.sh build|test|arm64
set -eu

need="gcc libc6-dev libusb-1.0-0-dev pkg-config e2fsprogs gdisk"
if [ "${1:-build}" = test ]; then
    need="$need dosfstools umockdev fastboot mkbootimg abootimg device-tree-compiler android-sdk-libsparse-utils xz-utils bzip2 lz4 lzop zstd zip unzip openssl time tshark git dbus-daemon"
fi

# Go comes first: nothing is installed on a machine that could not build xflash afterwards.
# Go 1.21 and newer fetch the release that go.mod names by themselves.
howto="on Debian 12: apt install -t bookworm-backports golang-go (README shows how); elsewhere: https://go.dev/dl/"
have=$(go env GOVERSION 2>/dev/null || true) # go1.21.3
case "$have" in
"") echo "setup: Go is not installed. On Debian 13 or Ubuntu 24.04: apt install golang-go; $howto" >&2; exit 1 ;;
go1.[0-9] | go1.[0-9].* | go1.1[0-9] | go1.1[0-9].* | go1.20 | go1.20.*)
    echo "setup: this Go ($have) is too old to build xflash or to fetch a newer Go, so install one: $howto" >&2
    exit 1
    ;;
esac

case "${1:-build}" in arm64)
    need="gcc-aarch64-linux-gnu libc6-dev-arm64-cross pkg-config libusb-1.0-0-dev:arm64"
    dpkg --print-foreign-architectures 2>/dev/null | grep -qx arm64 || {
        echo "setup: building for arm64 needs libusb for arm64; allow its packages first: dpkg --add-architecture arm64" >&2
        exit 1
    }
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: this is not a Debian-like system, so nothing was installed." >&2
    echo "setup: xflash needs the counterparts of these Debian packages: $need" >&2
    exit 0
fi

# shellcheck disable=SC2086 # a list of package names, meant to be split
"$(dirname "$0")/install.sh" setup $need || exit 1
