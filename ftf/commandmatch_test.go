package ftf

import (
	"errors"
	"strings"
	"testing"
)

// delivery2017 is a boot delivery of 2017 and later; attributes by configuration, in order.
func delivery2017(space, version string, attributes ...[2]string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><BOOT_DELIVERY FORMAT="3" PRODUCT="p" SPACE_ID="` + space + `" VERSION="` + version + `">`)
	for _, a := range attributes {
		b.WriteString(`<CONFIGURATION NAME="` + a[0] + `"><BOOT_CONFIG><FILE PATH="c.ta"/></BOOT_CONFIG><BOOT_IMAGES><FILE PATH="bootloader_` + a[0] + `.sin"/></BOOT_IMAGES>`)
		if a[1] != "" {
			b.WriteString(`<ATTRIBUTES VALUE="` + strings.ReplaceAll(a[1], `"`, "&quot;") + `"/>`)
		}
		b.WriteString(`<KEYSTORE CERTIFICATE="k" REVISION="1"/><SECURITY_STATE VALUE="AAAA"/></CONFIGURATION>`)
	}
	return b.String() + `</BOOT_DELIVERY>`
}

// Every form of a boot delivery that is known, against phones that fit and that do not.
func TestMatchCommand(t *testing.T) {
	const dev = `DEFAULT_SECURITY="OFF"`
	good, other := strings.Repeat("2B9E", 24), strings.Repeat("77AA", 24)
	hash := func(h string) string { return `PLF_ROOT_HASH="` + h + `"` }
	both := func(id, h string) string { return `PLATFORM_ID="` + id + `";` + hash(h) }
	phone := CommandKeys{DefaultSecurity: "ON", PlatformID: "300A50E1", RootHash: strings.ToLower(good), BootVersion: "1315-2591_X_Boot_SM8150_LA2.0_Q_115"}
	const version = "1315-2591-X-BOOT-SM8150-LA2.0-Q-116"
	for _, c := range []struct {
		name   string
		xml    string
		change func(k *CommandKeys)
		want   string // configuration, or part of the error
	}{
		{"with PLATFORM_ID", delivery2017("1315-2591", version, [2]string{"DEVELOPMENT", dev}, [2]string{"TEST_OEM0", both("000A50E1", other)}, [2]string{"COMMERCIAL", both("000A50E1", good)}), nil, "COMMERCIAL"},
		{"without PLATFORM_ID, as of 2024", delivery2017("1315-2591", version, [2]string{"DEVELOPMENT", dev}, [2]string{"COMMERCIAL", hash(good)}), nil, "COMMERCIAL"},
		{"attributes in another order", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(good) + ";" + `PLATFORM_ID="000A50E1"`}), nil, "COMMERCIAL"},
		{"another silicon revision", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", both("100A50E1", good)}), nil, "COMMERCIAL"},
		{"no delivery for this hash", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(other)}), nil, "PLF_ROOT_HASH should be"},
		{"the hash of the phone and another PLATFORM_ID", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", both("000B50E1", good)}), nil, "PLATFORM_ID should be"},
		{"two with the hash, one with the PLATFORM_ID", delivery2017("1315-2591", version, [2]string{"A", both("000B50E1", good)}, [2]string{"B", both("000A50E1", good)}), nil, "B"},
		{"two that fit", delivery2017("1315-2591", version, [2]string{"A", hash(good)}, [2]string{"B", both("000A50E1", good)}), nil, "several boot configurations"},
		{"nothing ties it to the phone", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", ""}), nil, "is not set"},
		{"a hash without a value", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash("")}), nil, "is not set"},
		{"PLATFORM_ID alone", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", `PLATFORM_ID="000A50E1"`}), nil, "is not set"},
		{"an attribute nobody knows", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(good) + `;COLOUR="red"`}), nil, "COLOUR should be"},
		{"OTP_DATA_1 of older phones", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(good) + `;OTP_DATA_1="00000002"`}), nil, "OTP_DATA_1 should be"},
		{"another space", delivery2017("1315-2592", version, [2]string{"COMMERCIAL", hash(good)}), nil, "SPACE_ID should be"},
		{"the phone does not tell its hash", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(good)}), func(k *CommandKeys) { k.RootHash = "" }, "does not tell"},
		{"a short hash", delivery2017("1315-2591", version, [2]string{"COMMERCIAL", hash(good)}), func(k *CommandKeys) { k.RootHash = k.RootHash[:64] }, "PLF_ROOT_HASH should be"},
		{"a development phone", delivery2017("1315-2591", version, [2]string{"DEVELOPMENT", dev}, [2]string{"COMMERCIAL", hash(other)}), func(k *CommandKeys) { k.DefaultSecurity = "OFF" }, "for development phones"},
		{"a development phone with a commercial key", delivery2017("1315-2591", version, [2]string{"DEVELOPMENT", dev}, [2]string{"COMMERCIAL", hash(good)}), func(k *CommandKeys) { k.DefaultSecurity = "OFF" }, "several boot configurations"},
	} {
		d, err := ParseBootDelivery(strings.NewReader(c.xml))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if len(d.Notes) != 0 {
			t.Errorf("%s: %v", c.name, d.Notes)
		}
		keys := phone
		if c.change != nil {
			c.change(&keys)
		}
		found, verdicts, err := d.MatchCommand(keys)
		if found != nil {
			if found.Name != c.want {
				t.Errorf("%s: %s, want %s", c.name, found.Name, c.want)
			}
			continue
		}
		if !errors.As(err, new(*MatchError)) || !strings.Contains(err.Error(), c.want) || len(verdicts) != len(d.Configurations) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestCompareCommand(t *testing.T) {
	for _, c := range []struct {
		delivery, phone string
		want            Relation
	}{
		{"8650-0001-X-BOOT-SM8650-LA1.0-U-37", "8650-0001_X_Boot_SM8650_LA1.0_U_36", Newer},
		{"8650-0001-X-BOOT-SM8650-LA1.0-U-36", "8650-0001_X_Boot_SM8650_LA1.0_U_36", Same},
		{"8650-0001-X-BOOT-SM8650-LA1.0-U-9", "8650-0001_X_Boot_SM8650_LA1.0_U_36", Older},
		{"1310-7079-X-BOOT-SDM845-LA2.0.1-Q-208", "1310-7079_X_Boot_SDM845_LA1.0_P_301", Newer},
		{"1310-7079-X-BOOT-SDM845-LA1.0-P-301", "1310-7079_X_Boot_SDM845_LA2.0.1_Q_208", Older},
		{"8850-0001-X-BOOT-SM8850-LA1.0-A16-22", "8850-0001_X_Boot_SM8850_LA1.0_V_80", Newer},
		{"8850-0001-X-BOOT-SM8850-LA1.0-A16-22", "8850-0001_X_Boot_SM8850_LA1.0_A16_22", Same},
		{"1322-1669-X-BOOT-SM8350-LA2.0.1-T-205", "1322-1669_X_Boot_SM8450_LA2.0.1_T_205", Unrelated},
		{"something", "1322-1669_X_Boot_SM8450_LA2.0.1_T_205", Unrelated},
		{"1322-1669-X-BOOT-NEW", "1322-1669_X_Boot_New", Same},
		{"", "", Unrelated},
	} {
		d := &BootDelivery{SpaceID: "1310-7079", Version: c.delivery}
		if got := d.CompareCommand(c.phone); got != c.want {
			t.Errorf("%s, phone %s: %v, want %v", c.delivery, c.phone, got, c.want)
		}
	}
}

func TestKeyID(t *testing.T) {
	for name, want := range map[string]string{
		"boot_X-FLASH-ALL-A2CD.sin": "A2CD", "oem_other_X-FLASH-CUST-a2cd.sin": "A2CD",
		"elabel-G8141-row_201702_X-FLASH-LTALABEL-42E5.sin":  "42E5",
		"partition-image-LUN0_62480384_X-FLASH-ALL-A2CD.sin": "A2CD",
		"boot.sin": "", "boot_X-FLASH-ALL-A2C.sin": "", "boot_X-FLASH-ALL-A2CD-old.sin": "", "": "",
	} {
		if got := KeyID(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPartitionDelivery(t *testing.T) {
	const real = `<PARTITION_DELIVERY FORMAT="1"><PARTITION_IMAGES><FILE PATH="partition-image-LUN0_62480384_X-FLASH-ALL-A2CD.sin"/>` +
		`<FILE PATH="partition/partition-image-LUN1_4096_X-FLASH-ALL-A2CD.sin"/></PARTITION_IMAGES></PARTITION_DELIVERY>`
	got, err := ParsePartitionDelivery(strings.NewReader(real))
	if err != nil || len(got) != 2 || got[1] != "partition-image-LUN1_4096_X-FLASH-ALL-A2CD.sin" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, bad := range []string{
		"", "<BOOT_DELIVERY/>", strings.Replace(real, "LUN1_4096", "LUN0_62480384", 1),
		strings.Replace(real, `"partition/`, `"../`, 1), strings.Replace(real, ".sin", ".exe", 1),
	} {
		if _, err := ParsePartitionDelivery(strings.NewReader(bad)); !errors.As(err, new(*Error)) {
			t.Errorf("%.60s: %v", bad, err)
		}
	}
}

func TestFolderNames(t *testing.T) {
	for name, want := range map[string]string{
		"XQ-AS72_Customized CN_58.0.A.28.60":              "XQ-AS72|Customized CN|58.0.A.28.60|",
		"H8216_Customized UK_52.1.A.3.49-R8C":             "H8216|Customized UK|52.1.A.3.49|R8C",
		"XQ-EC72_Customized_HK_69.2.A.4.110":              "XQ-EC72|Customized_HK|69.2.A.4.110|",
		"D5803_Customized NCB_1288-5411_23.5.A.1.291_R5D": "D5803|Customized NCB|23.5.A.1.291|R5D",
		"firmware": "", "a_b_c": "",
	} {
		m, ok := manifestFromName("/some/where/" + name)
		if got := strings.Join([]string{m.Device, m.Branding, m.Version, m.Revision}, "|"); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s, %v", name, got, ok)
		}
	}
}

func FuzzPartitionDelivery(f *testing.F) {
	f.Add([]byte(`<PARTITION_DELIVERY FORMAT="1"><PARTITION_IMAGES><FILE PATH="a.sin"/></PARTITION_IMAGES></PARTITION_DELIVERY>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tables, err := ParsePartitionDelivery(strings.NewReader(string(data)))
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%T %v", err, err)
		}
		for _, name := range tables {
			if strings.ContainsAny(name, `/\`) || kindOf(name) != KindSIN {
				t.Fatalf("a table %q", name)
			}
		}
	})
}

// FuzzMatchCommand: whatever a delivery says, a configuration is only found when its root hash
// is the phone's.
func FuzzMatchCommand(f *testing.F) {
	hash := strings.Repeat("2B9E", 16)
	f.Add([]byte(delivery2017("1", "1-X-BOOT-A-LA1-Q-1", [2]string{"DEVELOPMENT", `DEFAULT_SECURITY="OFF"`}, [2]string{"COMMERCIAL", `PLATFORM_ID="000A50E1";PLF_ROOT_HASH="` + hash + `"`})), "OFF")
	f.Fuzz(func(t *testing.T, data []byte, security string) {
		d, err := ParseBootDelivery(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		c, _, err := d.MatchCommand(CommandKeys{DefaultSecurity: security, PlatformID: "100A50E1", RootHash: hash, BootVersion: "1_X_Boot_A_LA1_Q_1"})
		if (c == nil) == (err == nil) {
			t.Fatalf("%+v, %v", c, err)
		}
		if c != nil {
			if got, _ := c.attribute("PLF_ROOT_HASH"); !strings.EqualFold(got, hash) || c.Development() {
				t.Fatalf("%s is taken", c.Name)
			}
		}
	})
}

func FuzzUpdateXML(f *testing.F) {
	f.Add([]byte("<UPDATE><NOERASE>userdata_X-FLASH-CUST-A2CD.sin</NOERASE><FACTORY_ONLY>a.ta</FACTORY_ONLY><FINGERPRINT>b.sin</FINGERPRINT></UPDATE>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := ParseUpdate(strings.NewReader(string(data)))
		if err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("%T %v", err, err)
		}
		for _, name := range names {
			if name == "" || name != strings.ToUpper(name) {
				t.Fatalf("a category %q", name)
			}
		}
	})
}

// What an update.xml of 2017 and later keeps: each element names one file, by its class.
func TestUpdateXML(t *testing.T) {
	names, err := ParseUpdate(strings.NewReader("<UPDATE><NOERASE>userdata_X-FLASH-CUST-A2CD.sin</NOERASE>\n<NOERASE>\n  diag_X-FLASH-ALL-A2CD.sin\n</NOERASE><FINGERPRINT>boot_X-FLASH-ALL-A2CD.sin</FINGERPRINT></UPDATE>"))
	if err != nil || strings.Join(names, ",") != "USERDATA,DIAG" {
		t.Errorf("%q, %v", names, err)
	}
}
