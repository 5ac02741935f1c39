#!/bin/sh
# Runs the tests of the fastboot client against U-Boot's server. Where it cannot be built
# the reason is printed and nothing fails, unless XFLASH_UBOOT=required.
# usage: packaging/uboot/test.sh [-v]
set -eu
cd "$(dirname "$0")/../.."
status=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rom=$(packaging/uboot/prepare.sh 2>"$log") || status=$?
cat "$log" >&2
if [ $status -eq 77 ] && [ "${XFLASH_UBOOT:-}" != required ]; then
    echo "U-Boot tests SKIPPED: $(tail -n 1 "$log")"
    exit 0
fi
[ $status -eq 0 ] || exit 1
XFLASH_UBOOT=$rom go test -count=1 -timeout 10m -run UBoot "$@" ./fastboot
