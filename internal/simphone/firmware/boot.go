package firmware

import (
	"fmt"
	"strings"
)

// boot makes the boot delivery: one set for this phone, and one for a phone with other
// fuses that must not be chosen.
func (m *maker) boot() error {
	var names []string
	for _, f := range []struct{ short, label string }{
		{"dbi", "dbi"}, {"emmc_appsboot", "aboot"}, {"rpm", "rpm"}, {"s1sbl", "s1sbl"}, {"sbl1", "sbl1"}, {"tz", "tz"},
	} {
		raw, err := m.raw(f.short, append(elf(), m.random(60_000)...))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s_%s_AID_1_PLATFORM-MSM8974AC-LIVE-HWID007B00E1-SWID00-OEM1-AID1-DEBUG00_S1-BOOT-LIVE-9C84-0001-MMC.sin", f.short, BootVersion)
		names = append(names, name)
		if err := m.image("boot/"+name+"b", f.short, f.label, "S1_Boot", raw); err != nil {
			return err
		}
	}
	const units = "Aries_S1BootConfig_MiscTA.ta"
	m.addText("boot/"+units+"b", "// boot configuration\n02\n0000084F 0010 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10\n\n000008FD 0001 00\n")
	m.addText("boot_delivery.xml", delivery(units, names))
	return nil
}

func delivery(units string, images []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<BOOT_DELIVERY FORMAT="1" PRODUCT="Aries" SPACE_ID="%s" VERSION="%s_%s">
`, spaceID, spaceID, BootVersion)
	for _, c := range []struct{ name, id string }{{"COMMERCIAL_OTHER", "007B10E1"}, {"COMMERCIAL", "007B00E1"}} {
		fmt.Fprintf(&b, `  <CONFIGURATION NAME="%s">
    <BOOT_CONFIG><FILE PATH="%s"/></BOOT_CONFIG>
    <BOOT_IMAGES>
`, c.name, units)
		for _, image := range images {
			fmt.Fprintf(&b, "      <FILE PATH=\"%s\"/>\n", image)
		}
		fmt.Fprintf(&b, `    </BOOT_IMAGES>
    <ATTRIBUTES VALUE="OTP_LOCK_STATUS_1=&quot;LOCKED&quot;;OTP_DATA_1=&quot;01000400&quot;;IDCODE_1=&quot;%s&quot;"/>
  </CONFIGURATION>
`, c.id)
	}
	b.WriteString("</BOOT_DELIVERY>\n")
	return b.String()
}

// resets are the trim-area files of a normal bundle.
func (m *maker) resets() error {
	if m.o.NoResets {
		return nil
	}
	m.addText("cust-reset.ta", "02\n000008A4 0001 00\n")
	m.addText("fota-reset.ta", "02\n00000964 0001 00\n")
	return nil
}

// elf is the header of an ARM program.
func elf() []byte {
	b := make([]byte, 52)
	copy(b, "\x7fELF\x01\x01\x01")
	b[16], b[18], b[20], b[40] = 2, 40, 1, 52
	return b
}
