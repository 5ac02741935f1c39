#!/bin/sh
# Measures how fast the built program unpacks and verifies an image of 1 GiB that is packed
# by LZ4, next to what `lz4 -d` and `sha256sum` take for the same bytes in the same run.
# Times are shown, never judged: machines differ.
# usage: packaging/bench-unpack.sh
set -eu
export LC_ALL=C
rounds=3
cd "$(dirname "$0")/.."
for tool in /usr/bin/time lz4 sha256sum; do
    command -v "$tool" >/dev/null || { echo "bench: $tool is missing" >&2; exit 1; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/xflash-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
free=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt 4500000 ]; then
    echo "bench: $dir has $free kB free and 4500000 are needed; TMPDIR names another place" >&2
    exit 1
fi

echo "bench: making an image of 1 GiB in $dir"
XFLASH_BENCH_DIR=$dir go test ./internal/restore -run '^$' -bench '^BenchmarkMakeImage$' -benchtime 1x >"$dir/output" ||
    { cat "$dir/output"; exit 1; }
go build -trimpath -o "$dir/xflash" ./cmd/xflash
"$dir/xflash" unpack "$dir/packed.sin" -o "$dir/reference" --raw -q
raw=$dir/reference/packed.img
lz4 -q -1 "$raw" "$dir/packed.lz4"

# timed NAME COMMAND…: seconds and largest size in $dir/results
timed() {
    name=$1
    shift
    /usr/bin/time -o "$dir/time" -f '%e %M %U %S' "$@" >"$dir/output" 2>&1 || { cat "$dir/output"; exit 1; }
    echo "$name $(cat "$dir/time")" >>"$dir/results"
}

round=1
while [ "$round" -le "$rounds" ]; do
    echo "bench: round $round of $rounds"
    rm -rf "$dir/out" "$dir/again"
    timed unpack "$dir/xflash" unpack "$dir/packed.sin" -o "$dir/out" --raw -q
    timed verify "$dir/xflash" verify "$dir/packed.sin"
    timed lz4 lz4 -q -f -d "$dir/packed.lz4" "$dir/again"
    timed sha256sum sha256sum "$raw"
    cmp "$dir/out/packed.img" "$dir/again"
    round=$((round + 1))
done

median() { awk -v name="$1" '$1 == name { print $2 }' "$dir/results" | sort -g | sed -n "$(((rounds + 1) / 2))p"; }
largest() { awk -v name="$1" '$1 == name && $3 > most { most = $3 } END { printf "%.1f", most / 1024 }' "$dir/results"; }
awk -v unpack="$(median unpack)" -v verify="$(median verify)" -v lz4="$(median lz4)" -v sha="$(median sha256sum)" \
    -v peak="$(largest unpack)" -v packed="$(wc -c <"$dir/packed.sin")" -v cores="$(nproc)" \
    -v load="$(cut -d ' ' -f 1 /proc/loadavg)" -v rounds="$rounds" 'BEGIN {
    fast = lz4 < sha ? lz4 : sha
    printf "\nAn image of 1 GiB, packed to %.0f MiB, %d processors, load average %s, median of %d rounds:\n\n", packed / 1048576, cores, load, rounds
    line = "  %-40s %6.2f %s\n"
    printf line, "xflash unpack, with all checks", unpack, "s"
    printf line, "xflash verify", verify, "s"
    printf line, "lz4 -d, no checks of the content", lz4, "s"
    printf line, "sha256sum of the unpacked image", sha, "s"
    printf line, "faster of the two / xflash unpack", fast / unpack, ""
    printf line, "faster of the two / xflash verify", fast / verify, ""
    printf line, "largest size of xflash unpack", peak, "MiB"
}'
