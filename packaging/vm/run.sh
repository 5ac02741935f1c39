#!/bin/sh
# Boots the virtual machine with a folder as /rig, runs /rig/run there as root, and ends
# with its exit status. What programs in the folder need of shared libraries comes along.
# The machine has no disk and no network; its serial line is the output.
# usage: packaging/vm/run.sh FOLDER
#   VM_MEMORY=MB (1536)   VM_LIMIT=SECONDS (900): a machine that runs longer is stopped, status 124
set -eu
here=$(cd "$(dirname "$0")" && pwd)
made=$("$here/prepare.sh")
work=$(mktemp -d "${TMPDIR:-/tmp}/xflash-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

root=$work/root
mkdir -p "$root"
cp -a "$1" "$root/rig"
chmod 755 "$root" "$root/rig" # they become / and /rig: an ordinary user must get in
cp "$here/init" "$root/init"
find "$root/rig" -type f -perm -u+x | while read -r file; do
    ldd "$file" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' || true
done | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/payload.cpio"
cat "$made/base.cpio" "$work/payload.cpio" >"$work/initrd"
rm -rf "$root" "$work/payload.cpio"

# Always emulated: nested virtualisation hangs on some hosts (usbproto/libusb/NOTES.md §1).
status=0
timeout "${VM_LIMIT:-900}" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max \
    -m "${VM_MEMORY:-1536}" -smp 2 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -kernel "$made/kernel" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1" </dev/null >"$work/pipe" 2>&1 &
qemu=$!
# The output is shown as it comes, and kept for the status in its last line.
tail -n +1 -f --pid=$qemu "$work/pipe" 2>/dev/null &
show=$!
wait $qemu || status=$?
wait $show || true
if [ $status -eq 124 ]; then
    echo "vm: stopped after ${VM_LIMIT:-900} s" >&2
    exit 124
fi
told=$(tr -d '\r' <"$work/pipe" | sed -n 's/^VM-EXIT \([0-9]*\) .*/\1/p' | tail -n 1)
exit "${told:-99}"
