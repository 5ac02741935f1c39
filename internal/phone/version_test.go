package phone

import "testing"

// TestVersionsThatNoPhoneHas: a version is questioned where the releases are known, and only there.
func TestVersionsThatNoPhoneHas(t *testing.T) {
	for version, questioned := range map[string]bool{
		"23.5.A.1.291": false, "23.0.1.A.5.77": false, "23.0.A.2.93": false, "23.4.A.1.264": false, "": false,
		"3.5.A.1.291": true, "235.A.1.291": true, "23.6.A.0.1": true, "22.9.A.1": true, "32.5.A.1.291": true, "1": true, "latest": true,
	} {
		_, z3c, _ := ByModel("D5803")
		if got := z3c.QuestionVersion(version); (got != "") != questioned {
			t.Errorf("%q of a D5803: %q", version, got)
		}
		_, z1, _ := ByModel("C6903")
		if got := z1.QuestionVersion(version); z1.Code != "C6903" || got != "" {
			t.Errorf("%q of a %s, whose releases are unknown: %q", version, z1.Code, got)
		}
	}
}
