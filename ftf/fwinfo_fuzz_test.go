package ftf

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzFwinfo: whatever is in fwinfo.xml, what is read of it can be shown.
func FuzzFwinfo(f *testing.F) {
	f.Add([]byte(`<fwInfo><project>x</project><model>D5803</model><swVer>23.5.A.1.291</swVer><cda>1289-5302</cda><cdfVer>R5D</cdfVer><operator>Customized CE1</operator></fwInfo>`))
	f.Add([]byte("<?xml version=\"1.0\"?><fwInfo><model>\xff</model></fwInfo>"))
	f.Add([]byte("<a><a><a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseFwinfo(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, s := range []string{m.Device, m.Version, m.CDA, m.Revision, m.Branding} {
			if strings.ContainsFunc(s, isControl) || strings.TrimSpace(s) != s {
				t.Errorf("%q", s)
			}
		}
	})
}
