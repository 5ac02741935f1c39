package restore_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// members reads the test bundle into memory.
func members(t *testing.T) (ftf.Manifest, map[string][]byte) {
	t.Helper()
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ftf.Open(fw.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all := map[string][]byte{}
	for _, f := range b.Files() {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return b.Manifest, all
}

// rebundle writes the members into a new bundle.
func rebundle(t *testing.T, m ftf.Manifest, all map[string][]byte) string {
	t.Helper()
	var files []ftf.File
	for name, data := range all {
		files = append(files, ftf.File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
	}
	path := filepath.Join(t.TempDir(), "changed.ftf")
	if err := fileio.Write(path, 0o644, func(f *os.File) error { return ftf.Write(f, m, files) }); err != nil {
		t.Fatal(err)
	}
	return path
}

// signed makes a SIN of the given payload.
func signed(t *testing.T, a *mkimage.Authority, subject string, kind sin.PayloadType, p mkimage.Payload) []byte {
	t.Helper()
	signer, err := a.Issue(subject, 4)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (mkimage.Builder{Type: kind, Signer: signer}).Build(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// aimedAt makes an image that writes a partition of the simulated phone.
func aimedAt(t *testing.T, label string) []byte {
	t.Helper()
	table, err := simphone.DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	entry, ok := table.ByName(label)
	if !ok {
		t.Fatal("no partition", label)
	}
	b := mkimage.MapBuilder{HashType: sin.SHA256}
	b.Select(entry.Unique)
	b.Addr(bytes.NewReader(make([]byte, 4096)), 0, 0, 4096)
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, authority(), "S1_SW", sin.TypeImage, p)
}

// flip changes one bit.
func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x10
	return out
}

// places of a version 3 header (sin/FORMAT.md §3.1).
func hashListAt([]byte) int  { return 24 + 4 + 3 } // inside the first hash
func blobAt(h []byte) int    { return 24 + int(binary.BigEndian.Uint32(h[20:])) + 4 }
func payloadAt(h []byte) int { return int(binary.BigEndian.Uint32(h[4:])) }

func TestRefusedBeforeThePhoneIsOpened(t *testing.T) {
	t.Parallel()
	type bundle = map[string][]byte
	manifest, _ := members(t)
	z1 := func(t *testing.T) *mkimage.Authority { // another platform's root, by name
		a, err := mkimage.NewTestAuthority("S1_Root_6732")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tests := []struct {
		name    string
		change  func(t *testing.T, m *ftf.Manifest, b bundle)
		request restore.Request
		kind    restore.ProblemKind
		reason  sin.Reason // of damaged SIN files
		says    []string   // what the text must name
	}{
		{name: "truncated file", kind: restore.FileInvalid, reason: sin.Truncated, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = b["kernel.sin"][:len(b["kernel.sin"])-1]
			}},
		{name: "one byte too many", kind: restore.FileInvalid, reason: sin.Trailing, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["kernel.sin"] = append(b["kernel.sin"], 0) }},
		{name: "flipped bit in the payload", kind: restore.FileInvalid, reason: sin.CorruptBlock, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = flip(b["kernel.sin"], len(b["kernel.sin"])-5000)
			}},
		{name: "flipped bit in the hash list", kind: restore.FileInvalid, reason: sin.HeaderChanged, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = flip(b["kernel.sin"], hashListAt(b["kernel.sin"]))
			}},
		{name: "flipped bit in the certificate", kind: restore.FileInvalid, reason: sin.CertificateDamaged, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = flip(b["kernel.sin"], blobAt(b["kernel.sin"])+100)
			}},
		{name: "flipped bit in the signature", kind: restore.FileInvalid, reason: sin.SignatureDamaged, says: []string{"kernel.sin"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = flip(b["kernel.sin"], payloadAt(b["kernel.sin"])-20)
			}},
		{name: "another platform's root", kind: restore.PolicyRefusal, says: []string{"kernel.sin", "S1_Root_6732", "rhine"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["kernel.sin"] = signed(t, z1(t), "S1_SW", sin.TypeImage, imagePayload(t, "boot"))
			}},
		{name: "bundle for another model", kind: restore.PolicyRefusal, says: []string{"D6603", "D5803"}, request: restore.Request{Model: "D5803"},
			change: func(t *testing.T, m *ftf.Manifest, b bundle) { m.Device = "D6603" }},
		{name: "bundle for an unknown model", kind: restore.PolicyRefusal, says: []string{"ABC123"},
			change: func(t *testing.T, m *ftf.Manifest, b bundle) { m.Device = "ABC123" }},
		{name: "simlock.ta", kind: restore.PolicyRefusal, says: []string{"simlock.ta", "SIM"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["simlock.ta"] = []byte("02\n000007DA 0001 00\n") }},
		{name: "unit 2003 in a .ta file", kind: restore.PolicyRefusal, says: []string{"extra.ta", "2003"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["extra.ta"] = []byte("02\n000007D3 0001 00\n") }},
		{name: "unit of trim-area partition 1", kind: restore.PolicyRefusal, says: []string{"extra.ta", "partition 1"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["extra.ta"] = []byte("01\n00000755 0001 00\n") }},
		{name: "SIN for TA", kind: restore.PolicyRefusal, says: []string{"ta.sin", "TA"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["ta.sin"] = aimedAt(t, "TA") }},
		{name: "kernel.sin that writes TA", kind: restore.PolicyRefusal, says: []string{"kernel.sin", "TA"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["kernel.sin"] = aimedAt(t, "TA") }},
		{name: "SIN for modemst1", kind: restore.PolicyRefusal, says: []string{"modemst1.sin", "modemst1"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["modemst1.sin"] = aimedAt(t, "modemst1") }},
		{name: "system.sin that writes modemst1", kind: restore.PolicyRefusal, says: []string{"system.sin", "modemst1"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["system.sin"] = aimedAt(t, "modemst1") }},
		{name: "boot chain without a delivery", kind: restore.PolicyRefusal, says: []string{"sbl1.sin", "boot delivery"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["sbl1.sin"] = aimedAt(t, "sbl1") }},
		{name: "boot chain under another name", kind: restore.PolicyRefusal, says: []string{"elabel.sin", "aboot"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["elabel.sin"] = aimedAt(t, "aboot") }},
		{name: "hardware configuration", kind: restore.PolicyRefusal, says: []string{"hwconf.sin", "hardware configuration"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) {
				b["hwconf.sin"] = signed(t, authority(), "S1_HWConf", sin.TypeHWConf, mkimage.BytesPayload(make([]byte, 64)))
			}},
		{name: "image larger than its partition", kind: restore.PolicyRefusal, says: []string{"kernel.sin", "which holds"},
			change: func(t *testing.T, _ *ftf.Manifest, b bundle) { b["kernel.sin"] = tooLarge(t) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := manifest
			_, all := members(t)
			tt.change(t, &m, all)
			fw, err := check(t, rebundle(t, m, all), tt.request)
			if err == nil {
				_, err = restore.Build(fw, nil, tt.request)
			}
			var ps restore.Problems
			if !errors.As(err, &ps) {
				t.Fatalf("not refused: %v", err)
			}
			if ps.Kind() != tt.kind {
				t.Errorf("kind %s, want %s: %v", ps.Kind(), tt.kind, err)
			}
			if tt.reason != 0 && !errors.Is(err, sin.Because(tt.reason)) {
				t.Errorf("%v, want the reason %q", err, tt.reason)
			}
			for _, want := range tt.says {
				if text := whole(ps); !strings.Contains(text, want) {
					t.Errorf("%q does not name %q", text, want)
				}
			}
			for _, p := range ps {
				if p.Next == "" {
					t.Errorf("no advice for %q", p.What)
				}
			}
		})
	}
}

func whole(ps restore.Problems) (s string) {
	for _, p := range ps {
		s += p.Item + ": " + p.What + ": " + p.Why + "\n"
	}
	return s
}

func imagePayload(t *testing.T, label string) mkimage.Payload {
	t.Helper()
	table, err := simphone.DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := table.ByName(label)
	b := mkimage.MapBuilder{HashType: sin.SHA256}
	b.Select(entry.Unique)
	b.Addr(bytes.NewReader(make([]byte, 4096)), 0, 0, 4096)
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tooLarge is a kernel whose last piece ends 4096 bytes past the end of boot.
func tooLarge(t *testing.T) []byte {
	t.Helper()
	table, err := simphone.DefaultLayout(disk)
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := table.ByName("boot")
	b := mkimage.MapBuilder{HashType: sin.SHA256}
	b.Select(entry.Unique)
	b.Addr(bytes.NewReader(make([]byte, 4096)), 0, 20971520, 4096)
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, authority(), "S1_SW", sin.TypeImage, p)
}

// TestHostileArchives checks that archives which the container refuses never get as far
// as a plan. What exactly is refused there is tested in ftf.
func TestHostileArchives(t *testing.T) {
	_, all := members(t)
	write := func(t *testing.T, fill func(z *zip.Writer)) string {
		path := filepath.Join(t.TempDir(), "hostile.ftf")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		add(t, z, "META-INF/MANIFEST.MF", []byte("Manifest-Version: 1.0\r\ndevice: D5803\r\nversion: 1\r\n\r\n"))
		add(t, z, "kernel.sin", all["kernel.sin"])
		fill(z)
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name string
		fill func(z *zip.Writer)
		want ftf.Reason
	}{
		{"zip slip", func(z *zip.Writer) { add(t, z, "../../etc/passwd.sin", []byte("x")) }, ftf.UnsafeName},
		{"absolute name", func(z *zip.Writer) { add(t, z, "/etc/passwd.sin", []byte("x")) }, ftf.UnsafeName},
		{"zip bomb", func(z *zip.Writer) {
			data := make([]byte, 1<<20)
			w, err := z.CreateRaw(&zip.FileHeader{Name: "system.sin", Method: zip.Deflate, CompressedSize64: uint64(len(data)), UncompressedSize64: 1 << 30})
			if err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, ftf.TooLarge},
		{"XML bomb", func(z *zip.Writer) {
			add(t, z, "boot_delivery.xml", []byte(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><BOOT_DELIVERY SPACE_ID="&b;" VERSION="1"/>`))
		}, ftf.BadXML},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := check(t, write(t, tt.fill), restore.Request{})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// add writes a member.
func add(t *testing.T, z *zip.Writer, name string, data []byte) {
	t.Helper()
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
}
