#!/bin/sh
# Installs a built xflash and everything that belongs to it.
# usage: packaging/install-files.sh XFLASH DESTDIR PREFIX
# XFLASH is the program to install. RUN is one that runs on this machine and writes the man
# pages and completions; it differs from XFLASH only in a cross build.
set -eu
here=$(dirname "$0")
xflash=$1 root=$2$3 run=${RUN:-$1}
put() { install -D -m "$1" "$2" "$root/$3"; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

put 755 "$xflash" bin/xflash
mkdir "$tmp/man"
"$run" man "$tmp/man"
gzip -9n "$tmp"/man/*.1
for page in "$tmp"/man/*.gz; do put 644 "$page" "share/man/man1/${page##*/}"; done
"$run" completion bash >"$tmp/xflash"
"$run" completion zsh >"$tmp/_xflash"
"$run" completion fish >"$tmp/xflash.fish"
put 644 "$tmp/xflash" share/bash-completion/completions/xflash
put 644 "$tmp/_xflash" share/zsh/site-functions/_xflash
put 644 "$tmp/xflash.fish" share/fish/vendor_completions.d/xflash.fish
put 644 "$here/udev/70-xflash.rules" lib/udev/rules.d/70-xflash.rules
put 644 "$here/xflash.metainfo.xml" share/metainfo/io.github.xflash.metainfo.xml
