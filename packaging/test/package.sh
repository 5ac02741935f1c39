#!/bin/bash
# The Debian package: the same bytes from two folders; no error or warning of lintian, appstreamcli, man
# and the shells; installed, used and purged on a fresh Debian 12, Debian 13 and Ubuntu 24.04.
# Needs root and the network.
# usage: packaging/test/package.sh [SUITE…]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "test-deb: SKIPPED: debootstrap needs root"; exit 0; }
"$here/packaging/install.sh" test-deb binutils lintian debootstrap appstream man-db bash-completion zsh fish || {
    [ $? -eq 77 ] && echo "test-deb: SKIPPED: the packages it needs cannot be installed" && exit 0
    exit 1
}
[ $# -gt 0 ] || set -- bookworm trixie noble
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
fail() { echo "test-deb: FAILED: $*" >&2; exit 1; }

for n in one two; do
    git -c safe.directory='*' clone -q "$here" "$work/$n"
    make -s -C "$work/$n" dist >"$work/$n.log" 2>&1 || { cat "$work/$n.log"; exit 1; }
done
diff -r "$work/one/dist" "$work/two/dist" || fail "two folders give different bytes"
dist=$work/one/dist
(cd "$dist" && sha256sum --quiet -c ./*.SHA256SUMS)
grep -q '^	dep	github.com/google/gousb' "$dist"/*.modules.txt || fail "the list of modules does not name gousb"
deb=$(ls "$dist"/*.deb)
echo "test-deb: two folders give the same bytes; $(cd "$dist" && stat -c '%n has %s bytes' ./*.deb ./*.tar.gz | paste -sd ';')"

lintian --allow-root --fail-on error,warning "$deb" || fail "lintian"
appstreamcli validate --no-net "$here/packaging/xflash.metainfo.xml" || fail "appstreamcli"

files=$work/files
dpkg-deb -x "$deb" "$files"
share=$files/usr/share
xflash=$files/usr/bin/xflash
readelf -h "$xflash" | grep -q 'Type: *DYN' || fail "the program is not position-independent"
"$xflash" version | grep -q "$(git -C "$work/one" rev-parse --short=12 HEAD)" || fail "the version does not name the commit"
for page in "$share"/man/man1/*; do
    words=$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null) || fail "$page"
    [ -z "$words" ] || fail "$page: $words"
done
for section in "EXIT STATUS" ENVIRONMENT FILES EXAMPLES; do
    man -l "$share/man/man1/xflash.1.gz" 2>/dev/null | grep -q "^$section" || fail "the man page has no $section"
done

# Each shell loads its file and offers a command for "xflash rest".
export PATH="$files/usr/bin:$PATH"
bash -c '. /usr/share/bash-completion/bash_completion && . "$1" && COMP_WORDS=(xflash rest) COMP_CWORD=1 COMP_LINE="xflash rest" COMP_POINT=11 &&
    __start_xflash 2>/dev/null && echo "${COMPREPLY[@]}"' - "$share/bash-completion/completions/xflash" | grep -q restore || fail "bash does not complete"
fish -c 'source $argv[1]; complete -C "xflash rest"' "$share/fish/vendor_completions.d/xflash.fish" | grep -q '^restore' || fail "fish does not complete"
zsh -fc 'autoload -Uz compinit && compinit -u -D && source "$1" && [[ ${_comps[xflash]} = _xflash ]]' - "$share/zsh/site-functions/_xflash" || fail "zsh does not load its completion"

for suite; do
    root=$work/$suite
    "$here/packaging/test/root.sh" "$suite" "$root"
    cp "$deb" "$root/tmp/xflash.deb"
    me() { "$here/packaging/test/enter.sh" "$root" "$1"; }
    list() { find "$root" \( -path "$root/var" -o -path "$root/proc" \) -prune -o -print | sort; }
    list >"$work/before"
    start=$(date +%s)
    me "sudo apt-get install -qq /tmp/xflash.deb" >"$work/log" 2>&1 || { tail "$work/log"; fail "$suite: the package does not install"; }
    took=$(($(date +%s) - start))
    me "xflash version" || fail "$suite: version"
    me "xflash explain 80080021" | grep -q "ERR_ROOT_CERT" || fail "$suite: explain"
    me "xflash info --device sim:z3c" | grep -q D5803 || fail "$suite: a simulated phone"
    me "xflash demo >demo.log" || { cat "$root/home/me/demo.log"; fail "$suite: demo"; }
    (cd "$files" && find usr -type f) | while read -r file; do # minimal systems leave out documents
        case $file in usr/share/doc/* | usr/share/man/*) ;; *) [ -e "$root/$file" ] || fail "$suite: /$file is missing" ;; esac
    done
    me "sudo apt-get purge -qq xflash && sudo apt-get autoremove --purge -qq" >"$work/log" 2>&1 || fail "$suite: purge"
    left=$(list | comm -13 "$work/before" - | grep xflash | grep -v "^$root/home/me/" || true)
    [ -z "$left" ] || fail "$suite: left after the purge: $left"
    echo "test-deb: $suite: installed in $took s, used and purged"
done
