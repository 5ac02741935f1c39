package restore_test

import (
	"errors"
	"slices"
	"testing"

	"xflash/ftf"
	"xflash/internal/restore"
)

// FuzzCheckAndBuild changes one byte of one file of a sound bundle and asks with any
// options. Whatever comes of it, nothing panics, and a plan without an error names no file
// whose change was noticed: a changed file is sent only if its change proves harmless to
// every check, which for a signed file means that it was not read.
func FuzzCheckAndBuild(f *testing.F) {
	f.Add(uint8(3), uint32(0), byte(0), "", "", false, "")
	f.Add(uint8(3), uint32(2000), byte(1), "kernel", "", false, "D5803")
	f.Add(uint8(0), uint32(10), byte(0x80), "boot", "system", true, "D5833")
	f.Add(uint8(20), uint32(1200), byte(255), "", "sub/x.sin", true, "X")
	f.Fuzz(func(t *testing.T, which uint8, at uint32, change byte, only, skip string, wipe bool, model string) {
		b := newMadeBundle(t)
		m := b.members[int(which)%len(b.members)]
		original := slices.Clone(m.data)
		if len(m.data) > 0 {
			m.data[int(at)%len(m.data)] ^= change
		}
		request := restore.Request{Wipe: wipe, Model: model}
		if only != "" {
			request.Only = []string{only}
		}
		if skip != "" {
			request.Skip = []string{skip}
		}
		bundle, err := ftf.Open(b.write(t))
		if err != nil {
			return
		}
		defer bundle.Close()
		fw, err := restore.Check(t.Context(), bundle, restore.CheckOptions{Request: request, Roots: trusted(t)})
		if err != nil {
			return
		}
		plan, err := restore.Build(fw, nil, request)
		var problems restore.Problems
		if err != nil {
			if errors.As(err, &problems) && len(problems) == 0 {
				t.Error("an error without a problem")
			}
			return
		}
		changed := !slices.Equal(original, m.data)
		signed := m.units == nil
		for _, s := range plan.Steps {
			if changed && signed && s.Member == m.name {
				t.Errorf("%s was changed at byte %d and would be sent", m.name, int(at)%len(m.data))
			}
		}
	})
}
