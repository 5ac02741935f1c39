#!/bin/sh
# Runs every fuzz target of the tree for a while, two at a time, and fails if one finds something.
# usage: packaging/fuzz.sh [TIME]   (default 30s each)
set -eu
time=${1:-30s}
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# the packages that have fuzz targets, then one line "package target" each
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u | while read -r dir; do
    grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed "s|^func |$dir |"
done >"$list"
count=$(wc -l <"$list")
[ "$count" -gt 0 ] || { echo "fuzz: no fuzz targets found" >&2; exit 1; }
echo "fuzz: $count targets, $time each, two at a time"
# The fuzzer of Go sometimes reports the end of its own time as a failure of the target,
# "context deadline exceeded" and no failing input. That is not a finding.
# shellcheck disable=SC2016 # expanded by the inner shell
xargs -P 2 -L 1 sh -c '
    out=$(go test "$1" -run "^$" -fuzz "^$2\$" -fuzztime "$0" -fuzzminimizetime 5x -parallel 1 2>&1) && { echo "fuzz: ok $1 $2"; exit 0; }
    case "$out" in
    *"Failing input"* | *panic:*) ;;
    *"context deadline exceeded"*) echo "fuzz: ok $1 $2 (stopped by its time limit)"; exit 0 ;;
    esac
    echo "$out"; echo "fuzz: FAILED $1 $2"; exit 1' "$time" <"$list"
