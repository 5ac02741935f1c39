#!/bin/sh
# Makes a Debian package of a built xflash. The same commit gives the same bytes.
# Its maintainer is whoever builds it, as in other Debian tools: DEBFULLNAME and DEBEMAIL,
# or else the author of the commit.
# usage: packaging/deb/build.sh XFLASH VERSION ARCH FOLDER
set -eu
here=$(dirname "$0")
xflash=$1 version=$2 arch=$3 out=$4
commit() { git -C "$here" -c safe.directory='*' show -s --format="$1" HEAD; }
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(commit %ct)}"
maintainer="${DEBFULLNAME:-$(commit %an)} <${DEBEMAIL:-$(commit %ae)}>"
# The newest symbol of the C library that the program uses says which one it needs.
libc=$(LC_ALL=C readelf -W -V "$xflash" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
umask 022
root=$(mktemp -d)
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT
sh "$here/../install-files.sh" "$xflash" "$root" /usr

doc=$root/usr/share/doc/xflash
install -D -m 644 "$here/copyright" "$doc/copyright"
cat >"$root/changelog" <<END
xflash ($version) unstable; urgency=medium

  * Built from the source tree; its docs/changelog.md lists what is new.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
gzip -9nc "$root/changelog" >"$doc/changelog.gz"
rm "$root/changelog"
chmod 644 "$doc/changelog.gz"

mkdir "$root/DEBIAN"
(cd "$root" && find usr -type f | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<END
Package: xflash
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
Depends: libc6 (>= ${libc#GLIBC_}), libusb-1.0-0 (>= 2:1.0.22)
Recommends: e2fsprogs, udev
Section: utils
Priority: optional
Description: restore Sony Xperia phones that no longer start
 xflash checks every byte of firmware that it will write, writes it over USB
 in Sony's flash mode or in fastboot, never touches data that identifies the
 phone, and explains the phone's answers. It also predicts whether a boot
 loader will accept a boot image, and unpacks firmware files.
END
cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
# Phones that are plugged in already need not be unplugged.
if [ "$1" = configure ] && command -v udevadm >/dev/null && [ -d /run/udev ]; then
    udevadm control --reload || true
    udevadm trigger --subsystem-match=usb --attr-match=idVendor=0fce || true
fi
END
chmod 755 "$root/DEBIAN/postinst"
mkdir -p "$out"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/xflash_${version}_$arch.deb" >/dev/null
