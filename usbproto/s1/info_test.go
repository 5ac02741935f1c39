package s1_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"xflash/usbproto/s1"
)

func pairs(i *s1.Info) map[string]string {
	m := map[string]string{}
	for _, key := range i.Keys() {
		m[key], _ = i.Get(key)
	}
	return m
}

func TestParseInfo(t *testing.T) {
	type kv = map[string]string
	for name, c := range map[string]struct {
		text string
		keys []string
		want kv
	}{
		"as sent":            {`TYPE="S1_BOOT";VER="A";` + "\x00", []string{"TYPE", "VER"}, kv{"TYPE": "S1_BOOT", "VER": "A"}},
		"without NUL":        {`VER="A";TYPE="S1_BOOT";`, []string{"VER", "TYPE"}, kv{"TYPE": "S1_BOOT", "VER": "A"}},
		"several NULs":       {`VER="A";` + "\x00\x00\x00", []string{"VER"}, kv{"VER": "A"}},
		"no last semicolon":  {`VER="A";TYPE="B"`, []string{"VER", "TYPE"}, kv{"VER": "A", "TYPE": "B"}},
		"no quotation marks": {`VER=A;TYPE=B`, []string{"VER", "TYPE"}, kv{"VER": "A", "TYPE": "B"}},
		"empty value":        {`HW_CONFIG="";VER="A";`, []string{"HW_CONFIG", "VER"}, kv{"HW_CONFIG": "", "VER": "A"}},
		"semicolon inside":   {`MEMDEVS="a;b=c";VER="A";`, []string{"MEMDEVS", "VER"}, kv{"MEMDEVS": "a;b=c", "VER": "A"}},
		"mark inside":        {`MEMDEVS="a"b";VER="A";`, []string{"MEMDEVS", "VER"}, kv{"MEMDEVS": `a"b`, "VER": "A"}},
		"equals inside":      {`X="=\=";`, []string{"X"}, kv{"X": `=\=`}},
		"bytes above 127":    {"X=\"\xff\xfe\x01\";", []string{"X"}, kv{"X": "\xff\xfe\x01"}},
		"unknown keys":       {`ZZ_9="?";`, []string{"ZZ_9"}, kv{"ZZ_9": "?"}},
		"line ends":          {"VER=\"A\";\r\nTYPE=\"B\";\r\n", []string{"VER", "TYPE"}, kv{"VER": "A", "TYPE": "B"}},
		"noise between":      {`VER="A";;what;TYPE="B";`, []string{"VER", "TYPE"}, kv{"VER": "A", "TYPE": "B"}},
		"key twice":          {`VER="A";TYPE="B";VER="C";`, []string{"VER", "TYPE"}, kv{"VER": "C", "TYPE": "B"}},
		"cut off":            {`VER="A";TYPE="S1_BO`, []string{"VER", "TYPE"}, kv{"VER": "A", "TYPE": "S1_BO"}},
		"no key":             {`="A";VER="B";`, []string{"VER"}, kv{"VER": "B"}},
		"no pair":            {"hello", nil, kv{}},
		"nothing":            {"", nil, kv{}},
		"only NUL":           {"\x00", nil, kv{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := s1.ParseInfo([]byte(c.text))
			if !slices.Equal(got.Keys(), c.keys) || !maps.Equal(pairs(got), c.want) {
				t.Errorf("%q %q", got.Keys(), pairs(got))
			}
			if _, ok := got.Get("NOT_SENT"); ok {
				t.Error("a key that was not sent is there")
			}
		})
	}
}

func TestInfoKeys(t *testing.T) {
	root := strings.Repeat("0123456789abcdef", 4)
	i := s1.ParseInfo([]byte(`S1_ROOT="S1_Root_9c84, S1_Root_Test_b316";OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400";IDCODE_1="107B00E1";` +
		`PLF_ROOT="` + root + `";ROOTING_STATUS="ROOTED";VER="MSM8974AB_22";TYPE="S1_LOADER";`))
	if got := i.Roots(); !slices.Equal(got, []string{"S1_Root_9c84", "S1_Root_Test_b316"}) {
		t.Errorf("roots %q", got)
	}
	if i.Version() != "MSM8974AB_22" || i.Stage() != s1.StageLoader {
		t.Errorf("%q %q", i.Version(), i.Stage())
	}
	none := s1.ParseInfo(nil)
	if none.Stage() != "" || len(none.Roots()) != 0 {
		t.Error("an empty text has values")
	}
}

func TestMaxPacket(t *testing.T) {
	for text, want := range map[string]int{
		"00080000": 524288, "00010000": 65536, "00040000": 262144, "00800000": 8388608, "80000": 524288, "00000200": 512,
		// Not believable: the smallest known size is safe with all of them.
		"": 65536, "00000000": 65536, "000001FF": 65536, "01000001": 65536, "FFFFFFFF": 65536, "100000000": 65536, "-80000": 65536, "HELLO": 65536,
	} {
		if got := s1.ParseInfo([]byte(`MAX_PKT_SZ="` + text + `";`)).MaxPacket(); got != want {
			t.Errorf("%q: %d, expected %d", text, got, want)
		}
	}
	if got := s1.ParseInfo(nil).MaxPacket(); got != 65536 {
		t.Errorf("not sent: %d", got)
	}
}

func TestHWConfig(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		roles []s1.HWRole
		told  bool
	}{
		"not sent": {`VER="A";`, nil, false},
		"empty":    {`HW_CONFIG="";`, nil, true},
		"a word":   {`HW_CONFIG="UNKNOWN";`, nil, false},
		"two roles": {`HW_CONFIG="S1_Boot:0004:0003,S1_SW:0001:00F7";`, []s1.HWRole{
			{Name: "S1_Boot", AID: 4, Flags: s1.RoleEnforced | s1.RoleLiveRoot}, {Name: "S1_SW", AID: 1, Flags: 0xF7}}, true},
		"damaged entries": {`HW_CONFIG="S1_Boot:0004, S1_SW:0001:0003,:1:1,S1_Cust:XX:0003,S1_SL:0001:12345,";`,
			[]s1.HWRole{{Name: "S1_SW", AID: 1, Flags: 3}}, true},
	} {
		roles, told := s1.ParseInfo([]byte(c.text)).HWConfig()
		if !slices.Equal(roles, c.roles) || told != c.told {
			t.Errorf("%s: %+v %v", name, roles, told)
		}
	}
}

func TestSecret(t *testing.T) {
	for _, key := range []string{"IMEI", "PHONE_ID", "UNIQUE_DEV_ID_1", "MSN", "SERIAL_NO", "IMEI_2", "CARD_DATA"} {
		if !s1.Secret(key) {
			t.Errorf("%s is not secret", key)
		}
	}
	for _, key := range []string{"VER", "OTP_DATA_1", "IDCODE_1", "PLF_ROOT_1", "S1_ROOT", "HW_CONFIG", "MAX_PKT_SZ", "PROD_ID"} {
		if s1.Secret(key) {
			t.Errorf("%s is secret", key)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte(bootText))
	f.Add([]byte(loaderText))
	f.Add(reason("MINOR", "0017", "80080021"))
	f.Add([]byte(`A="x;y"z";B=;C="`))
	f.Add([]byte(`;=;"=";A=B;A="C";HW_CONFIG="S1_SW:0001:0003,";`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 { // the loader's own limit; the checks below are slow on long texts
			return
		}
		info := s1.ParseInfo(text)
		keys := info.Keys()
		var again strings.Builder
		for _, key := range keys {
			value, ok := info.Get(key)
			if !ok || key == "" || strings.ContainsAny(key, ";=") {
				t.Fatalf("key %q, value %q, %v", key, value, ok)
			}
			if !strings.Contains(string(text), key) || !strings.Contains(string(text), value) {
				t.Fatalf("%q=%q is not in the text", key, value)
			}
			fmt.Fprintf(&again, "%s=\"%s\";", key, value)
		}
		// Written down again it means the same, unless a value came without its marks and
		// holds what would end it.
		marks := func(v string) bool { return strings.Contains(v, `";`) || strings.HasSuffix(v, `"`) }
		if !slices.ContainsFunc(slices.Collect(maps.Values(pairs(info))), marks) {
			if back := s1.ParseInfo([]byte(again.String())); !maps.Equal(pairs(back), pairs(info)) || !slices.Equal(back.Keys(), keys) {
				t.Fatalf("%q became %q", pairs(info), pairs(back))
			}
		}
		if n := info.MaxPacket(); n < 512 || n > 16<<20 {
			t.Fatalf("packets of %d bytes", n)
		}
		info.HWConfig()
	})
}
