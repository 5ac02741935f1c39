package xperifirm

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// units makes the trim-area files of the root folder.
func (m *maker) units() error {
	type unit struct {
		file   string
		number uint32
		data   []byte
	}
	list := []unit{
		{"cust-reset", 2212, make([]byte, 14)},
		{"osv-restriction", 2330, []byte{0}},
		{"reset-kernel-cmd-debug", 2473, []byte{0}},
		{"master-reset", 2550, []byte{1}},
		{"reset-non-secure-adb", 2486, nil},
		{"reset-wipe-reason", 2553, nil},
		{"CustomerID_S1_c001526", 2171, []byte("c001526")},
	}
	if m.facts.Super {
		list = append(list, unit{"auto-boot", 2311, []byte{0}}, unit{"reset-retail-demo-active-sts", 2590, nil})
	} else {
		list = append(list, unit{"auto-boot", 2316, []byte{0}}, unit{"fota-reset", 2404, []byte{0}})
	}
	for _, u := range list {
		m.fw.Units[u.number] = u.data
	}
	if m.o.Hostile {
		list = append(list, unit{"simlock", 2010, []byte("unlocked")}, unit{"unlock-code", 2226, []byte("0123456789ABCDEF")},
			unit{"wlan", 2560, []byte{0, 1, 2, 3, 4, 5}}, unit{"model", 2210, []byte("Z9999\x00")}, unit{"key", 66667, make([]byte, 16)})
	}
	for _, u := range list {
		if err := m.write(u.file+".ta", fmt.Appendf(nil, "02\n%08X %04X %s\n", u.number, len(u.data), hexBytes(u.data))); err != nil {
			return err
		}
	}
	return nil
}

// lists makes update.xml and fwinfo.xml.
func (m *maker) lists() error {
	info := fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<fwinfo>\n<project>%s</project>\n<product>%s</product>\n<model>%s</model>\n"+
		"<cda>1310-4371</cda>\n<market>EU</market>\n<operator>Customized</operator>\n<network></network>\n<swVer>%s</swVer>\n<cdfVer>R1A</cdfVer>\n</fwinfo>\n",
		codeNames[m.o.Phone], m.facts.Product, m.facts.Product, m.o.Version)
	if err := m.write("fwinfo.xml", []byte(info)); err != nil || m.o.NoUpdate {
		return err
	}
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<UPDATE>\n")
	for _, s := range m.list() {
		if slices.Contains(m.o.NoErase, s.short) {
			fmt.Fprintf(&b, "  <NOERASE>%s</NOERASE>\n", m.file(s.short, s.class, m.o.Suffix))
		}
	}
	fmt.Fprintf(&b, "  <FACTORY_ONLY>%s</FACTORY_ONLY>\n", m.file("persist", "ALL", m.o.Suffix))
	if m.facts.Super {
		b.WriteString("  <FINGERPRINT>Sony/simulated:12/" + m.o.Version + ":user/release-keys</FINGERPRINT>\n")
	}
	b.WriteString("</UPDATE>\n")
	return m.write("update.xml", []byte(b.String()))
}

// zips packs the folders of tables and boot loaders, as Sony's server has them.
func (m *maker) zips() error {
	if !m.o.Zips {
		return nil
	}
	for _, name := range []string{"partition", "boot"} {
		folder := filepath.Join(m.root, name)
		if err := pack(folder, folder+".zip"); err != nil {
			return err
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return nil
}

func pack(folder, file string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	z := zip.NewWriter(f)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err == nil {
			var w io.Writer
			if w, err = z.Create(e.Name()); err == nil {
				_, err = w.Write(data)
			}
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(z.Close(), f.Close())
}
