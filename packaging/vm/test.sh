#!/bin/sh
# Runs the tests that need a real USB bus, in the virtual machine. Where there can be no
# machine the reason is printed and nothing fails, unless XFLASH_VM=required.
# usage: packaging/vm/test.sh [-v] [-short] [-run NAME]…   -short: fewer places for faults
set -eu
cd "$(dirname "$0")/../.."
status=0
reason=$(packaging/vm/prepare.sh 2>&1 >/dev/null) || status=$?
if [ $status -eq 77 ] && [ "${XFLASH_VM:-}" != required ]; then
    echo "USB tests SKIPPED: $reason"
    exit 0
fi
if [ $status -ne 0 ]; then
    echo "test-usb: $reason" >&2
    exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/xflash-usb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
go build -trimpath -o "$work/xflash" ./cmd/xflash
mkdir "$work/fixture"
go run ./internal/usbsim/vmtest/fixture "$work/fixture"
fastboot=$(readlink -f "$(command -v fastboot)") # Debian's client, which make setup-test installs
VM_FILES="$work/xflash $work/fixture $fastboot" go test -count=1 -timeout 20m -exec "$PWD/packaging/vm/exec.sh" ./internal/usbsim/vmtest -parallel 3 "$@"
