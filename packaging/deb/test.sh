#!/bin/bash
# The Debian package: the same bytes from two folders, no error of lintian, and installed,
# used and purged in a fresh Debian 12 made by debootstrap. Needs root and the network.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
"$here/packaging/install.sh" test-deb lintian debootstrap appstream || {
    [ $? -eq 77 ] && echo "test-deb: SKIPPED: the packages it needs cannot be installed" && exit 0
    exit 1
}
[ "$(id -u)" -eq 0 ] || { echo "test-deb: SKIPPED: debootstrap needs root"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
for n in one two; do
    git -c safe.directory='*' clone -q "$here" "$work/$n"
    make -s -C "$work/$n" dist >"$work/$n.log" 2>&1 || { cat "$work/$n.log"; exit 1; }
done
diff -r "$work/one/dist" "$work/two/dist" && echo "test-deb: two folders give the same bytes"
deb=$(ls "$work"/one/dist/*.deb)

appstreamcli validate --no-net "$here/packaging/xflash.metainfo.xml" || exit 1
lintian --fail-on error "$deb" || exit 1
echo "test-deb: lintian finds no error; the package has $(stat -c %s "$deb") bytes"

root=$work/root
debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log"; exit 1; }
cp "$deb" "$root/xflash.deb"
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive HOME=/root "$@"; }
find "$root" -path "$root/var" -prune -o -print | sort >"$work/before"
in_root apt-get install -qq -y --no-install-recommends /xflash.deb >"$work/apt.log" 2>&1 || { tail "$work/apt.log"; exit 1; }
in_root xflash version
in_root xflash explain 'ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";' | head -n 3
in_root xflash info --device sim:z3c | head -n 3
for f in share/man/man1/xflash.1.gz share/man/man1/xflash-restore.1.gz lib/udev/rules.d/70-xflash.rules share/bash-completion/completions/xflash share/doc/xflash/copyright; do
    [ -e "$root/usr/$f" ] || { echo "test-deb: /usr/$f is missing"; exit 1; }
done
in_root apt-get purge -qq -y xflash >"$work/apt.log" 2>&1
in_root apt-get autoremove --purge -qq -y >>"$work/apt.log" 2>&1
find "$root" -path "$root/var" -prune -o -print | sort >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | grep xflash | grep -v '^.*/xflash.deb$' || true)
[ -z "$left" ] || { echo "test-deb: left behind after purge:"; echo "$left"; exit 1; }
echo "test-deb: installed, used and purged"
