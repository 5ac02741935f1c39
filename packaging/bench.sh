#!/bin/sh
# Measures how fast a bundle of 1 GiB is checked and sent to a phone that accepts everything
# at once, next to what SHA-256 and LZ4 do on this machine in the same run, and fails when
# the whole process needs more than 64 MiB. Times are shown, never judged: machines differ.
# usage: packaging/bench.sh
set -eu
export LC_ALL=C
rounds=3
most_mib=64
time=/usr/bin/time
[ -x "$time" ] || { echo "bench: $time is missing (Debian package time)" >&2; exit 1; }

cd "$(dirname "$0")/.."
dir=$(mktemp -d "${TMPDIR:-/tmp}/xflash-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
free=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt 2300000 ]; then
    echo "bench: $dir has $free kB free and 2300000 are needed; TMPDIR names another place" >&2
    exit 1
fi

# run BENCHMARKS: each once, in its own process, with its memory in $dir/memory
run() {
    XFLASH_BENCH_DIR=$dir "$time" -v -o "$dir/memory" \
        "$dir/restore.test" -test.run '^$' -test.bench "^Benchmark($1)\$" -test.benchtime 1x
}

go test -c -o "$dir/restore.test" ./internal/restore
echo "bench: making a bundle of 1 GiB in $dir"
run MakeBundle

: >"$dir/results"
round=1
while [ "$round" -le "$rounds" ]; do
    echo "bench: round $round of $rounds"
    # The yardsticks have their own process; the memory that is judged is that of the
    # other one. Not through a pipe: a failed benchmark must end this script.
    run 'SHA256|LZ4' >"$dir/output" || { cat "$dir/output"; exit 1; }
    run CheckAndSend >>"$dir/output" || { cat "$dir/output"; exit 1; }
    grep '^Benchmark' "$dir/output" || { cat "$dir/output"; exit 1; }
    # one line "benchmark unit value" for each number
    awk '/^Benchmark/ { sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1)
        for (i = 3; i < NF; i += 2) print $1, $(i + 1), $i }' "$dir/output" >>"$dir/results"
    awk '/Maximum resident set size/ { printf "process MiB %.1f\n", $NF / 1024 }' "$dir/memory" >>"$dir/results"
    round=$((round + 1))
done

echo "bench: the formats and the protocol by themselves"
go test -run '^$' -bench . ./sin
echo "bench: a folder for a phone of 2021, beside SHA-256"
"$dir/restore.test" -test.run '^$' -test.bench '^BenchmarkCommandRestore$' -test.benchtime 1x

# values BENCHMARK UNIT: those of all rounds, in ascending order
values() { awk -v name="$1" -v unit="$2" '$1 == name && $2 == unit { print $3 }' "$dir/results" | sort -g; }
median() { values "$1" "$2" | sed -n "$(((rounds + 1) / 2))p"; }
both=$(median CheckAndSend GB/s)
check=$(median CheckAndSend check-GB/s)
send=$(median CheckAndSend send-GB/s)
cpu=$(median CheckAndSend cpu-s/GiB)
sha=$(median SHA256 GB/s)
lz4=$(median LZ4 GB/s)
peak=$(values process MiB | tail -n 1)

awk -v both="$both" -v check="$check" -v send="$send" -v cpu="$cpu" -v sha="$sha" -v lz4="$lz4" \
    -v peak="$peak" -v most="$most_mib" -v rounds="$rounds" -v cores="$(nproc)" \
    -v load="$(cut -d ' ' -f 1 /proc/loadavg)" 'BEGIN {
    slow = sha < lz4 ? sha : lz4; fast = sha < lz4 ? lz4 : sha
    printf "\nA bundle of 1 GiB, %d processors, load average %s, median of %d rounds:\n\n", cores, load, rounds
    line = "  %-34s %8.2f %s\n"
    printf line, "check and send", both, "GB/s"
    printf line, "  check alone", check, "GB/s"
    printf line, "  send alone", send, "GB/s"
    printf line, "SHA-256, one processor", sha, "GB/s"
    printf line, "LZ4, one processor", lz4, "GB/s unpacked"
    printf line, "check and send / slower of the two", both / slow, ""
    printf line, "check and send / faster of the two", both / fast, ""
    printf line, "processor time, user and system", cpu, "s/GiB"
    printf line, "peak memory, largest of all rounds", peak, "MiB (at most " most ")"
    if (!(peak > 0 && peak <= most)) { print "\nbench: FAILED, too much memory"; exit 1 }
}'
