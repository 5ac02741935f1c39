package restore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"xflash/internal/phone"
	"xflash/sin"
)

// StepKind is one kind of action on the phone.
type StepKind string

// The actions a plan is made of.
const (
	StepLoader    StepKind = "loader"    // upload loader.sin and wait for its hello
	StepOpenTA    StepKind = "open-ta"   // open trim-area partition 2
	StepCloseTA   StepKind = "close-ta"  // close it, which stores what was written
	StepUnit      StepKind = "unit"      // write one trim-area unit
	StepTimestamp StepKind = "timestamp" // write the time of the flash into unit 10021
	StepImage     StepKind = "image"     // send one SIN file
	StepEnd       StepKind = "end"       // end the session; the phone switches itself off
	StepFlash     StepKind = "flash"     // write an image through fastboot
	StepErase     StepKind = "erase"     // erase a partition through fastboot
	StepReboot    StepKind = "reboot"    // leave fastboot; the phone starts
	StepTable     StepKind = "table"     // write the partition table of a logical unit
	StepSlot      StepKind = "slot"      // make slot a the one that starts
	StepSync      StepKind = "sync"      // wait until everything is stored
)

// Step is one action of a plan. The exported fields describe it, for people, for JSON and
// for the plan's hash. A driver sends load, which only the constructors below
// fill, and those ask for a cleared item: a Step made elsewhere sends nothing.
type Step struct {
	Kind       StepKind `json:"kind"`
	Name       string   `json:"name,omitempty"`       // short name: kernel, fota-reset
	Member     string   `json:"member,omitempty"`     // file in the bundle
	Partitions []string `json:"partitions,omitempty"` // labels it writes
	Bytes      int64    `json:"bytes,omitempty"`      // bytes sent to the phone
	Unit       uint32   `json:"unit,omitempty"`       // trim-area unit
	Value      HexBytes `json:"value,omitempty"`      // what is written into it
	Why        string   `json:"why,omitempty"`        // for steps that are not plainly a file of the bundle
	// Fragile marks steps that must not be interrupted on purpose: a stop waits for
	// the end of the run of fragile steps (usbproto/s1/PROTOCOL.md §4.10).
	Fragile bool `json:"fragile,omitempty"`
	// HeaderSHA256 identifies the exact file that was checked.
	HeaderSHA256 string `json:"header_sha256,omitempty"`
	Signer       string `json:"signer,omitempty"` // subject of the certificate: S1_SW
	Issuer       string `json:"issuer,omitempty"` // root that signed it

	load load
}

// load is what a driver sends for a step.
type load struct {
	item      *Item  // a SIN file; nil for steps that send none
	boot      []byte // its kernel as an Android image, where fastboot accepts nothing else
	unit      uint32 // a trim-area unit, and
	value     []byte // what is written into it
	partition string // by its fastboot name, to flash or erase; of 2017 and later with its slot
	lun       int    // logical unit whose partition table is written
	wipes     bool   // it replaces or erases user data
}

// errNothingCleared is a defect of the program: a step that no constructor made.
var errNothingCleared = errors.New("the step carries no file that was cleared for this phone")

// open opens the SIN file of the step and reads its header, which must be the one that was
// checked. The reader is left at the first byte of the payload. It may be closed while a
// read blocks that was given up.
func (s Step) open() (io.ReadCloser, *sin.Header, error) {
	if s.load.item == nil {
		return nil, nil, errNothingCleared
	}
	file, h, err := s.load.item.begin()
	if err != nil {
		return nil, nil, err
	}
	return &source{file: file}, h, nil
}

// begin opens a SIN file and reads its header, which must be the one that was checked.
func (it *Item) begin() (io.ReadCloser, *sin.Header, error) {
	file, err := it.Open()
	if err != nil {
		return nil, nil, err
	}
	h, err := sin.ReadHeader(file, it.Bytes)
	if err == nil && hexSHA256(h.Raw) != it.HeaderSHA256 {
		err = fmt.Errorf("%s has changed since it was checked", it.Member)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, h, nil
}

// archive opens the archive of a step, which must be the one that was checked.
func (s Step) archive() (io.ReadCloser, *sin.ArchiveReader, error) {
	it := s.load.item
	if it == nil || it.Archive == nil {
		return nil, nil, errNothingCleared
	}
	file, err := it.Open()
	if err != nil {
		return nil, nil, err
	}
	src := &source{file: file}
	a, err := sin.OpenArchive(src)
	if err == nil && !it.Archive.SameSignature(a.CMS) {
		err = fmt.Errorf("%s has changed since it was checked", it.Member)
	}
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return src, a, nil
}

// source is a file that is read by one goroutine and closed by another.
type source struct {
	mu     sync.Mutex
	file   io.ReadCloser
	closed bool
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, os.ErrClosed
	}
	return s.file.Read(p)
}

// Close closes the file, or leaves that to the end of a read that blocks.
func (s *source) Close() error {
	if !s.mu.TryLock() {
		go func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.closed = true
			_ = s.file.Close() // nobody waits for this file any more
		}()
		return nil
	}
	defer s.mu.Unlock()
	s.closed = true
	return s.file.Close()
}

// unpack writes to w what the SIN file of the step makes of its partition, and checks
// everything once more on the way.
func (s Step) unpack(ctx context.Context, w sizedWriter, progress func(done, total int64)) error {
	it := s.load.item
	if it == nil {
		return errNothingCleared
	}
	return it.unpack(ctx, w, func(n int64) { progress(n, it.Bytes) })
}

// boot is the kernel of the step as an Android image; false when the step has none and its
// file is unpacked instead.
func (s Step) boot() ([]byte, bool) { return s.load.boot, s.load.boot != nil }

// unit is the trim-area unit that the step writes, and what it writes there.
func (s Step) unit(now time.Time) (uint32, []byte, error) {
	switch {
	case s.load.unit == 0:
		return 0, nil, errNothingCleared
	case s.Kind == StepTimestamp:
		// ftf/FORMAT.md §4: local time, 19 characters and a NUL.
		return s.load.unit, append([]byte(now.Format("2006-01-02 15:04:05")), 0), nil
	}
	return s.load.unit, s.load.value, nil
}

// partition is the fastboot name of the partition that the step flashes or erases.
func (s Step) partition() (string, error) {
	if s.load.partition == "" {
		return "", errNothingCleared
	}
	return s.load.partition, nil
}

// cleared is an item that may be sent. Only the judge makes one.
type cleared struct {
	item   *Item
	labels []string // the partitions that a SIN file writes

	partition string   // of phones of 2017 and later, with its slot; "" of a partition table
	lun       int      // logical unit of a partition table
	units     []uint32 // those of a .ta file that may be written
}

// imageStep sends a SIN file to the loader, or the loader itself.
func imageStep(c cleared) Step {
	it := c.item
	kind := StepImage
	if it.image.Writes == phone.ToMemory {
		kind = StepLoader
	}
	return Step{Kind: kind, Name: it.Short, Member: it.Member, Partitions: c.labels, Bytes: it.Bytes, Fragile: it.image.Danger,
		HeaderSHA256: it.HeaderSHA256, Signer: it.Signer, Issuer: it.Issuer, load: load{item: it, wipes: it.image.Send == phone.SendWipe}}
}

// unitStep writes one unit of a .ta file; false when it is not one that was cleared.
func unitStep(c cleared, unit uint32) (Step, bool) {
	if !slices.Contains(c.units, unit) {
		return Step{}, false
	}
	value := unitData(c.item, unit)
	s := Step{Kind: StepUnit, Name: c.item.Short, Member: c.item.Member, Unit: unit, Value: value, load: load{unit: unit, value: value}}
	if c.item.Boot {
		s.Name, s.Fragile = "boot config", true
	}
	return s, true
}

// archiveStep sends an image to a phone of 2017 or later.
func archiveStep(c cleared) Step {
	it := c.item
	return Step{Kind: StepImage, Name: it.image.Short, Member: it.Member, Partitions: []string{c.partition}, Bytes: it.sent(), Fragile: it.image.Danger,
		HeaderSHA256: it.HeaderSHA256, load: load{item: it, partition: c.partition, wipes: it.image.Send == phone.SendWipe}}
}

// tableStep writes the partition table of a logical unit.
func tableStep(c cleared) Step {
	it := c.item
	return Step{Kind: StepTable, Name: it.Short, Member: it.Member, Partitions: []string{fmt.Sprintf("LUN%d", c.lun)}, Bytes: it.sent(), Fragile: true,
		HeaderSHA256: it.HeaderSHA256, load: load{item: it, lun: c.lun}}
}

// resetStep writes a unit whose value is known without a file.
func resetStep(f phone.TAFile, unit uint32) Step {
	return Step{Kind: StepUnit, Name: f.Name, Unit: unit, Value: f.Data, Why: "added by xflash: it " + f.Reason,
		load: load{unit: unit, value: f.Data}}
}

// flashStep writes a SIN file through fastboot, unpacked, or the boot image made of it.
func flashStep(c cleared, short, partition string, part phone.Partition, boot []byte) Step {
	it := c.item
	s := Step{Kind: StepFlash, Name: short, Member: it.Member, Partitions: []string{part.Label}, Bytes: it.unpackedSize(),
		HeaderSHA256: it.HeaderSHA256, load: load{item: it, boot: boot, partition: partition, wipes: part.Verdict == phone.Wipe}}
	if boot != nil {
		s.Bytes = int64(len(boot))
	}
	return s
}

// eraseStep erases a partition that holds only temporary or user data.
func eraseStep(short, partition string, part phone.Partition) Step {
	return Step{Kind: StepErase, Name: short, Partitions: []string{part.Label}, load: load{partition: partition, wipes: part.Verdict == phone.Wipe}}
}

// flashState sets unit 10100, by which the phone knows that a flash is not finished.
func flashState(value byte, why string) Step {
	data := []byte{value}
	return Step{Kind: StepUnit, Name: "flash state", Unit: unitFlashState, Value: data, Why: why, load: load{unit: unitFlashState, value: data}}
}

func timestamp() Step {
	return Step{Kind: StepTimestamp, Name: "time stamp", Unit: unitTimestamp, load: load{unit: unitTimestamp}}
}

// session is a step that sends nothing of a bundle.
func session(kind StepKind) Step { return Step{Kind: kind} }

// Title names a step in the middle of a sentence.
func (s Step) Title() string {
	switch s.Kind {
	case StepLoader, StepImage, StepFlash:
		return "sending " + s.Name
	case StepErase:
		return "erasing " + s.Name
	case StepUnit:
		return fmt.Sprintf("writing trim-area unit %d", s.Unit)
	case StepTable:
		return "writing the partition table of " + strings.Join(s.Partitions, ", ")
	}
	return titles[s.Kind]
}

var titles = map[StepKind]string{
	StepOpenTA: "opening the trim area", StepCloseTA: "closing the trim area", StepTimestamp: "writing the time stamp",
	StepReboot: "restarting the phone", StepSlot: "making slot a the active slot",
	StepSync: "waiting for the phone to store everything", StepEnd: "ending the session",
}

// HexBytes is shown as hexadecimal digits in JSON.
type HexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h HexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}
