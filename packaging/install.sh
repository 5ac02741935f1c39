#!/bin/sh
# Installs those of the Debian packages that are missing, and says which. Exit 77, with the
# reason in the last line on stderr, when that is not possible.
# usage: packaging/install.sh FOR PACKAGE…
set -eu
who=$1
shift
missing=""
for package; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "these packages are missing, and there is no sudo to install them; as root, run: apt-get install$missing" >&2
        exit 77
    }
    as_root=sudo
fi
echo "$who: installing Debian packages:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of package names, meant to be split
{ $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "apt-get could not install:$missing" >&2
    exit 77
}
