package restore

import (
	"strings"
	"testing"

	"xflash/internal/text"
)

// TestPlanForAFrightenedPerson: five lines first, at 60 columns too; a run that continues
// shows only what is left.
func TestPlanForAFrightenedPerson(t *testing.T) {
	p := &Plan{Bundle: "D5803_23.5.A.1.291.ftf", Device: "D5803", Version: "23.5.A.1.291", Model: "D5803", Family: "shinano",
		Evidence: []string{"the phone says so itself"}, Bytes: 1_500_000_000, Questions: []string{"Nobody has tried this."},
		Steps: []Step{{Kind: StepImage, Name: "kernel", Bytes: 500_000_000, Partitions: []string{"boot"}}, {Kind: StepImage, Name: "system", Bytes: 1_000_000_000, Partitions: []string{"system"}}}}
	for _, width := range []int{60, 80} {
		out := p.TextFor(width, 0)
		at := 0
		for _, lead := range []string{"phone ", "firmware ", "your data ", "takes ", "not proven "} {
			i := strings.Index(out[at:], lead)
			if i < 0 {
				t.Fatalf("%q is not in its place:\n%s", lead, out)
			}
			at += i
		}
		if at > strings.Index(out, "Will be written") || !strings.Contains(out, "minutes") || !strings.Contains(out, "are kept") {
			t.Errorf("%s", out)
		}
		for line := range strings.Lines(out) {
			if text.Width(strings.TrimRight(line, "\n")) > width {
				t.Errorf("%d: %q", width, line)
			}
		}
	}
	if out := p.TextFor(80, 1); strings.Contains(out, "kernel ") || !strings.Contains(out, "1.00 GB") || strings.Contains(out, "1.50 GB") {
		t.Errorf("what is left:\n%s", out)
	}
	if p.Wipes = true; !strings.Contains(p.Text(), "ERASED") {
		t.Error("that data are erased is not in the first lines")
	}
}
