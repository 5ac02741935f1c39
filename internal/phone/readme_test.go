package phone

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReadmeNeverWritten compares README's promise with the safe list, both ways.
// Layer: make check.
func TestReadmeNeverWritten(t *testing.T) {
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "<!-- never written")
	list, after, ended := strings.Cut(rest, "<!-- end of never written -->")
	if !ok || !ended {
		t.Fatal("README has no list of what is never written")
	}
	var labels []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(list, -1) {
		if m[1] != "alt_" {
			labels = append(labels, m[1])
		}
	}
	for _, label := range labels {
		for _, f := range Families() {
			if p, ok := f.Partition(label); ok && p.Verdict != Never {
				t.Errorf("README says that %s is never written, and on %s its verdict is %s", label, f.Name, p.Verdict)
			}
			for short, targets := range f.targets {
				if img, _ := f.Image(short); slices.Contains(targets, label) && img.Send != SendNever && img.Send != SendRefuse {
					t.Errorf("README says that %s is never written, and on %s the image %s writes it", label, f.Name, short)
				}
			}
		}
		if _, ok := NeverWritten(label); !ok {
			t.Errorf("README says that %s is never written, and the safe list does not know it", label)
		}
	}
	for _, p := range loaded().never {
		if !slices.Contains(labels, p.Label) {
			t.Errorf("%s is never written, and README does not say so", p.Label)
		}
	}
	for _, f := range Families() {
		for _, p := range f.Partitions {
			if strings.HasPrefix(p.Label, "alt_") && p.Verdict != Never {
				t.Errorf("README says that second copies are never written, and on %s %s is %s", f.Name, p.Label, p.Verdict)
			}
		}
	}
	numbers := regexp.MustCompile(`\b[0-9]{4,}\b`).FindAllString(list, -1)
	if len(numbers) < 6 {
		t.Errorf("README names the units %q only", numbers)
	}
	for _, text := range numbers {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if v := UnitVerdict(uint32(n)); v.Verdict != Never {
			t.Errorf("README says that unit %d is never written: %+v", n, v)
		}
	}
	if v := UnitVerdict(1<<32 - 1); v.Verdict != Never {
		t.Errorf("the last unit: %+v", v)
	}
	// Modem settings are not on that list: Sony's own reset files write them.
	for _, label := range []string{"modemst1", "modemst2", "fsg"} {
		if !strings.Contains(after, "`"+label+"`") {
			t.Errorf("README does not say how %s is written", label)
		}
		for _, f := range Families() {
			if p, ok := f.Partition(label); ok && p.Verdict != Bundle && p.Verdict != Never {
				t.Errorf("%s: %s may be written outside a complete bundle (%s)", f.Name, label, p.Verdict)
			}
		}
	}
}
