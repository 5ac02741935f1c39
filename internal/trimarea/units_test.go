package trimarea

import (
	"testing"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		partition int
		number    uint32
		name      string
		danger    Danger
		secret    bool
	}{
		{Misc, 2003, "HW_CONF", DangerNever, true},
		{Misc, 2010, "SIMLOCK_DATA", DangerNever, true},
		{Misc, 2022, "DRM_KEY", DangerNever, true},
		{Misc, 2036, "DRM_KEY", DangerNever, true},
		{Misc, 2129, "SIMLOCK_SIGNATURE", DangerNever, true},
		{Misc, 2210, "PHONE_NAME", DangerNever, false},
		{Misc, 2127, "BOOT_CONFIG", DangerVendor, false},
		{Misc, 2330, "OSV_RESTRICTION", DangerVendor, false},
		{Misc, 2212, "AC_VERSION", DangerNormal, false},
		{Misc, 2404, "FOTA_INTERNAL", DangerNormal, false},
		{Misc, 10100, "FLASH_STATE", DangerNormal, false},
		{Misc, 4900, "SERIAL_NUMBER", DangerNever, true},
		{Misc, 66667, "DEVICE_KEY", DangerNever, true},
		{Trim, 1877, "RF_CALIBRATION", DangerNever, true},
	} {
		m, ok := Describe(c.partition, c.number)
		if !ok || m.Partition != c.partition || m.Number != c.number || m.Name != c.name || m.Danger != c.danger || m.Secret != c.secret {
			t.Errorf("unit %d: %+v", c.number, m)
		}
	}
	for _, number := range []uint32{0, 2037, 9999, 0x10000, 0xFFFFFFFF} {
		if m, ok := Describe(Misc, number); ok || m.Danger != DangerNever || !m.Secret || m.Number != number {
			t.Errorf("unknown unit %d: %+v", number, m)
		}
	}
	if _, ok := Describe(Trim, 2003); ok {
		t.Error("unit 2003 of the other partition is taken for the record")
	}
}

func TestMeaningsAreSound(t *testing.T) {
	type key struct {
		partition int
		number    uint32
	}
	seen := map[key]string{}
	names := map[string]bool{}
	for _, m := range meanings() {
		if m.Name == "" || m.Text == "" || names[m.Name] {
			t.Errorf("name or text of unit %d: %+v", m.Number, m)
		}
		if names[m.Name] = true; m.Danger != DangerNever && m.Danger != DangerVendor && m.Danger != DangerNormal {
			t.Errorf("%s: danger %q", m.Name, m.Danger)
		}
		if m.Last != 0 && m.Last <= m.Number {
			t.Errorf("%s: range %d to %d", m.Name, m.Number, m.Last)
		}
		for n := m.Number; n <= max(m.Number, m.Last); n++ {
			k := key{m.Partition, n}
			if before, ok := seen[k]; ok {
				t.Errorf("unit %d is %s and %s", n, before, m.Name)
			}
			seen[k] = m.Name
		}
		if m.Number >= 0x10000 && m.Danger != DangerNever {
			t.Errorf("%s is in the protected range", m.Name)
		}
		if m.Secret && m.Danger != DangerNever {
			t.Errorf("%s is secret but may be written", m.Name)
		}
	}
}
