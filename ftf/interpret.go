package ftf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// interpret reads the texts of the bundle.
func (b *Bundle) interpret() error {
	if !slices.ContainsFunc(b.Members, func(m *Member) bool { return m.Kind == KindSIN || m.Kind == KindTA }) {
		if at := slices.IndexFunc(b.Members, func(m *Member) bool { return strings.EqualFold(path.Ext(m.Name), ".ftf") }); at >= 0 {
			return fail(NotBundle, "it is an archive around %s: unpack it first, and use that file", b.Members[at].Name)
		}
		if slices.ContainsFunc(b.Members, func(m *Member) bool { return strings.HasPrefix(m.Name, "META-INF/com/google/android/") }) {
			return fail(NotBundle, "it is a system update, which a recovery installs")
		}
		return fail(NotBundle, "it holds no image (.sin) and no trim-area file (.ta)")
	}
	for _, step := range []func() error{b.readManifest, b.readDelivery, b.readTables, b.readScript} {
		if err := step(); err != nil {
			return err
		}
	}
	b.noteUnused()
	return nil
}

// noteUnused tells what is in the bundle for nothing, in one note.
func (b *Bundle) noteUnused() {
	const shown = 5
	var names []string
	others := 0
	for _, m := range b.Members {
		if m.Kind != KindOther {
			continue
		}
		if others++; others <= shown {
			names = append(names, m.Name)
		}
	}
	if others > shown {
		names = append(names, fmt.Sprintf("%d more", others-shown))
	}
	if others > 0 {
		b.note("", "not used: %s", strings.Join(names, ", "))
	}
}

// named finds members by their last element, in any case, outside boot/ and
// partition/ unless inside says so.
func (b *Bundle) named(base string, inside bool) []*Member {
	var out []*Member
	for _, m := range b.Members {
		if strings.EqualFold(m.Base, base) && m.Kind != KindOther && (inside || !m.Boot && !m.Partition) {
			out = append(out, m)
		}
	}
	return out
}

// readManifest takes model and version from the manifest, else from fwinfo.xml,
// else from a folder's name. What only XperiFirm writes may be unreadable: then
// it is noted, and the facts count as not known.
func (b *Bundle) readManifest() error {
	for _, m := range b.Members {
		if m.Kind == KindManifest {
			return b.manifestFrom(m, ParseManifest)
		}
	}
	for _, m := range b.named("fwinfo.xml", false) {
		if err := b.tolerate(m, b.manifestFrom(m, parseFwinfo)); err != nil {
			return err
		}
	}
	if b.Manifest.From == "" {
		m, ok := manifestFromName(b.Path)
		if !ok {
			m, ok = manifestFromName(b.Inside)
		}
		if ok && b.Folder {
			b.Manifest = m
			b.note("", "no manifest and no fwinfo.xml: model and version come from the name of the folder")
		} else {
			b.note("", "no manifest: model and version are unknown")
		}
	}
	for _, m := range b.named("update.xml", false) {
		err := m.read(func(r io.Reader) (err error) {
			b.Manifest.NoErase, err = ParseUpdate(r)
			return err
		})
		if err := b.tolerate(m, err); err != nil {
			return err
		}
	}
	return nil
}

// tolerate turns the failure of a text that is not needed into a note. Damaged
// contents concern more than one text: they stay failures.
func (b *Bundle) tolerate(m *Member, err error) error {
	if errors.Is(err, BadXML) || errors.Is(err, BadText) || errors.Is(err, TooLarge) {
		b.note(m.Name, "not used: it cannot be read: %v", err)
		m.Err = err
		return nil
	}
	return err
}

func (b *Bundle) manifestFrom(m *Member, parse func(io.Reader) (Manifest, error)) error {
	var manifest Manifest
	err := m.read(func(r io.Reader) (err error) {
		manifest, err = parse(r)
		return err
	})
	if err != nil {
		return err
	}
	b.Manifest = manifest
	b.Manifest.From = m.Name
	if manifest.Device == "" {
		b.note(m.Name, "does not name the model")
	}
	return nil
}

// readDelivery reads boot_delivery.xml at the top or in boot/. Two that differ
// are refused: only one could be right, and the wrong one bricks phones.
func (b *Bundle) readDelivery() error {
	m, data, err := b.text("boot_delivery.xml", "boot deliveries")
	if err != nil {
		return err
	}
	if m != nil {
		if b.Delivery, err = ParseBootDelivery(bytes.NewReader(data)); err != nil {
			return within(err, "", m.Name)
		}
		for _, n := range b.Delivery.Notes {
			b.note(m.Name, "%s", n.Text)
		}
	}
	if b.Delivery == nil && slices.ContainsFunc(b.Members, func(m *Member) bool { return m.Boot && m.Kind == KindSIN }) {
		b.note("", "images in boot/ without a boot_delivery.xml that assigns them to phones: not used")
	}
	return nil
}

// text reads a text at the top or in its folder; m is nil when it is in neither. Two must be
// the same.
func (b *Bundle) text(base, what string) (m *Member, data []byte, err error) {
	for _, other := range b.named(base, true) {
		var more []byte
		err := other.read(func(r io.Reader) (err error) {
			more, err = readText(r)
			return err
		})
		switch {
		case err != nil:
			return nil, nil, err
		case m == nil:
			m, data = other, more
		case !bytes.Equal(data, more):
			return nil, nil, within(fail(Ambiguous, "there are two different %s", what), "", other.Name)
		}
	}
	return m, data, nil
}

func (b *Bundle) readScript() error {
	for _, m := range b.Members {
		if m.Kind != KindFSC {
			continue
		}
		if b.Script != nil {
			b.note(m.Name, "a second flash script: not used")
			continue
		}
		err := m.read(func(r io.Reader) (err error) {
			b.Script, err = ParseScript(r)
			return err
		})
		if err != nil {
			if err = b.tolerate(m, err); err != nil {
				return err
			}
			continue
		}
		b.ScriptName = m.Name
		for _, n := range b.Script.Notes {
			b.note(m.Name, "%s", n.Text)
		}
	}
	return nil
}
