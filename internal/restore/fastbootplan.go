package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"xflash/internal/bootcheck"
	"xflash/internal/fileio"
	"xflash/internal/phone"
	"xflash/sin"
)

// The fastboot route of a restore, for a phone whose flash mode refuses everything and whose
// boot loader is unlocked: the parts of the owner's own bundle that fastboot reaches,
// through fastboot (internal/phone/PHONES.md §9.5). Nothing of it is signed on the way, so the
// phone's record of who may sign does not matter.

// fastbootOrder is what fastboot writes, in this order, and its name for the partition.
var fastbootOrder = []fastbootTarget{
	{"kernel", "boot"}, {"fotakernel", "recovery"}, {"system", "system"}, {"cache", "cache"}, {"userdata", "userdata"},
}

type fastbootTarget struct{ short, partition string }

// holdsFiles reports whether fastboot writes an image as a file system, not as a kernel.
func holdsFiles(short string) bool {
	return slices.ContainsFunc(fastbootOrder[2:], func(o fastbootTarget) bool { return o.short == short })
}

// FastbootFacts is what a phone in fastboot mode says about itself.
type FastbootFacts struct {
	Product  string           // getvar product
	Target   bootcheck.Target // the phone as far as it is known
	Sizes    map[string]int64 // bytes of partitions, by their fastboot names, as far as told
	Identity string           // hash of the serial number, for the journal
}

// BootImage is a kernel of the bundle in the form that fastboot accepts.
type BootImage struct {
	Item    *Item
	Data    []byte
	Changes []string // what was changed to get there, for a person
}

// BootImages unpacks the kernels that the request would send and makes Android images of
// them, because fastboot writes no other kind to boot and recovery (fastboot/PROTOCOL.md §3.2).
// The error is Problems when the phone would refuse one of them.
func BootImages(ctx context.Context, fw *Firmware, ph *FastbootFacts, p Request) (map[string]BootImage, error) {
	p.Route = RouteFastboot
	b, err := newBuilder(fw, nil, p)
	if err != nil {
		return nil, err
	}
	if b.judgeAll(); len(b.problems) > 0 {
		return nil, b.problems
	}
	images := map[string]BootImage{}
	for _, o := range fastbootOrder[:2] {
		c := b.clearedImage(o.short)
		if c == nil {
			continue
		}
		image, err := fw.bootImage(ctx, c.item, ph.target(fw, o.partition))
		if err != nil {
			return nil, err
		}
		images[o.short] = image
	}
	return images, nil
}

// target is the phone as a target for one partition.
func (ph *FastbootFacts) target(fw *Firmware, partition string) bootcheck.Target {
	t := bootcheck.Target{Family: fw.Family, Model: fw.Model}
	if ph != nil {
		t.Loader, t.Locked, t.MaxDownload = ph.Target.Loader, ph.Target.Locked, ph.Target.MaxDownload
	}
	t.Flash, t.Partition = true, ph.room(fw, partition)
	return t
}

// room is the size of a partition in bytes: told by the phone, or known of the family; 0
// when neither knows it.
func (ph *FastbootFacts) room(fw *Firmware, partition string) int64 {
	if ph != nil && ph.Sizes[partition] > 0 {
		return ph.Sizes[partition]
	}
	part, _ := fw.Family.FastbootPartition(partition)
	return part.Size
}

func (fw *Firmware) bootImage(ctx context.Context, it *Item, t bootcheck.Target) (BootImage, error) {
	refuse := func(err error, next string) error {
		return Problems{{Kind: PolicyRefusal, Item: it.Member, What: "fastboot cannot write this kernel: " + err.Error(), Next: next, Err: err}}
	}
	size := it.unpackedSize()
	if size > bootcheck.MaxImage {
		return BootImage{}, refuse(fmt.Errorf("it unpacks to %d bytes, more than any boot image", size), "leave it out: --skip "+it.Short)
	}
	payload := memory{make([]byte, size)}
	if err := it.unpack(ctx, &payload, nil); err != nil {
		return BootImage{}, err
	}
	d, err := bootcheck.Diagnose(payload.b, t)
	if err != nil {
		return BootImage{}, refuse(err, "leave it out: --skip "+it.Short)
	}
	if !d.Refused() && !d.Improvable() && d.AcceptedBy() != "none" {
		return BootImage{Item: it, Data: payload.b}, nil
	}
	fixed, err := bootcheck.Repair(d, t)
	if err == nil && fixed.Diagnosis.AcceptedBy() == "none" {
		err = errors.New("no boot loader would find a device tree in it")
	}
	if err != nil {
		return BootImage{}, refuse(err, "leave it out: --skip "+it.Short+`; "xflash unpack" and "xflash inspect" show what it is`)
	}
	return BootImage{Item: it, Data: fixed.Image, Changes: fixed.Changes}, nil
}

// unpack writes what the file makes of its partition to w, and checks everything once more
// on the way.
func (it *Item) unpack(ctx context.Context, w sizedWriter, progress func(int64)) (err error) {
	r, h, err := it.begin()
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	if r, err = it.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	report, err := sin.Unpack(ctx, r, it.Bytes, &fileio.HoleWriter{Context: ctx, W: w}, sin.UnpackOptions{CheckOptions: sin.CheckOptions{Name: it.Member, Progress: progress}})
	if err != nil {
		return err
	}
	if !bytes.Equal(report.Header.Raw, h.Raw) || len(report.Parts) != 1 {
		return fmt.Errorf("%s has changed since it was checked", it.Member)
	}
	return w.Truncate(report.Parts[0].Size)
}

// unpackedSize is the number of bytes that the file makes of its partition.
func (it *Item) unpackedSize() (size int64) {
	for _, t := range it.Targets {
		size = max(size, t.End)
	}
	return size
}

// sizedWriter is where a partition is unpacked to.
type sizedWriter interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
}

// BuildFastboot makes the plan of the fastboot route. ph is nil when no phone was asked. The
// error is Problems; the plan is returned next to it, as far as it can be made.
func BuildFastboot(fw *Firmware, ph *FastbootFacts, boots map[string]BootImage, p Request) (*Plan, error) {
	p.Route = RouteFastboot
	b, err := newBuilder(fw, nil, p)
	if err != nil {
		return nil, err
	}
	b.judgeAll()
	b.fastbootModel(ph)
	for _, o := range fastbootOrder {
		b.fastbootStep(o.short, o.partition, ph, boots)
	}
	if !slices.ContainsFunc(b.plan.Steps, func(s Step) bool { return s.Kind == StepFlash || len(p.Only) > 0 }) && len(b.problems) == 0 {
		b.problems.refuse(fw.Name, "nothing in it is left to flash", "fastboot writes kernel, fotakernel, system, cache and userdata only", "check --only and --skip")
	}
	b.step(session(StepReboot))
	b.note("fastboot leaves the trim area, the radio and the boot chain unchanged. If flash mode ever works again, restore the same bundle there too.")
	starts := "the loader of this phone will probably start a stock kernel in this form, but that is not proven"
	if !(bootcheck.Target{Family: fw.Family}).Foreseen() {
		starts = "it is unknown whether the loader of this phone starts a stock kernel in this form"
	}
	b.note("%s; if it does not, fastboot mode still works, and you can start a custom recovery", starts)
	return b.plan, b.problems.orNil()
}

// RouteFastboot is the Route of a plan that goes through fastboot.
const RouteFastboot = "fastboot"

// fastbootStep adds the step for one partition.
func (b *builder) fastbootStep(short, partition string, ph *FastbootFacts, boots map[string]BootImage) {
	part, ok := b.fw.Family.FastbootPartition(partition)
	if !ok {
		b.note("it is unknown which partition of a %s fastboot calls %s, so %s is left out", b.fw.Model.Code, partition, short)
		return
	}
	var step Step
	if c := b.clearedImage(short); c == nil {
		if part.Verdict == phone.Wipe && !b.p.Wipe || short != "cache" && short != "userdata" || slices.ContainsFunc(b.fw.Items, func(it *Item) bool { return b.fw.isImage(it, short) }) || b.sel.leavesOut(thing{name: short}) != "" {
			return
		}
		step = eraseStep(short, partition, part)
	} else {
		image := boots[short]
		for _, c := range image.Changes {
			b.note("%s: %s", short, c)
		}
		step = flashStep(*c, short, partition, part, image.Data)
		if room := ph.room(b.fw, partition); room > 0 && step.Bytes > room {
			b.problems.refuse(c.item.Member, fmt.Sprintf("it unpacks to %d bytes, but %s holds %d", step.Bytes, step.Partitions[0], room), "the file is not for this phone", "")
		}
	}
	b.step(step)
}

// memory is a file in memory. Different places may be written at once.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(m.b)) {
		return 0, io.ErrShortWrite
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) Truncate(size int64) error {
	if size < 0 || size > int64(len(m.b)) {
		return io.ErrShortWrite
	}
	m.b = m.b[:size]
	return nil
}
