package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
)

// compareScript tells how the flash script of a bundle differs from the order used.
// Scripts are captures of other tools; a renamed one has destroyed phones
// (ftf/FORMAT.md §4.2), so the script is compared and never run.
func compareScript(script *ftf.Script, order phone.Order, fw *Firmware) []string {
	if script == nil {
		return nil
	}
	var notes []string
	var ours, theirs []string
	for _, step := range order.Steps {
		for _, short := range step.Images {
			ours = append(ours, strings.ToLower(short))
		}
		for _, unit := range step.Units {
			if phone.UnitVerdict(unit).Verdict != phone.Session {
				ours = append(ours, fmt.Sprint(unit))
			}
		}
	}
	for _, a := range script.Actions {
		switch a.Verb {
		case ftf.UploadImage:
			short := strings.ToLower(a.Parameter)
			if img, ok := fw.Family.Image(short); ok {
				short = strings.ToLower(img.Short)
			}
			theirs = append(theirs, short)
		case ftf.WriteTA:
			theirs = append(theirs, fmt.Sprint(a.Number))
		case ftf.SetLoaderConfig:
			notes = append(notes, fmt.Sprintf("the flash script asks for a loader setting (line %d); it is not sent", a.Line))
		}
	}
	var unknown []string
	for _, name := range theirs {
		if !slices.Contains(ours, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		notes = append(notes, "the flash script names files that the order of this model lacks: "+strings.Join(unknown, ", "))
	}
	a, b := common(ours, theirs), append(common(theirs, ours), "nothing")
	for i := range a {
		if a[i] != b[i] {
			notes = append(notes, fmt.Sprintf("the flash script differs from the order of this model (%s comes where the script has %s); xflash uses the model's order", a[i], b[i]))
			break
		}
	}
	for _, n := range script.Notes {
		notes = append(notes, "flash script: "+n.Text)
	}
	return notes
}

// common is the names of a that b has too, in a's order, each once.
func common(a, b []string) (out []string) {
	for _, name := range a {
		if slices.Contains(b, name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
