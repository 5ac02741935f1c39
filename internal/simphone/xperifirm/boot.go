package xperifirm

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"xflash/internal/simphone/testcms"
)

// A BootForm is what the boot delivery is like.
type BootForm int

const (
	BootUsual      BootForm = iota // of the phone's generation
	BootHashOnly                   // attributes without PLATFORM_ID, as from 2024 on
	BootReversed                   // the attributes in the other order, hash in lower case
	BootNoHWConfig                 // configurations without their HWCONFIG element
	BootTwo                        // two commercial configurations match
	BootNone                       // none matches
	BootIncomplete                 // the commercial boot loader is named and not there
	BootOlder                      // the boot loader is older than the phone's
	BootSame                       // it is the phone's own
	BootAbsent                     // there is no boot delivery
)

// A configuration is one of the delivery.
type configuration struct {
	name, attributes string
	file, suffix     string
	role             string
	hwconf           string
}

// boot makes the boot delivery: the four configurations that every real file has, in their
// order. The development and the test phones share a boot loader.
func (m *maker) boot() error {
	if m.o.Boot == BootAbsent {
		return nil
	}
	chip := "00" + m.facts.Chip[2:]
	hash := strings.ToUpper(hex.EncodeToString(m.facts.RootHash))
	suffixes := map[string]string{"dev": "D0D0", "pre": "7405", "com": m.o.Suffix}
	list := []configuration{
		{"DEVELOPMENT", `DEFAULT_SECURITY="OFF"`, "dev", suffixes["dev"], "development", "S1_HWConf_dev_0001"},
		{"TEST_OEM0_" + chip, m.attributes(chip, m.otherHash(1)), "dev", suffixes["dev"], "test", "S1_HWConf_test_0001"},
		{"PRECOMMERCIAL_" + chip, m.attributes(chip, m.otherHash(2)), "pre", suffixes["pre"], "precommercial", "S1_HWConf_pre_0002"},
		{"COMMERCIAL_" + chip, m.attributes(chip, hash), "com", suffixes["com"], testcms.Commercial, "S1_HWConf_" + strings.ToLower(m.o.Suffix) + "_0004"},
	}
	last := &list[len(list)-1]
	switch m.o.Boot {
	case BootNone:
		last.attributes = m.attributes(chip, m.otherHash(3))
	case BootTwo:
		second := *last
		second.name = "COMMERCIAL_" + chip + "_2"
		second.attributes = fmt.Sprintf("PLF_ROOT_HASH=\"%s\"", hash)
		list = append(list, second)
	}
	made := map[string]bool{}
	for _, c := range list {
		if made[c.file] || c.file == "com" && m.o.Boot == BootIncomplete {
			continue
		}
		made[c.file] = true
		if err := m.bootLoader(c); err != nil {
			return err
		}
	}
	for _, c := range list {
		units := fmt.Sprintf("// boot configuration\n02\n0000084F 0069 %s\n000008FD 0001 %02X\n", hexBytes(m.bootUnit(c.name)), len(c.name)&1)
		if err := m.write("boot/"+c.name+"_XBootConfig_MiscTA.ta", []byte(units)); err != nil {
			return err
		}
	}
	m.fw.Units[2127], m.fw.Units[2301] = m.bootUnit(last.name), []byte{byte(len(last.name) & 1)}
	return m.write("boot/boot_delivery.xml", []byte(m.bootDelivery(list)))
}

func (m *maker) bootUnit(configuration string) []byte {
	b := make([]byte, 0x69)
	_, _ = pattern{m.seed(configuration), 0x69}.ReadAt(b, 0) // never fails
	return b
}

func hexBytes(b []byte) string {
	return strings.TrimSpace(fmt.Sprintf("% X", b))
}

// otherHash is a root hash of phones that are not in shops.
func (m *maker) otherHash(n int) string {
	return strings.Repeat(fmt.Sprintf("%02X", 0x10+n), len(m.facts.RootHash))
}

func (m *maker) attributes(chip, hash string) string {
	platform, root := fmt.Sprintf("PLATFORM_ID=\"%s\"", chip), fmt.Sprintf("PLF_ROOT_HASH=\"%s\"", hash)
	switch m.o.Boot {
	case BootHashOnly:
		return root
	case BootReversed:
		return fmt.Sprintf("PLF_ROOT_HASH=\"%s\";%s", strings.ToLower(hash), platform)
	}
	return platform + ";" + root
}

func (m *maker) bootLoader(c configuration) error {
	name := m.file("bootloader", "ALL", c.suffix)
	content := &Image{}
	content.put(0, pattern{m.seed("bootloader " + c.file), min(m.o.ImageSize*2, m.facts.Size("bootloader"))})
	s := imageSpec{short: "bootloader", name: "bootloader"}
	if c.file == "com" {
		m.fw.Images[m.label(s)] = content
	}
	role := m.o.Role
	defer func() { m.o.Role = role }()
	if c.role != testcms.Commercial {
		m.o.Role = c.role
	}
	return m.sign(signed{file: "boot/" + name, short: "bootloader", name: "bootloader", suffix: c.suffix,
		chunks: []source{content.extents[0].source}, gzip: m.zipped("bootloader")})
}

// bootVersion is the phone's own with another revision at its end.
func (m *maker) bootVersion() string {
	at := strings.LastIndexByte(m.facts.BootVersion, '_') + 1
	var n int
	_, _ = fmt.Sscan(m.facts.BootVersion[at:], &n)
	switch m.o.Boot {
	case BootOlder:
		n--
	case BootSame:
	default:
		n++
	}
	return fmt.Sprint(m.facts.BootVersion[:at], n)
}

func (m *maker) bootDelivery(list []configuration) string {
	version := strings.ReplaceAll(strings.ReplaceAll(m.bootVersion(), "_", "-"), "X-Boot", "X-BOOT")
	space, _, _ := strings.Cut(version, "-X-")
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BOOT_DELIVERY FORMAT=\"3\" PRODUCT=\"%s\" SPACE_ID=\"%s\" VERSION=\"%s\">\n",
		codeNames[m.o.Phone], space, version)
	for _, c := range list {
		state := []byte(c.name + strings.Repeat(".", 32))[:32]
		security := base64.StdEncoding.EncodeToString(state)
		if !m.facts.Slots {
			security = strings.ToUpper(hex.EncodeToString(state[:20]))
		}
		fmt.Fprintf(&b, `  <CONFIGURATION NAME="%s">
    <BOOT_CONFIG>
      <FILE PATH="%s_XBootConfig_MiscTA.ta"/>
    </BOOT_CONFIG>
    <BOOT_IMAGES>
      <FILE PATH="%s"/>
    </BOOT_IMAGES>
    <ATTRIBUTES VALUE="%s"/>
`, c.name, c.name, m.file("bootloader", "ALL", c.suffix), strings.ReplaceAll(c.attributes, `"`, "&quot;"))
		if m.o.Boot != BootNoHWConfig {
			fmt.Fprintf(&b, "    <HWCONFIG CERTIFICATE=\"%s\" REVISION=\"4\" VERSION=\"6\"/>\n", c.hwconf)
		}
		fmt.Fprintf(&b, `    <KEYSTORE CERTIFICATE="keystore_%s" REVISION="2"/>
    <SECURITY_PROPERTIES REVISION="1"/>
    <SECURITY_STATE VALUE="%s"/>
  </CONFIGURATION>
`, strings.ToLower(c.suffix), security)
	}
	b.WriteString("</BOOT_DELIVERY>\n")
	return b.String()
}

// codeNames are Sony's own.
var codeNames = map[string]string{"xz1": "poplar", "1": "griffin", "1iii": "pdx215"}
