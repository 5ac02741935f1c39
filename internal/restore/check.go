package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// CheckOptions says what of a bundle is read to the last byte.
type CheckOptions struct {
	Policy Policy
	Roots  *sin.RootSet // root certificates given by the person; those of the loader are added
	// AnyRoot takes every root for good, as a simulated phone with trust=any does. What
	// else is checked stays checked.
	AnyRoot bool
	Loader  string      // a loader.sin besides the bundle; "" uses the bundle's own
	Emit    func(Event) // may be nil
}

// Check reads a bundle once and says what is in it. Files that the policy would send
// are read to the last byte: archive checksum, header, signature, chain, every block
// and everything that a compressed block unpacks to. Of the others only header and map
// are read, because a bundle that aims at a protected partition is refused whole.
//
// The error is Problems when something is wrong with the bundle; the Firmware is
// returned next to it as far as it got.
func Check(ctx context.Context, b *ftf.Bundle, opt CheckOptions) (*Firmware, error) {
	id, err := b.Identity()
	if err != nil {
		return nil, err
	}
	fw := &Firmware{Name: filepath.Base(b.Path), Identity: id, Manifest: b.Manifest, Delivery: b.Delivery, Script: b.Script, AnyRoot: opt.AnyRoot}
	for _, n := range b.Notes {
		fw.Notes = append(fw.Notes, n.String())
	}
	if err := fw.identify(opt.Policy); err != nil {
		return fw, err
	}
	for _, m := range b.Members {
		fw.Items = append(fw.Items, newItem(m))
	}
	if opt.Loader != "" {
		if err := fw.useLoader(opt.Loader); err != nil {
			return fw, err
		}
	}
	c := &checkRun{fw: fw, opt: opt}
	if !opt.AnyRoot {
		c.roots = &sin.RootSet{}
	}
	for _, root := range opt.Roots.All() {
		if c.roots == nil {
			break
		}
		if err := c.roots.Add(root.Raw); err != nil {
			return fw, err
		}
	}
	if err := c.run(ctx); err != nil {
		return fw, err
	}
	problems := c.damaged()
	problems = append(problems, opt.Policy.safeList(fw)...)
	return fw, problems.orNil()
}

// identify finds the family of the model that the bundle is for.
func (fw *Firmware) identify(p Policy) error {
	code := fw.Manifest.Device
	if code == "" {
		code = p.Model
	}
	if code == "" {
		return Problems{{Kind: PolicyRefusal, Item: fw.Name, What: "it does not say which model it is for",
			Why: "the manifest has no device name", Next: "look under the SIM-card flap of the phone and name the model, for example --model D5803"}}
	}
	family, model, ok := phone.ByModel(code)
	if !ok {
		return Problems{{Kind: PolicyRefusal, Item: fw.Name, What: fmt.Sprintf("it is for the model %q, and nothing is known of it", code),
			Why:  "without knowing a model's partitions nothing can be written safely",
			Next: "check the model name; models can be added as data in internal/phone"}}
	}
	fw.Family, fw.Model = family, model
	return nil
}

func newItem(m *ftf.Member) *Item {
	it := &Item{Member: m.Name, Base: m.Base, Short: m.Short, Boot: m.Boot, Bytes: m.Size, open: m.Open, ta: m.TA}
	switch m.Kind {
	case ftf.KindSIN:
		it.Kind = ItemSIN
	case ftf.KindTA:
		it.Kind = ItemUnits
	default:
		it.Kind = ItemOther
	}
	return it
}

// useLoader puts a loader from elsewhere in the place of the bundle's own.
func (fw *Firmware) useLoader(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	it := &Item{Member: path, Base: filepath.Base(path), Short: "loader", Kind: ItemSIN, Bytes: st.Size(),
		open: func() (io.ReadCloser, error) { return os.Open(path) }}
	if own := fw.image("loader"); own != nil {
		own.Short = "loader (not used)"
	}
	fw.Items = append([]*Item{it}, fw.Items...)
	return nil
}

// checkRun is one pass over a bundle.
type checkRun struct {
	fw    *Firmware
	opt   CheckOptions
	roots *sin.RootSet

	done, total int64 // bytes of the files that are read whole
}

func (c *checkRun) run(ctx context.Context) error {
	// The loader comes first: it brings the certificate of the root that signed
	// the rest (sin-ftf-format.md §5.4).
	items := make([]*Item, 0, len(c.fw.Items))
	if l := c.fw.image("loader"); l != nil {
		items = append(items, l)
	}
	for _, it := range c.fw.Items {
		if len(items) == 0 || it != items[0] {
			items = append(items, it)
		}
	}
	for _, it := range items {
		if it.Kind == ItemSIN && c.whole(it) {
			c.total += it.Bytes
		}
	}
	for _, it := range items {
		var err error
		switch it.Kind {
		case ItemSIN:
			err = c.sin(ctx, it)
		case ItemUnits:
			err = it.readUnits()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		it.Problem = err
	}
	return nil
}

// whole says whether a SIN file is read to its last byte.
func (c *checkRun) whole(it *Item) bool {
	if it.Boot {
		return c.opt.Policy.excluded(bootName, it.Short) == ""
	}
	// The partition layout is needed to know what the other images write.
	img, known := c.fw.Family.Image(it.Short)
	return known && img.Writes == phone.ToTable || c.opt.Policy.leavesOut(c.fw.Family, c.fw.Manifest, it) == ""
}

func (c *checkRun) sin(ctx context.Context, it *Item) (err error) {
	r, err := it.Open()
	if err != nil {
		return err
	}
	defer func() {
		if e := r.Close(); err == nil && it.Checked {
			err = e
		}
	}()
	if !c.whole(it) {
		return c.glance(it, r)
	}
	report, err := sin.Check(ctx, r, it.Bytes, sin.CheckOptions{
		Name: it.Member, Roots: c.roots,
		Progress: func(n int64) { c.emit(Checking{Name: it.Short, Done: c.done + n, Total: c.total}) },
	})
	c.done += it.Bytes
	if report != nil {
		it.describe(report.Header, report.Map)
		it.Proven = report.Trust.Proven()
		c.keep(it, report)
	}
	if err == nil && report.Header.Version != 3 {
		err = fmt.Errorf("it is a SIN file of version %d, and these phones take version 3", report.Header.Version)
	}
	if err == nil && report.Unsendable != "" {
		err = errors.New(report.Unsendable)
	}
	it.Checked = err == nil
	return err
}

// keep remembers what other decisions need: the loader and the partition layout.
func (c *checkRun) keep(it *Item, report *sin.Report) {
	switch {
	case it.Boot:
	case it == c.fw.image("loader") && report.Loader != nil:
		c.fw.Loader = report.Loader
		if c.roots != nil {
			c.roots.AddLoader(report.Loader)
		}
	case report.Layout != nil:
		if img, ok := c.fw.Family.Image(it.Short); ok && img.Writes == phone.ToTable {
			c.fw.Layout = report.Layout
		}
	}
}

// glance reads header and map only.
func (c *checkRun) glance(it *Item, r io.Reader) error {
	h, err := sin.ReadHeader(r, it.Bytes)
	if h != nil {
		it.describe(h, nil)
	}
	if err != nil || h.Type != sin.TypeImage {
		return err
	}
	m, err := h.ReadMap(h.NewReader(r))
	if err == nil {
		it.describe(h, m)
	}
	return err
}

func (it *Item) describe(h *sin.Header, m *sin.Map) {
	it.Type, it.HeaderSHA256 = h.Type, headerSHA256(h)
	it.Signer, it.Issuer = h.Signer(), h.Issuer()
	if m == nil {
		return
	}
	it.Targets, it.Compressed = m.Targets, false
	for t := range m.Tags() {
		it.Compressed = it.Compressed || t.Kind == sin.TagLZ4A
	}
}

func headerSHA256(h *sin.Header) string {
	sum := sha256.Sum256(h.Raw)
	return hex.EncodeToString(sum[:])
}

func (it *Item) readUnits() error {
	f, err := it.ta()
	if err != nil {
		return err
	}
	it.TAPartition, it.Units = f.Partition, f.Units
	return nil
}

func (c *checkRun) emit(e Event) {
	if c.opt.Emit != nil {
		c.opt.Emit(e)
	}
}

// damaged lists the files that would be sent and cannot be.
func (c *checkRun) damaged() (ps Problems) {
	for _, it := range c.fw.Items {
		if it.Problem == nil || c.opt.Policy.skipped(it) {
			continue
		}
		if it.Kind == ItemSIN && !it.Boot && c.opt.Policy.leavesOut(c.fw.Family, c.fw.Manifest, it) != "" || it.Boot && !c.whole(it) {
			continue // not sent; the plan says why
		}
		ps = append(ps, Problem{Kind: FileInvalid, Item: it.Member, What: describeDamage(it.Problem),
			Err: it.Problem, Next: damageAdvice(it.Problem)})
	}
	return ps
}

// describeDamage leaves out the file name, which the Problem carries already.
func describeDamage(err error) string {
	var se *sin.Error
	if errors.As(err, &se) {
		copied := *se
		copied.File = ""
		return copied.Error()
	}
	return err.Error()
}

func damageAdvice(err error) string {
	var se *sin.Error
	if errors.As(err, &se) {
		switch se.Reason {
		case sin.Truncated, sin.CorruptBlock, sin.Trailing, sin.HeaderChanged, sin.CertificateDamaged, sin.SignatureDamaged, sin.BadData:
			return "the file was damaged on its way to you: get the bundle again, best from another place"
		case sin.ForgedRoot:
			return "this file is not from Sony: do not use the bundle, get it from a source you trust"
		}
	}
	return "get the bundle again, best from another place"
}
