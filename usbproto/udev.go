package usbproto

// UdevFile is the name of the rule's file. It must sort before 73-seat-late.rules, which
// acts on the tag that the rule sets (ecosystem.md §6.7).
const UdevFile = "70-xflash.rules"

// UdevRule is the text of that file. packaging/udev holds the same bytes for packages.
func UdevRule() string { return udevRule }

const udevRule = `# Sony Xperia phones in fastboot, flash mode and the flash mode of 2017: whoever sits at
# this computer may use them, and ModemManager keeps its hands off.
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="0fce", ATTR{idProduct}=="0dde|adde|b00b", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"
`
