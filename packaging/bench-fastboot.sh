#!/bin/sh
# Measures how long our client and Debian's fastboot take to flash the same image of 1 GiB,
# raw and sparse, to the same simulated phone over TCP. Times are shown, never judged.
# usage: packaging/bench-fastboot.sh
set -eu
export LC_ALL=C
rounds=3
cd "$(dirname "$0")/.."
for tool in /usr/bin/time fastboot img2simg; do
    command -v "$tool" >/dev/null || { echo "bench: $tool is missing" >&2; exit 1; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/xflash-bench.XXXXXX")
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"; }
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

go build -trimpath -o "$dir/xflash" ./cmd/xflash
echo "bench: making an image of 1 GiB in $dir"
# A file system with half a GiB of noise in it, so that both forms differ.
truncate -s 1G "$dir/raw.img"
mkfs.ext4 -q -F "$dir/raw.img"
dd if=/dev/urandom of="$dir/raw.img" bs=1M seek=256 count=512 conv=notrunc status=none
img2simg "$dir/raw.img" "$dir/sparse.img"

"$dir/xflash" sim z3c,disk=4G --sim-state "$dir/phone" --fastboot-tcp 127.0.0.1:0 >"$dir/address" 2>/dev/null &
server=$!
tries=0
until grep -q listening "$dir/address" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "bench: the simulated phone does not start" >&2; exit 1; }
    sleep 0.1
done
address=$(sed 's/listening on //' "$dir/address")

# timed NAME COMMAND…: seconds, KiB, user and system time into $dir/results
timed() {
    name=$1
    shift
    /usr/bin/time -o "$dir/time" -f '%e %M %U %S' "$@" >"$dir/output" 2>&1 || { cat "$dir/output"; exit 1; }
    echo "$name $(cat "$dir/time")" >>"$dir/results"
}

round=1
while [ "$round" -le "$rounds" ]; do
    echo "bench: round $round of $rounds"
    for form in raw sparse; do
        timed "xflash-$form" "$dir/xflash" flash system "$dir/$form.img" --device "tcp:$address"
        timed "fastboot-$form" fastboot -s "tcp:$address" flash system "$dir/$form.img"
    done
    round=$((round + 1))
done

# column NAME N: the median of a column
column() { awk -v name="$1" -v n="$2" '$1 == name { print $n }' "$dir/results" | sort -g | sed -n "$(((rounds + 1) / 2))p"; }
printf '\n1 GiB to a simulated phone over TCP, %s processors, load average %s, median of %s rounds:\n\n' "$(nproc)" "$(cut -d ' ' -f 1 /proc/loadavg)" "$rounds"
for form in raw sparse; do
    for client in xflash fastboot; do
        printf '  %-9s %-7s %6.2f s   processor %5.2f + %5.2f s   peak %7.1f MiB\n' "$client" "$form" \
            "$(column "$client-$form" 2)" "$(column "$client-$form" 4)" "$(column "$client-$form" 5)" \
            "$(awk -v k="$(column "$client-$form" 3)" 'BEGIN { print k / 1024 }')"
    done
    awk -v a="$(column "xflash-$form" 2)" -v b="$(column "fastboot-$form" 2)" -v form="$form" 'BEGIN { printf "  fastboot / xflash, %s: %.2f\n", form, b / a }'
done
