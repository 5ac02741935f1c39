package testfirmware

import (
	"fmt"
	"slices"
	"strings"
)

// boot makes the boot delivery: one set for this phone, and one for a phone with other
// fuses that must not be chosen.
func (m *maker) boot() error {
	if m.form.noBoot {
		return nil
	}
	var names []string
	for _, label := range slices.Sorted(slices.Values(m.facts.Chain)) {
		if slices.Contains(m.form.topLevel, label) {
			continue
		}
		short := m.form.file(label)
		raw, err := m.raw(short, append(elf(), m.random(60_000)...))
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s_%s_AID_1_PLATFORM-%s-LIVE-HWID%s-SWID00-OEM1-AID1-DEBUG00_S1-BOOT-LIVE-%s-0001-MMC.sin",
			short, m.facts.NextBootVersion(), m.facts.Platform(), m.chip("0"), strings.ToUpper(m.facts.Root[len(m.facts.Root)-4:]))
		names = append(names, name)
		if err := m.image("boot/"+name+"b", short, label, "S1_Boot", raw); err != nil {
			return err
		}
	}
	const units = product + "_S1BootConfig_MiscTA.ta"
	m.addText("boot/"+units+"b", "// boot configuration\n02\n0000084F 0010 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10\n\n000008FD 0001 00\n")
	m.addText("boot_delivery.xml", m.delivery(units, names))
	return nil
}

// product is the code name in the delivery; all phones here have the same.
const product = "Aries"

// chip is the phone's chip code with another first digit: the revision, which does not
// count.
func (m *maker) chip(first string) string { return first + m.facts.IDCode[1:] }

func (m *maker) delivery(units string, images []string) string {
	id := m.facts.IDCode
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<BOOT_DELIVERY FORMAT="1" PRODUCT="%s" SPACE_ID="%s" VERSION="%s_%s">
`, product, m.facts.SpaceID, m.facts.SpaceID, m.facts.NextBootVersion())
	for _, c := range []struct{ name, id string }{{"COMMERCIAL_OTHER", "0" + id[1:4] + "1" + id[5:]}, {"COMMERCIAL", m.chip("0")}} {
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
