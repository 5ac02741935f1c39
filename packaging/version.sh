#!/bin/sh
# Prints the version of this tree: that of the tag v1.2.3 when HEAD has it, else one made of
# the date and the commit, which sorts before every release. A tree with changes says so.
set -eu
cd "$(dirname "$0")/.."
git() { command git -c safe.directory='*' "$@"; } # root builds in other people's checkouts
commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || { echo "0.0~unknown"; exit 0; }
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null) || tag=
version=${tag#v}
[ -n "$version" ] || version="0.0~git$(git show -s --format=%cd --date=format:%Y%m%d HEAD).$commit"
[ -z "$(git status --porcelain --untracked-files=no)" ] || version="$version+changed"
echo "$version"
