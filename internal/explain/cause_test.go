package explain

import (
	"strings"
	"testing"
)

// What was proven about a file, and what HW_CONFIG says, decide the cause: advice to get
// other firmware would be wrong.
func TestRefusalUsesWhatIsProven(t *testing.T) {
	roots := []string{"S1_Root_9c84"}
	text := func(code string) string { return `ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="` + code + `";` }
	for name, tt := range map[string]struct {
		facts   Facts
		want    string
		without string
	}{
		"signature, proven":   {Facts{Text: text("800A0017"), Roots: roots, Issuer: roots[0], Proven: true}, "The file is genuine", "Get the official firmware"},
		"signature, unproven": {Facts{Text: text("800A0017"), Roots: roots, Issuer: roots[0]}, "changed or damaged", "genuine"},
		"header, proven":      {Facts{Text: text("80130025"), Proven: true}, "arrived damaged", "Get the"},
		"header, unproven":    {Facts{Text: text("80130025")}, "", "arrived damaged"},
		"no partition":        {Facts{Text: text("80080028"), Subject: "S1_SW", Roles: []Role{{Name: "S1_SW", Flags: 0x0003}}}, "bit 0010 is not set", ""},
		"partitions allowed":  {Facts{Text: text("80080028"), Subject: "S1_SW", Roles: []Role{{Name: "S1_SW", Flags: 0x0013}}}, "", "bit 0010"},
	} {
		e := Refusal(tt.facts)
		all := e.Meaning + " " + strings.Join(e.Next, " ")
		if !strings.Contains(all, tt.want) || tt.without != "" && strings.Contains(all, tt.without) {
			t.Errorf("%s: %s", name, all)
		}
	}
}
