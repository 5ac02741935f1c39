#!/bin/bash
# Follows the section "Install" of README word for word, as a new user of a fresh Debian 12,
# Debian 13 and Ubuntu 24.04 would. Needs root and the network.
# usage: packaging/test/install.sh [SUITE…]
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "test-install: SKIPPED: debootstrap needs root"; exit 0; }
packaging/install.sh test-install debootstrap || {
    [ $? -eq 77 ] && echo "test-install: SKIPPED: debootstrap cannot be installed" && exit 0
    exit 1
}
[ $# -gt 0 ] || set -- bookworm trixie noble
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
fail() { echo "test-install: FAILED: $*" >&2; exit 1; }

# block TEXT: the commands of README after the line that starts with TEXT, without comments.
block() {
    awk -v text="$1" '/^## / { inside = $0 == "## Install" } inside && index($0, text) == 1 { found = 1; next }
        found && /^    / { sub(/ +# .*/, ""); print substr($0, 5); seen = 1; next } seen && !/^$/ { exit }' README.md
}
tools=$(block "On Debian 13 and Ubuntu 24.04")
backports=$(block "On Debian 12")
build=$(block "Then, in a copy")
[ -n "$tools" ] && [ -n "$backports" ] && [ -n "$build" ] || fail "README has no commands where this script looks for them"

for suite; do
    root=$work/$suite
    packaging/test/root.sh "$suite" "$root"
    git -c safe.directory='*' clone -q . "$root/home/me/xflash"
    chroot "$root" chown -R me:me /home/me/xflash
    me() { packaging/test/enter.sh "$root" "cd xflash && $1"; }
    # follow COMMANDS: each line, with the time it took
    follow() {
        while IFS= read -r line; do
            start=$(date +%s)
            me "$line" >"$work/log" 2>&1 </dev/null || { tail -n 20 "$work/log"; fail "$suite: $line"; }
            echo "test-install: $suite: $(($(date +%s) - start)) s: $line"
        done <<<"$1"
    }
    first=$(date +%s)
    follow "$tools"
    if [ "$suite" = bookworm ]; then
        before=$(chroot "$root" dpkg-query -W)
        if me "make demo" >"$work/log" 2>"$work/words" </dev/null; then fail "the Go of Debian 12 built xflash; README says that it cannot"; fi
        [ "$before" = "$(chroot "$root" dpkg-query -W)" ] || fail "make installed packages before it looked at Go"
        [ "$(grep -c '^setup: ' "$work/words")" = 1 ] || { cat "$work/words"; fail "setup did not answer in one sentence"; }
        echo "test-install: $suite: $(grep '^setup: ' "$work/words")"
        follow "$backports"
    fi
    follow "$build"
    me "sudo make install" >"$work/log" 2>&1 || { tail "$work/log"; fail "$suite: make install"; }
    for xflash in /usr/bin/xflash /usr/local/bin/xflash; do
        me "cd / && $xflash version && $xflash info --device sim:z3c | head -n 2" || fail "$suite: $xflash does not run"
    done
    me "./xflash version" | grep -q "$(git -c safe.directory="*" -C "$root/home/me/xflash" rev-parse --short=12 HEAD)" || fail "$suite: the version does not name the commit"
    echo "test-install: $suite: $(($(date +%s) - first)) s in all; $(cd "$root/home/me/xflash/dist" && stat -c '%n has %s bytes' ./*.deb)"

    # Debian's compiler for arm64; Ubuntu keeps arm64 on other mirrors.
    [ "$suite" = trixie ] || continue
    follow 'sudo dpkg --add-architecture arm64
sudo apt update
make dist ARCH=arm64
cd dist && sha256sum -c ./*arm64.SHA256SUMS'
    me 'dpkg-deb --fsys-tarfile dist/*_arm64.deb | tar -xO ./usr/bin/xflash >/tmp/xflash.arm64 && readelf -h /tmp/xflash.arm64' >"$work/log"
    grep -q AArch64 "$work/log" && grep -q 'DYN' "$work/log" || fail "the program for arm64 is not a position-independent one for arm64"
done
