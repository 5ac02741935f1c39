#!/bin/sh
# Runs a test binary in the virtual machine: go test -exec packaging/vm/exec.sh ./PACKAGE
# The package's testdata and the files and folders that VM_FILES names come along, into
# the folder the test runs in.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/xflash-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp "$1" "$work/test.bin"
shift
[ ! -d testdata ] || cp -r testdata "$work/"
# shellcheck disable=SC2086 # a list of paths, meant to be split
[ -z "${VM_FILES:-}" ] || cp -rL $VM_FILES "$work/"
{
    printf 'exec ./test.bin'
    for word; do printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
    printf '\n'
} >"$work/run"
"$here/run.sh" "$work"
