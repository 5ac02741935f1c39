// Package testfirmware makes firmware bundles that a simulated phone can be restored
// with, in the form of its family: real ext4 file systems, ELF kernels, a partition layout, a boot delivery and
// trim-area files, signed with a throw-away key. The demo and the tests use it. What
// a bundle holds follows ftf/FORMAT.md §8.1 and internal/phone/PHONES.md §2.2.
package testfirmware

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Options say what the bundle is like. The zero value needs only an Authority.
type Options struct {
	Phone      string // one of simphone.Names; "" is z3c
	Authority  *mkimage.Authority
	Loader     string // a real loader.sin; "" makes one
	SystemSize int64  // bytes of the system image; 0 is 48 MiB
	SystemFill int64  // bytes of the files in it that do not compress; 0 is a tenth of it
	KernelSize int    // about the bytes of kernel.sin's image; 0 is 6 MiB
	Disk       int64  // bytes of the phone's eMMC; 0 is simphone.DiskSize
	NoResets   bool   // leave out cust-reset.ta and fota-reset.ta
	Extra      []ftf.File
	Issuer     map[string]*mkimage.Authority // another authority for some images, by short name
}

// Firmware is a bundle and what is in it.
type Firmware struct {
	Bundle string            // path of the .ftf
	Images map[string]string // partition label: file with the bytes it must hold afterwards
	System string            // the folder that the system image was made from
}

// BootVersion is the version of the boot delivery for a z3c: newer than a new phone's.
const BootVersion = "S1_Boot_MSM8974AC_12"

// maker collects the files of a bundle in a folder.
type maker struct {
	ctx   context.Context
	dir   string
	o     Options
	facts simphone.Facts
	form  form
	table *gpt.Table
	files []ftf.File
	fw    *Firmware
	rng   *rand.ChaCha8
}

// Make makes a bundle in dir, D5803_23.5.A.1.291.ftf for a z3c.
func Make(ctx context.Context, dir string, o Options) (*Firmware, error) {
	if o.SystemSize == 0 {
		o.SystemSize = 48 << 20
	}
	if o.SystemFill == 0 {
		o.SystemFill = o.SystemSize / 10
	}
	if o.KernelSize == 0 {
		o.KernelSize = 6 << 20
	}
	if o.Disk == 0 {
		o.Disk = simphone.DiskSize
	}
	if o.Phone == "" {
		o.Phone = simphone.DefaultName
	}
	facts, err := simphone.FactsOf(o.Phone)
	if err != nil {
		return nil, err
	}
	table, err := simphone.Layout(o.Phone, o.Disk)
	if err != nil {
		return nil, err
	}
	m := &maker{ctx: ctx, dir: dir, o: o, facts: facts, form: formOf(o.Phone), table: table, fw: &Firmware{Images: map[string]string{}},
		rng: rand.NewChaCha8([32]byte([]byte("firmware for a simulated phone..")))}
	for _, step := range []func() error{m.loader, m.layout, m.system, m.small, m.boot, m.resets} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	m.files = append(m.files, o.Extra...)
	manifest := ftf.Manifest{Device: facts.Model, Version: m.form.version, Branding: "Customized CE1", CDA: "1289-5302", Revision: "R5D",
		NoErase: []string{"APPS_LOG", "USERDATA", "SSD", "DIAG", "B2B"}}
	m.fw.Bundle = filepath.Join(dir, manifest.FileName())
	return m.fw, fileio.Write(m.fw.Bundle, 0o644, func(f *os.File) error { return ftf.Write(f, manifest, m.files) })
}

// add puts a file of the folder into the bundle.
func (m *maker) add(name, path string) {
	m.files = append(m.files, ftf.File{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
}

// addText puts a text into the bundle.
func (m *maker) addText(name, text string) {
	m.files = append(m.files, ftf.File{Name: name, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(text))), nil
	}})
}

// sign makes a SIN of a payload and puts it into the bundle.
func (m *maker) sign(member, short, signer string, kind sin.PayloadType, p mkimage.Payload) error {
	authority := m.o.Authority
	if other := m.o.Issuer[short]; other != nil {
		authority = other
	}
	s, err := authority.Issue(signer, 4)
	if err != nil {
		return err
	}
	path := filepath.Join(m.dir, short+".sin")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = mkimage.Builder{Type: kind, Signer: s}.Build(f, p)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", short, err)
	}
	m.add(member, path)
	return nil
}

// image makes the SIN of a partition from a raw image.
func (m *maker) image(member, short, label, signer, raw string) error {
	entry, ok := m.table.ByName(label)
	if !ok {
		return fmt.Errorf("no partition %s", label)
	}
	src, err := os.Open(raw)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return err
	}
	var b mkimage.MapBuilder
	b.HashType = sin.SHA256
	b.Select(entry.Unique)
	if err := b.Image(src, st.Size(), mkimage.ImageOptions{LZ4: m.facts.LZ4(), Fill: m.facts.Fill28}); err != nil {
		return err
	}
	payload, err := b.Payload()
	if err != nil {
		return err
	}
	m.fw.Images[label] = raw
	return m.sign(member, short, signer, sin.TypeImage, payload)
}

// loader makes a program that looks like a loader: ARM ELF, product and version, the
// names of the map tags, and the root certificate.
func (m *maker) loader() error {
	if m.o.Loader != "" {
		m.add("loader.sin", m.o.Loader)
		return nil
	}
	code := elf()
	code = append(code, m.random(100_000)...)
	code = append(code, "\x00"+m.facts.Product+"\x00"+cmp.Or(m.form.loader, m.facts.Version)+"\x00"+strings.Join(m.facts.Tags, "\x00")+"\x00"...)
	code = append(code, m.o.Authority.Root...)
	return m.sign("loader.sin", "loader", "S1_Loader", sin.TypeLoader, mkimage.BytesPayload(append(code, 0, 0, 0, 0)))
}

// layout holds the tables of three sizes of eMMC, of which the phone accepts its own.
func (m *maker) layout() error {
	var l sin.Layout
	for _, disk := range []int64{m.o.Disk / 2 &^ 511, m.o.Disk, m.o.Disk * 2} {
		t, err := simphone.Layout(m.o.Phone, disk)
		if err != nil {
			continue // half of a small disk has no room for all partitions
		}
		l.Tables = append(l.Tables, sin.LayoutTable{Device: 0, Entries: t.Entries})
	}
	payload, err := mkimage.LayoutPayload(&l)
	if err != nil {
		return err
	}
	return m.sign(m.form.table+".sin", m.form.table, "S1_SW", sin.TypeLayout, mkimage.BytesPayload(payload))
}

// system makes a real ext4 file system with files to find again.
func (m *maker) system() error {
	root := filepath.Join(m.dir, "system.d")
	m.fw.System = root
	if err := os.MkdirAll(filepath.Join(root, "lib"), 0o755); err != nil {
		return err
	}
	files := map[string][]byte{
		"build.prop":     []byte("ro.product.model=" + m.facts.Model + "\nro.build.version.release=6.0.1\nro.build.id=" + m.form.version + "\n"),
		"lib/libtext.so": bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. "), 40_000),
		"lib/libcode.so": m.random(int(m.o.SystemFill)),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(root, name), data, 0o644); err != nil {
			return err
		}
	}
	raw, err := m.ext4("system", m.o.SystemSize, root)
	if err != nil {
		return err
	}
	return m.image("system.sin", "system", "system", "S1_SW", raw)
}

// ext4 makes a file system with Debian's e2fsprogs.
func (m *maker) ext4(name string, size int64, from string) (string, error) {
	raw := filepath.Join(m.dir, name+".img")
	if err := os.WriteFile(raw, nil, 0o644); err != nil {
		return "", err
	}
	if err := os.Truncate(raw, size); err != nil {
		return "", err
	}
	args := []string{"-q", "-F", "-L", name, "-E", "root_owner=0:0"}
	if from != "" {
		args = append(args, "-d", from)
	}
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		mkfs = "/sbin/mkfs.ext4" // often not on the path of an ordinary user
	}
	if out, err := exec.CommandContext(m.ctx, mkfs, append(args, raw)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("making the file system of %s needs mkfs.ext4 of the package e2fsprogs: %w %s", name, err, out)
	}
	return raw, nil
}

func (m *maker) raw(name string, data []byte) (string, error) {
	path := filepath.Join(m.dir, name+".img")
	return path, os.WriteFile(path, data, 0o644)
}

// random is bytes that do not compress, the same in every bundle.
func (m *maker) random(n int) []byte {
	b := make([]byte, n)
	_, _ = m.rng.Read(b) // never fails
	return b
}
