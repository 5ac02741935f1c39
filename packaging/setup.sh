#!/bin/sh
# Installs the Debian packages that building and testing xflash needs, and says which.
# usage: packaging/setup.sh build|test
set -eu

need="gcc libc6-dev libusb-1.0-0-dev pkg-config e2fsprogs gdisk"
if [ "${1:-build}" = test ]; then
    need="$need dosfstools umockdev fastboot mkbootimg abootimg device-tree-compiler android-sdk-libsparse-utils xz-utils bzip2 lz4 zstd zip unzip openssl time tshark git"
fi

if ! command -v go >/dev/null 2>&1; then
    echo "setup: Go is not installed. xflash needs Go 1.26 or newer: https://go.dev/dl/" >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: this is not a Debian-like system, so nothing was installed." >&2
    echo "setup: xflash needs the counterparts of these Debian packages: $need" >&2
    exit 0
fi

# shellcheck disable=SC2086 # a list of package names, meant to be split
"$(dirname "$0")/install.sh" setup $need || exit 1
