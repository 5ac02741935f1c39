package ftf

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Keys and values of the only public sample (FORMAT.md §5, masked there):
// LOCKED / 01000400 / 007B00E1.
const (
	testRoot     = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
	deliveryText = `<?xml version="1.0" encoding="UTF-8"?>
<BOOT_DELIVERY FORMAT="1" PRODUCT="Aries" SPACE_ID="1277-4231" VERSION="1277-4231_S1_Boot_MSM8974AC_LA1.0_59">
  <!-- two configurations -->
  <CONFIGURATION NAME="COMMERCIAL_1">
    <BOOT_CONFIG><FILE PATH="Aries_S1BootConfig_MiscTA.ta"/></BOOT_CONFIG>
    <BOOT_IMAGES>
      <FILE PATH="dbi_S1_Boot.sin"/>
      <FILE PATH="tz_S1_Boot.sin"/>
    </BOOT_IMAGES>
    <ATTRIBUTES VALUE="OTP_LOCK_STATUS_1=&quot;LOCKED&quot;;OTP_DATA_1=&quot;01000400&quot;;IDCODE_1=&quot;007B00E1&quot;;PLF_ROOT_1=&quot;` + testRoot + `&quot;"/>
    <HWCONFIG CERTIFICATE="S1_HWConf" REVISION="REV=&quot;1234-5678_R1&quot;" VERSION="6"/>
  </CONFIGURATION>
  <CONFIGURATION NAME="DEVELOPMENT">
    <BOOT_CONFIG><FILE PATH="Dev_MiscTA.ta"/></BOOT_CONFIG>
    <BOOT_IMAGES><FILE PATH="dbi_dev.sin"/></BOOT_IMAGES>
    <ATTRIBUTES VALUE='OTP_LOCK_STATUS_1="UNLOCKED";OTP_DATA_1="00000000";IDCODE_1="007B00E1"'/>
  </CONFIGURATION>
</BOOT_DELIVERY>
`
)

func parseDelivery(t *testing.T, text string) *BootDelivery {
	t.Helper()
	d, err := ParseBootDelivery(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBootDelivery(t *testing.T) {
	for name, text := range map[string]string{"plain": deliveryText, "BOM": "\ufeff" + deliveryText, "CRLF": strings.ReplaceAll(deliveryText, "\n", "\r\n"),
		"ASCII": strings.Replace(deliveryText, "UTF-8", "US-ASCII", 1), "no declaration": deliveryText[strings.Index(deliveryText, "\n")+1:]} {
		t.Run(name, func(t *testing.T) {
			d := parseDelivery(t, text)
			if d.Format != "1" || d.Product != "Aries" || d.SpaceID != "1277-4231" || len(d.Configurations) != 2 || len(d.Notes) != 0 {
				t.Fatalf("%+v", d)
			}
			c := d.Configurations[0]
			if c.Name != "COMMERCIAL_1" || c.Development() || !d.Configurations[1].Development() {
				t.Errorf("%+v", c)
			}
			if !reflect.DeepEqual(c.Config, []string{"Aries_S1BootConfig_MiscTA.ta"}) || !reflect.DeepEqual(c.Images, []string{"dbi_S1_Boot.sin", "tz_S1_Boot.sin"}) {
				t.Errorf("files: %v %v", c.Config, c.Images)
			}
			if !reflect.DeepEqual(c.Attributes, []Attribute{{"OTP_LOCK_STATUS_1", "LOCKED"}, {"OTP_DATA_1", "01000400"}, {"IDCODE_1", "007B00E1"}, {"PLF_ROOT_1", testRoot}}) {
				t.Errorf("attributes: %v", c.Attributes)
			}
			if c.HWConfig == nil || *c.HWConfig != (HWConfig{`REV="1234-5678_R1"`, "S1_HWConf", "6"}) || d.Configurations[1].HWConfig != nil {
				t.Errorf("HWCONFIG: %+v", c.HWConfig)
			}
		})
	}
}

// delivery wraps configurations into its own delivery without demands.
func delivery(configurations string) string {
	return "<BOOT_DELIVERY>" + configurations + "</BOOT_DELIVERY>"
}

func TestBootDeliveryAttributes(t *testing.T) {
	for value, list := range map[string][]Attribute{
		"":                      nil,
		`A="1"`:                 {{"A", "1"}},
		`A="1";`:                {{"A", "1"}},
		` A = "1" ; B="x;y=z" `: {{"A", "1"}, {"B", "x;y=z"}},
		`A=1;B=2`:               {{"A", "1"}, {"B", "2"}},
		`A=;B=""`:               {{"A", ""}, {"B", ""}},
	} {
		d := parseDelivery(t, delivery(`<CONFIGURATION NAME="C"><ATTRIBUTES VALUE='`+value+`'/></CONFIGURATION>`))
		if got := d.Configurations[0].Attributes; !reflect.DeepEqual(got, list) {
			t.Errorf("%q: %v, want %v", value, got, list)
		}
	}
	for value, reason := range map[string]Reason{`A`: BadXML, `A="1`: BadXML, `="1"`: BadXML, `A="1"B="2"`: BadXML, `A="1";a="2"`: Duplicate, strings.Repeat("A=1;", 2): Duplicate} {
		_, err := ParseBootDelivery(strings.NewReader(delivery(`<CONFIGURATION NAME="C"><ATTRIBUTES VALUE='` + value + `'/></CONFIGURATION>`)))
		want(t, err, reason, "line 1")
	}
}

// Test 9 of docs/contributing.md §5: XML that is made to hurt.
func TestBootDeliveryRefused(t *testing.T) {
	var many strings.Builder
	for i := range maxDeliveryFiles + 1 {
		fmt.Fprintf(&many, `<FILE PATH="%d.sin"/>`, i)
	}
	lol := `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>` + delivery("&lol2;")
	for _, c := range []struct {
		name, text string
		reason     Reason
		words      []string
	}{
		{"entity bomb", lol, BadXML, []string{"document type"}},
		{"outside entity", `<!DOCTYPE x SYSTEM "file:///etc/passwd">` + delivery(""), BadXML, []string{"document type"}},
		{"entity of its own", delivery("&own;"), BadXML, []string{"entity"}},
		{"depth 10000", strings.Repeat("<a>", 10000), BadXML, []string{"deep"}},
		{"many elements", "<BOOT_DELIVERY>" + strings.Repeat("<a/>", maxXMLElements+1), BadXML, []string{"elements"}},
		{"many attributes", "<BOOT_DELIVERY" + func() string {
			var b strings.Builder
			for i := range maxAttributes + 1 {
				fmt.Fprintf(&b, ` a%d=""`, i)
			}
			return b.String()
		}() + "/>", BadXML, []string{"attributes"}},
		{"large", delivery(strings.Repeat(" ", maxText)), TooLarge, nil},
		{"other charset", `<?xml version="1.0" encoding="ISO-8859-1"?>` + delivery(""), BadXML, []string{"ISO-8859-1", "UTF-8"}},
		{"says UTF-16", `<?xml version="1.0" encoding="UTF-16"?>` + delivery(""), BadXML, []string{"UTF-16"}},
		{"UTF-16 with mark", "\xff\xfe<\x00B\x00", BadXML, []string{"UTF-16"}},
		{"UTF-16 without mark", "<\x00B\x00", BadXML, []string{"UTF-16"}},
		{"not UTF-8", delivery("\xff\xfe"), BadXML, []string{"line 1"}},
		{"empty", "", BadXML, nil},
		{"no element", "<?xml version='1.0'?>\n", BadXML, nil},
		{"not closed", "<BOOT_DELIVERY>\n<CONFIGURATION NAME='C'>", BadXML, []string{"line 2"}},
		{"two roots", delivery(`<CONFIGURATION NAME="C"/>`) + delivery(""), BadXML, []string{"second root"}},
		{"text after it", delivery(`<CONFIGURATION NAME="C"/>`) + "junk", BadXML, nil},
		{"other root", "<UPDATE/>", BadXML, []string{"UPDATE", "BOOT_DELIVERY"}},
		{"no configuration", delivery(""), BadXML, []string{"no configuration"}},
		{"configuration twice", delivery(`<CONFIGURATION NAME="C"/><CONFIGURATION NAME="C"/>`), Duplicate, []string{`"C"`}},
		{"attribute twice", delivery(`<CONFIGURATION NAME="C" NAME="D"/>`), BadXML, []string{"twice"}},
		{"empty attribute twice", delivery(`<CONFIGURATION NAME="" NAME="D"/>`), BadXML, []string{"twice"}},
		{"HWCONFIG twice", delivery(`<CONFIGURATION NAME="C"><HWCONFIG/><HWCONFIG/></CONFIGURATION>`), Duplicate, nil},
		{"file twice", delivery(`<CONFIGURATION NAME="C"><BOOT_IMAGES><FILE PATH="a.sin"/><FILE PATH="A.SIN"/></BOOT_IMAGES></CONFIGURATION>`), Duplicate, nil},
		{"path out", delivery(`<CONFIGURATION NAME="C"><BOOT_IMAGES><FILE PATH="../tz.sin"/></BOOT_IMAGES></CONFIGURATION>`), UnsafeName, []string{"../tz.sin"}},
		{"no path", delivery(`<CONFIGURATION NAME="C"><BOOT_IMAGES><FILE/></BOOT_IMAGES></CONFIGURATION>`), UnsafeName, nil},
		{"image among the units", delivery(`<CONFIGURATION NAME="C"><BOOT_CONFIG><FILE PATH="a.sin"/></BOOT_CONFIG></CONFIGURATION>`), BadXML, []string{"a.sin"}},
		{"units among the images", delivery(`<CONFIGURATION NAME="C"><BOOT_IMAGES><FILE PATH="a.ta"/></BOOT_IMAGES></CONFIGURATION>`), BadXML, []string{"a.ta"}},
		{"many files", delivery(`<CONFIGURATION NAME="C"><BOOT_IMAGES>` + many.String() + `</BOOT_IMAGES></CONFIGURATION>`), TooLarge, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseBootDelivery(strings.NewReader(c.text))
			if e := want(t, err, c.reason, c.words...); e.Line == 0 {
				t.Errorf("no line in %v", err)
			}
		})
	}
}

func TestBootDeliveryUnknownElements(t *testing.T) {
	d := parseDelivery(t, delivery(`<CONFIGURATION NAME="C"><OTHER/></CONFIGURATION><NEWS/>`))
	hasNote(t, d.Notes, "OTHER", "line 1")
	hasNote(t, d.Notes, "NEWS")
}

// TestBootDeliveryFormat3: the elements of 2017 and later are known (FORMAT.md §5.3).
func TestBootDeliveryFormat3(t *testing.T) {
	d := parseDelivery(t, `<BOOT_DELIVERY FORMAT="3" PRODUCT="apollo" SPACE_ID="1310-7079" VERSION="1310-7079-X-BOOT-1">
 <CONFIGURATION NAME="COMMERCIAL_00000001">
  <BOOT_CONFIG><FILE PATH="a.ta"/></BOOT_CONFIG><BOOT_IMAGES><FILE PATH="b.sin"/></BOOT_IMAGES>
  <ATTRIBUTES VALUE="PLF_ROOT_HASH=&quot;00&quot;"/><HWCONFIG CERTIFICATE="S1_HWConf_e090_0004" REVISION="HWC_1" VERSION="7"/>
  <KEYSTORE CERTIFICATE="x_keystore_0000" REVISION="DKS_1"/><SECURITY_PROPERTIES REVISION="SP_1"/><SECURITY_STATE VALUE="AAAA"/>
 </CONFIGURATION></BOOT_DELIVERY>`)
	c := d.Configurations[0]
	if len(d.Notes) != 0 || d.Product != "apollo" || c.HWConfig.Certificate != "S1_HWConf_e090_0004" || c.Keystore != "x_keystore_0000" {
		t.Errorf("%+v, %+v", d, c)
	}
}

func TestBootVersion(t *testing.T) {
	for _, c := range []struct{ space, version, boot string }{
		{"1277-4231", "1277-4231_S1_Boot_MSM8974AC_11", "S1_Boot_MSM8974AC_11"},
		{"1306-5035", "1306-5035-X-BOOT-1", "X-BOOT-1"},
		{"1306-5035", "X_BOOT_1", "X_BOOT_1"},
		{"", "_S1_Boot_1", "S1_Boot_1"},
		{"1277-4231", "1277-4231__S1", "_S1"}, // one separator only
		{"1277-4231", "", ""},
	} {
		if got := (&BootDelivery{SpaceID: c.space, Version: c.version}).BootVersion(); got != c.boot {
			t.Errorf("%q of %q: %q, want %q", c.version, c.space, got, c.boot)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		delivery, phone string
		relation        Relation
	}{
		{"S1_Boot_MSM8974AC_LA1.0_59", "S1_Boot_MSM8974AC_LA1.0_59", Same},
		{"S1_Boot_MSM8974AC_LA1.0_59", "s1_boot_msm8974ac_la1.0_59", Same},
		{"S1_Boot_MSM8974AC_LA1.0_59", "S1_Boot_MSM8974AC_LA1.0_111", Older},
		{"S1_Boot_MSM8974AC_LA3.0_7", "S1_Boot_MSM8974AC_LA1.0_59", Newer},
		{"S1_Boot_MSM8974AC_LA1.0_059", "S1_Boot_MSM8974AC_LA1.0_60", Older},
		{"S1_Boot_MSM8974AC_LA1.0_59", "S1_Boot_MSM8974AC_LA3.0_L_1", Unrelated},
		{"S1_Boot_MSM8974AC_LA1.0_59", "R9A021", Unrelated},
		{"S1_Boot_1", "S1_Boot_1_2", Unrelated},
		{"S1_Boot_1", "", Unrelated},
		{"", "S1_Boot_1", Unrelated},
		{"V99999999999999999999999", "V100000000000000000000000", Older},
	} {
		if got := (&BootDelivery{Version: c.delivery}).Compare(c.phone); got != c.relation {
			t.Errorf("%q against %q: %v, want %v", c.delivery, c.phone, got, c.relation)
		}
	}
}

func FuzzBootDelivery(f *testing.F) {
	f.Add([]byte(deliveryText))
	f.Add([]byte(delivery(`<CONFIGURATION NAME="C"><ATTRIBUTES VALUE='A=1;B="2"'/><HWCONFIG/></CONFIGURATION>`)))
	f.Add([]byte(`<!DOCTYPE a><BOOT_DELIVERY/>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseBootDelivery(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, phone := range []PhoneKeys{{}, testPhone} {
			c, verdicts, err := d.Match(phone)
			if len(verdicts) != len(d.Configurations) || (c == nil) != (err != nil) {
				t.Fatalf("%v %v %v", c, verdicts, err)
			}
			if c != nil && (c.Development() || phone == PhoneKeys{}) {
				t.Fatalf("%+v was chosen", c)
			}
		}
		d.Compare(d.Version)
	})
}
