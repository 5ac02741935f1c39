package capture

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"xflash/usbproto"
)

// sysPath is where the phone is in the machine that Describe makes up.
const sysPath = "/devices/pci0000:00/0000:00:14.0/usb1/1-2"

// ReplayArgument is what umockdev-run is given after -p to play a capture back.
func ReplayArgument(file string) string { return "/sys" + sysPath + "=" + file }

// Describe is the phone in the language of umockdev-run --device, without its serial
// number. The descriptors are those of the phone when it is on this machine's bus, else
// those of the mode it is in (usbproto/s1/PROTOCOL.md §1.3, usbproto/command/PROTOCOL.md §1.1, fastboot/PROTOCOL.md §1).
func Describe(d usbproto.Device) string {
	d = known(d)
	descriptors := modelDescriptors(d)
	if d.Port != "" {
		if own, err := os.ReadFile("/sys/bus/usb/devices/" + d.Port + "/descriptors"); err == nil && len(own) >= 18 {
			own[16] = 0 // the index of the serial number
			descriptors = own
		}
	}
	product := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '\\' {
			return '?'
		}
		return r
	}, d.Product)
	return fmt.Sprintf(`P: %s
N: bus/usb/%03[2]d/%03[3]d
E: DEVNAME=/dev/bus/usb/%03[2]d/%03[3]d
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: BUSNUM=%03[2]d
E: DEVNUM=%03[3]d
A: busnum=%[2]d\n
A: devnum=%[3]d\n
A: devpath=2\n
A: idVendor=%04[4]x\n
A: idProduct=%04[5]x\n
A: bConfigurationValue=1\n
A: bNumConfigurations=1\n
A: speed=480\n
A: product=%[6]s\n
H: descriptors=%[7]s
`, sysPath, d.Bus, d.Address, d.VID, d.PID, product, hex.EncodeToString(descriptors))
}

// known fills in what is unknown of a phone: that of a Z3 Compact at port 2 of bus 1.
func known(d usbproto.Device) usbproto.Device {
	if d.Bus == 0 {
		d.Bus, d.Address = 1, 5
	}
	if d.VID == 0 {
		d.VID, d.PID, d.Product = 0x0fce, 0xadde, "S1 Service"
		switch d.Mode {
		case usbproto.ModeFastboot:
			d.PID, d.Product = 0x0dde, "S1Boot Fastboot"
		case usbproto.ModeFlash2017:
			d.PID, d.Product = 0xb00b, "Android"
		}
	}
	return d
}

// modelDescriptors are the device and the configuration descriptor of a mode: one vendor
// interface with two bulk endpoints of 512 bytes.
func modelDescriptors(d usbproto.Device) []byte {
	class, face := [3]byte{0xef, 0x02, 0x01}, [3]byte{0xff, 0xff, 0x00}
	if d.Mode == usbproto.ModeFastboot || d.Mode == usbproto.ModeFlash2017 {
		class, face = [3]byte{}, [3]byte{0xff, 0x42, 0x03}
	}
	return []byte{
		18, 1, 0, 2, class[0], class[1], class[2], 64, byte(d.VID), byte(d.VID >> 8), byte(d.PID), byte(d.PID >> 8), 0, 1, 1, 2, 0, 1,
		9, 2, 32, 0, 1, 1, 0, 0xc0, 0,
		9, 4, 0, 0, 2, face[0], face[1], face[2], 0,
		7, 5, endpointIn, 2, 0, 2, 0,
		7, 5, endpointOut, 2, 0, 2, 0,
	}
}
