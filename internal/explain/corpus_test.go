package explain

import (
	"os"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// noErrors are the blocks of a file of logs without an error, and its lines.
func noErrors(t *testing.T, path string) (whole string, blocks, lines []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var block strings.Builder
	for line := range strings.Lines(string(data)) {
		switch {
		case strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "#--- "):
			blocks = append(blocks, block.String())
			block.Reset()
		default:
			block.WriteString(line)
			whole += line
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return whole, append(blocks, block.String()), lines
}

// checkSilent: logs without an error get no answer, as a whole and by the block. A single
// line may be a note, or name the mode of a phone.
func checkSilent(t *testing.T, path string) {
	whole, blocks, lines := noErrors(t, path)
	for _, text := range append(blocks, whole) {
		for _, e := range Explain(text) {
			head, _, _ := strings.Cut(text, "\n")
			t.Errorf("block %q: %s %s", head, e.ID, e.Text(100))
		}
	}
	for _, line := range lines {
		for _, e := range Explain(line) {
			if e.Effect != severityNote && e.Source != FromBus {
				t.Errorf("%q: %s %s", line, e.ID, e.Text(100))
			}
		}
	}
	if len(lines) < 50 || len(blocks) < 8 {
		t.Errorf("only %d lines in %d blocks", len(lines), len(blocks))
	}
}

func TestNotErrors(t *testing.T) { checkSilent(t, samples.Reference(t, "not-errors.txt")) }

func TestNoErrors(t *testing.T) { checkSilent(t, "testdata/noerrors.txt") }

// realistic is a text of a program as people paste it: with what its placeholders are
// for, and with the lines that such a log has before and after it.
func realistic(r *toolError) string {
	text := r.text
	for _, fill := range []string{"system.sin", "12", "boot", "7"} {
		text = strings.Replace(text, "{}", fill, 1)
	}
	text = strings.ReplaceAll(text, "{}", "1")
	if r.exact != nil && strings.HasPrefix(r.text, "0x8") {
		text = strings.Replace(r.text, "{}", "0490", 1)
	}
	if r.match == "alone" {
		return text
	}
	switch {
	case strings.HasPrefix(r.id, "ft-"):
		if strings.HasPrefix(r.text, "ERROR - ") {
			return "12/030/2017 22:30:11 - INFO  - Selected Bundle for X\n12/030/2017 22:30:15 - " + text + "\n"
		}
		return "12/030/2017 22:30:11 - INFO  - Selected Bundle for X\n12/030/2017 22:30:15 - ERROR - " + text + "\n12/030/2017 22:30:16 - INFO  - Device disconnected\n"
	case strings.HasPrefix(r.id, "krn-"):
		return "[ 4012.101211] usb 1-2: " + text + "\n[ 4012.255115] usb 1-2: Manufacturer: SOMC\n"
	case strings.HasPrefix(r.id, "fb-"):
		return "$ fastboot flash boot boot.img\n" + text + "\nFinished. Total time: 0.021s\n"
	}
	return "some line before it\n" + text + "\nand one after it\n"
}

// TestEveryToolRow: each text is found in its own paste, and no other row hides it.
func TestEveryToolRow(t *testing.T) {
	for _, r := range toolErrors() {
		text := realistic(r)
		if r.severity == severityNote {
			text = strings.Split(strings.TrimSpace(text), "\n")[min(1, strings.Count(strings.TrimSpace(text), "\n"))]
		}
		found := Explain(text)
		ok := false
		for _, e := range found {
			ok = ok || e.ID == r.id || sameText(e.ID, r)
			if e.Source == FromTool && (strings.Contains(e.Text(78), "This is certain") || !e.PhoneSpoke && !strings.Contains(strings.Join(strings.Fields(e.Text(78)), " "), "the phone itself said nothing")) {
				t.Errorf("%s: %s", r.id, e.Text(78))
			}
		}
		if !ok {
			t.Errorf("%s (%s): not found in\n%s%v", r.id, r.match, text, ids(found))
		}
	}
}

// sameText: a few texts of two programs are the same but for their case.
func sameText(id string, r *toolError) bool {
	for _, o := range toolErrors() {
		if o.id == id {
			return fold(o.text) == fold(r.text) || o.template.constant >= r.template.constant && o.template.find(fold(strings.ReplaceAll(r.text, "{}", "x"))) != nil
		}
	}
	return false
}

func ids(found []Explanation) (list []string) {
	for _, e := range found {
		list = append(list, e.Source+":"+e.ID+e.Dynamic)
	}
	return list
}
