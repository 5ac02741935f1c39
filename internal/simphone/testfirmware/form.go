package testfirmware

import "slices"

// A form is how the bundles of one family differ from those of the Z3 Compact
// (internal/phone/PHONES.md §2.2).
type form struct {
	version  string            // of the bundle; invented but for the Z3 Compact
	loader   string            // VER of the made loader, "" is that of the executed one
	table    string            // name of the partition layout
	files    map[string]string // names of images by label, where they differ; "" for none
	noBoot   bool              // has no boot delivery
	topLevel []string          // boot images that are not in the delivery
}

// names are the names of images by the label that they write.
var names = map[string]string{
	"aboot": "emmc_appsboot", "boot": "kernel", "FOTAKernel": "fotakernel", "LTALabel": "elabel",
	"modemst1": "amss_fs_1", "modemst2": "amss_fs_2", "fsg": "amss_fsg",
}

var forms = map[string]form{
	"z3c":   {version: "23.5.A.1.291", loader: "MSM8974AB_26"}, // a loader nobody has executed
	"z2tab": {version: "23.5.A.1.291"},
	"z2":    {version: "23.5.A.1.291"},
	"z1":    {version: "14.6.A.1.236", topLevel: []string{"rpm"}},
	"e3":    {version: "18.6.A.0.182", files: map[string]string{"s1sbl": "s1sbl_aid4"}},
	"zr":    {version: "10.7.A.0.228", topLevel: []string{"rpm"}, files: map[string]string{"fsg": "amss_fs_3"}},
	"z":     {version: "10.7.A.0.228", topLevel: []string{"rpm"}, files: map[string]string{"fsg": "amss_fs_3"}},
	"m": {version: "15.4.A.1.9", noBoot: true, topLevel: []string{"rpm"},
		files: map[string]string{"modemst1": "modem_fs1", "modemst2": "modem_fs2", "fsg": "", "ramdump": ""}},
	"m4":  {version: "26.3.A.1.33", table: "partitions", files: map[string]string{"aboot": "aboot"}},
	"z5c": {version: "32.2.A.5.11"},
}

func formOf(phone string) form {
	f := forms[phone]
	if f.table == "" {
		f.table = "partition-image"
	}
	return f
}

// file is the short name of the image for a partition.
func (f form) file(label string) string {
	for _, known := range []map[string]string{f.files, names} {
		if name, ok := known[label]; ok {
			return name
		}
	}
	return label
}

// small makes everything that is not large.
func (m *maker) small() error {
	for _, e := range m.table.Entries {
		var raw string
		var err error
		short := m.form.file(e.Name)
		if short == "" {
			continue
		}
		switch e.Name {
		case "boot", "FOTAKernel":
			size := m.o.KernelSize
			if e.Name != "boot" {
				size = size * 5 / 6
			}
			var data []byte
			if data, err = m.kernel(size); err == nil {
				raw, err = m.raw(short, data)
			}
		case "cache":
			raw, err = m.ext4(short, 8<<20, "")
		case "userdata":
			raw, err = m.ext4(short, 16<<20, "")
		case "apps_log", "LTALabel", "oem", "diag", "persist":
			raw, err = m.ext4(short, 4<<20, "")
		case "modemst1", "modemst2":
			raw, err = m.raw(short, make([]byte, 1024))
		case "fsg", "modem":
			raw, err = m.raw(short, m.random(300_000))
		case "ssd":
			raw, err = m.raw(short, make([]byte, 8192))
		default:
			if !slices.Contains(m.form.topLevel, e.Name) {
				continue
			}
			raw, err = m.raw(short, append(elf(), m.random(60_000)...))
		}
		if err != nil {
			return err
		}
		signer := "S1_SW"
		if slices.Contains(m.form.topLevel, e.Name) {
			signer = "S1_Boot"
		}
		if err := m.image(short+".sin", short, e.Name, signer, raw); err != nil {
			return err
		}
	}
	return nil
}
