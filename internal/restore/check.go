package restore

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/firmware"
	"xflash/internal/inspect"
	"xflash/internal/phone"
	"xflash/sin"
)

// CheckOptions says what of a bundle is read to the last byte.
type CheckOptions struct {
	Request Request
	Roots   *sin.RootSet // root certificates given by the person; those of the loader are added
	// AnyRoot accepts every root, as a simulated phone with trust=any does. All other checks
	// remain.
	AnyRoot bool
	Loader  string      // a loader.sin besides the bundle; "" uses the bundle's own
	Emit    func(Event) // may be nil
}

// Check reads a bundle once and says what is in it. Files that the request would send
// are read to the last byte: archive checksum, header, signature, chain, every block
// and everything that a compressed block unpacks to. Of the others only header and map
// are read, because a bundle that aims at a protected partition is refused whole.
//
// An Item holds the faults of its file; Build judges it. The error is a *SelectorError,
// Problems when the model is unknown, or one of reading.
func Check(ctx context.Context, b *ftf.Bundle, opt CheckOptions) (*Firmware, error) {
	id, err := b.Identity()
	if err != nil {
		return nil, err
	}
	fw := &Firmware{Name: filepath.Base(b.Path), Identity: id, Manifest: b.Manifest, Delivery: b.Delivery, Tables: b.Tables, Script: b.Script, AnyRoot: opt.AnyRoot}
	for _, n := range b.Notes {
		fw.Notes = append(fw.Notes, n.String())
	}
	if beside := firmware.Beside(b); beside != "" {
		fw.Notes = append(fw.Notes, beside)
	}
	if err := fw.identify(b, opt.Request); err != nil {
		return fw, err
	}
	for _, m := range b.Members {
		fw.Items = append(fw.Items, fw.newItem(m))
	}
	if opt.Loader != "" {
		if err := fw.useLoader(opt.Loader); err != nil {
			return fw, err
		}
	}
	j, err := newJudge(fw, nil, opt.Request)
	if err != nil {
		return fw, err
	}
	c := &checkRun{fw: fw, opt: opt, judge: j}
	if !opt.AnyRoot {
		c.roots = &sin.RootSet{}
		for _, root := range opt.Roots.All() {
			if err := c.roots.Add(root.Raw); err != nil {
				return fw, err
			}
		}
	}
	if err := c.run(ctx, b); err != nil {
		return fw, err
	}
	if it := j.chosen("loader"); it != nil {
		fw.Loader = it.Loader
	}
	if it := j.chosen("partition-image"); it != nil {
		fw.Layout = it.Layout
	}
	return fw, nil
}

// identify finds the family of the model that the bundle is for.
func (fw *Firmware) identify(b *ftf.Bundle, p Request) error {
	code := cmp.Or(fw.Manifest.Device, p.Model)
	if code == "" {
		return refusal(fw.Name, "it does not say which model it is for", "the manifest has no device name",
			"look under the SIM-card flap of the phone and name the model, for example --model D5803")
	}
	family, model, ok := phone.ByModel(code)
	if !ok && SpeaksCommands(b) {
		family, model = phone.Unlisted(code)
		ok = true
	}
	if !ok {
		return refusal(fw.Name, fmt.Sprintf("it is for the unknown model %q", code), "xflash cannot write safely without knowing the partitions of the model",
			"check the model name; models can be added as data in internal/phone")
	}
	fw.Family, fw.Model = family, model
	return nil
}

func (fw *Firmware) newItem(m *ftf.Member) *Item {
	it := &Item{Member: m.Name, Base: m.Base, Short: m.Short, Kind: m.Kind, Boot: m.Boot, Bytes: m.Size, member: m, open: m.Open, ta: m.TA}
	if it.Kind == ftf.KindSIN {
		it.image, _ = fw.Family.Image(it.Short)
		it.table = fw.command() && !it.Boot && it.image.Writes == phone.ToTable
	}
	return it
}

// useLoader puts a loader from elsewhere in the place of the bundle's own.
func (fw *Firmware) useLoader(path string) error {
	f, size, err := fileio.Open(path)
	if err != nil {
		return err
	}
	f.Close()
	it := &Item{Member: path, Base: filepath.Base(path), Short: "loader", Kind: ftf.KindSIN, Bytes: size,
		open: func() (io.ReadCloser, error) { return os.Open(path) }}
	it.image, _ = fw.Family.Image(it.Short)
	for _, own := range fw.Items {
		own.Replaced = own.isLoader()
	}
	fw.Items = append([]*Item{it}, fw.Items...)
	return nil
}

func (it *Item) isLoader() bool { return it.image.Writes == phone.ToMemory && !it.Boot }

// checkRun is one pass over a bundle.
type checkRun struct {
	fw    *Firmware
	opt   CheckOptions
	judge *judge
	roots *sin.RootSet

	done, total int64 // bytes of the files that are read whole
}

// run reads every file once: a loader named apart from the bundle, then the bundle.
func (c *checkRun) run(ctx context.Context, b *ftf.Bundle) error {
	items := map[*ftf.Member]*Item{}
	for _, it := range c.fw.Items {
		if it.Kind == ftf.KindSIN && c.readsAll(it) {
			c.total += it.Bytes
		}
		if it.member != nil {
			items[it.member] = it
		} else if it.Problem = c.sin(ctx, it); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return firmware.Walk(ctx, b, firmware.Options{Roots: c.roots, Read: func(ctx context.Context, m *ftf.Member, opt sin.CheckOptions) (*sin.Report, error) {
		it := items[m]
		switch it.Kind {
		case ftf.KindSIN:
			it.Problem = c.sin(ctx, it)
		case ftf.KindTA:
			it.Problem = it.readUnits()
		default:
			it.Problem = inspect.Unused(ctx, m)
		}
		return nil, nil
	}}, func(f firmware.File) error {
		items[f.Member].Problem = cmp.Or(items[f.Member].Problem, f.Damage)
		return nil
	})
}

// readsAll says whether a SIN file is read to its last byte: what is wanted, and what the
// other files are judged by.
func (c *checkRun) readsAll(it *Item) bool {
	return c.judge.leftOut(it) == "" || it.image.Short != "" && it.image.Writes != phone.ToPartition && !it.Boot && !it.Replaced
}

func (c *checkRun) sin(ctx context.Context, it *Item) (err error) {
	it.blind = !c.readsAll(it) // until it is known what it aims at
	r, err := it.Open()
	if err != nil {
		return err
	}
	defer func() {
		if e := r.Close(); err == nil && it.Checked {
			err = e
		}
	}()
	switch {
	case c.readsAll(it):
	case c.fw.command():
		return it.readName(r)
	default:
		return c.readHeaderAndMap(it, r)
	}
	report, err := sin.Check(ctx, r, it.Bytes, sin.CheckOptions{
		Name: it.Member, Roots: c.roots,
		Progress: func(n int64) { c.emit(Checking{Name: it.Short, Done: c.done + n, Total: c.total}) },
	})
	c.done += it.Bytes
	if report != nil {
		it.describe(report.Header, report.Map)
		it.Trust, it.Loader, it.Layout = report.Trust, report.Loader, report.Layout
		if len(report.Parts) == 1 {
			it.holds = report.Parts[0].Kind
		}
		it.describeArchive(report)
		if it.Loader != nil && c.roots != nil && it.isLoader() {
			c.roots.AddLoader(it.Loader)
		}
	}
	if err == nil {
		err = c.fw.accepts(report.Header.Version)
	}
	if err == nil && report.Unsendable != "" && !c.fw.command() {
		err = unfit(report.Unsendable)
	}
	if err == nil && it.table {
		it.lun, err = it.readTable()
	}
	it.Checked = err == nil
	return err
}

// readHeaderAndMap reads only what tells where a file would write. Of a damaged file that is
// read anyway, because what it aims at counts although it is not sent.
func (c *checkRun) readHeaderAndMap(it *Item, r io.Reader) error {
	start := bufio.NewReader(r)
	head, _ := start.Peek(sin.DetectSize) // a short file is not an archive
	if version := sin.Detect(head); version > 3 {
		it.blind = false // what these phones cannot read names no target
		return c.fw.accepts(version)
	}
	damage := it.aim(start, it.Bytes, true)
	it.blind = damage != nil
	if !it.blind {
		return nil
	}
	again, err := it.Open()
	if err != nil {
		return damage
	}
	defer again.Close()
	it.blind = it.aim(again, -1, false) != nil
	return damage
}

// aim reads where a file would write. Without proof hashes and sizes may be wrong.
func (it *Item) aim(r io.Reader, size int64, proof bool) error {
	h, err := sin.ReadHeader(r, size)
	if h != nil {
		it.describe(h, nil)
	}
	if err != nil || h.Type != sin.TypeImage {
		return err
	}
	if proof {
		r = h.NewReader(r)
	}
	m, err := h.ReadMap(r)
	if err == nil {
		it.describe(h, m)
	}
	return err
}

func (it *Item) describe(h *sin.Header, m *sin.Map) {
	it.Type, it.HeaderSHA256 = h.Type, hexSHA256(h.Raw)
	it.Signer, it.Issuer = h.Signer(), h.Issuer()
	if m == nil {
		return
	}
	form := formOf(h, m)
	it.Targets, it.form = m.Targets, &form
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (it *Item) readUnits() error {
	f, err := it.ta()
	if err != nil {
		it.blind = true
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
