package simphone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"xflash/internal/simphone/taimage"
	"xflash/internal/simphone/testcms"
)

// maxSignature bounds a signature container in bytes; real ones have up to 2203.
const maxSignature = 256 << 10

// signatureData is the form of 2017 to 2020: the container comes with the command. Without
// bytes it only shows that the phone has this form.
func (s *commandSession) signatureData(digits string) error {
	n, ok := hexSize(digits)
	if !ok || n > maxSignature {
		return s.fail(refusedBySim + "not the size of a signature in 8 hexadecimal digits")
	}
	if err := s.collect(digits, n); err != nil {
		return err
	}
	if n == 0 {
		s.drop()
		return s.okay("")
	}
	return s.signature("")
}

// signature checks the container in the buffer, which is used up. A refused one leaves the
// phone without any.
func (s *commandSession) signature(string) error {
	s.signed, s.next, s.erased = nil, 0, map[string]bool{}
	signed, why := s.verify()
	if why != "" {
		s.note("signature refused: " + why)
		return s.refuse("", refusedSignature)
	}
	s.signed = signed
	err := s.written(signed.Name, "")
	s.drop()
	if err != nil {
		return err
	}
	return s.okay("")
}

func (s *commandSession) verify() (signed *testcms.Signed, why string) {
	if s.buffer == nil {
		return nil, "no container"
	}
	der, err := s.buffer.bytes(maxSignature)
	if err != nil {
		return nil, err.Error()
	}
	if signed, err = testcms.Read(der); err != nil {
		return nil, err.Error()
	}
	switch {
	case signed.Role != testcms.Commercial:
		return nil, "the signer's role is " + signed.Role
	case signed.Suffix != s.model.suffix:
		return nil, "signed for " + signed.Suffix
	case !s.phone.options.TrustAny && !signed.Check(s.phone.roots):
		return nil, "no trusted root"
	}
	return signed, ""
}

// target finds the partition of a label that the accepted signature is for.
func (s *commandSession) target(label string) (*Partition, string) {
	if s.signed == nil {
		return nil, refusedBySim + "no signature"
	}
	name := s.signed.Name
	p, err := s.phone.Partition(label)
	switch {
	case err != nil && slices.Contains(s.model.slotted(), label):
		return nil, refusedBySim + "the name needs a slot"
	case err != nil || label == "TA":
		return nil, refusedBySim + "unknown partition"
	case slices.Contains(s.model.slotted(), name) && bareName(label) != name, !slices.Contains(s.model.slotted(), name) && label != name:
		return nil, refusedBySim + "the signature is for " + name
	}
	return p, ""
}

func (s *commandSession) erase(label string) error {
	p, why := s.target(label)
	if why != "" {
		return s.refuse(label, why)
	}
	if err := p.fill(0, 0, uint64(p.Size())); err != nil {
		return err
	}
	s.erased[label] = true
	c := s.phone.command
	delete(c.state.Images, label)
	if label == "super" {
		c.state.Super = ""
	}
	w := Written{Command: s.word, Target: label}
	if err := errors.Join(s.phone.saveCommand(), s.writtenWithout(w)); err != nil {
		return err
	}
	return s.okay("")
}

// writtenWithout is written for commands that leave the buffer alone.
func (s *commandSession) writtenWithout(w Written) error {
	buffer := s.buffer
	s.buffer = nil
	defer func() { s.buffer = buffer }()
	return s.written(w.Target, w.Refused)
}

func (s *commandSession) flash(label string) error {
	p, why := s.target(label)
	switch {
	case why != "":
	case s.buffer == nil || s.buffer.size == 0:
		why = refusedBySim + "no new download"
	case s.next >= len(s.signed.Chunks):
		why = refusedBySim + "more chunks than are signed"
	case !bytes.Equal(s.buffer.sum.Sum(nil), s.signed.Chunks[s.next]):
		why = refusedBySim + "the download is not the next signed chunk"
	case !s.erased[label]:
		why = refusedBySim + "not erased since the signature"
	}
	if why != "" {
		return s.refuse(label, why)
	}
	if s.at(FaultCard) == nil {
		if err := apply(s.buffer.reader(), p); err != nil {
			return s.refuse(label, refusedBySim+err.Error())
		}
	}
	s.next++
	c := s.phone.command
	c.state.Images[label] = imageState{Build: s.signed.Build, Part: s.next < len(s.signed.Chunks)}
	if label == "super" && s.next == len(s.signed.Chunks) {
		c.state.Super = "a" // what the image holds for slot b is empty
	}
	err := errors.Join(s.phone.saveCommand(), s.written(label, ""))
	s.drop()
	if err != nil {
		return err
	}
	return s.okay("")
}

func (s *commandSession) repartition(arg string) error {
	lun, err := strconv.Atoi(arg)
	c := s.phone.command
	var why string
	var t *lunTable
	switch {
	case err != nil || lun < 0 || lun >= len(c.luns):
		why = "unknown unit"
	case s.signed == nil || s.signed.Name != fmt.Sprintf("partitionimage_%d", lun):
		why = "no signature for this unit"
	case s.buffer == nil:
		why = "no new download"
	case s.next >= len(s.signed.Chunks) || !bytes.Equal(s.buffer.sum.Sum(nil), s.signed.Chunks[s.next]):
		why = "the download is not the next signed chunk"
	default:
		b, err := s.buffer.bytes(1 << 20)
		if err == nil {
			t, err = parseLUNTable(b, s.model.block())
		}
		switch {
		case err != nil:
			why = err.Error()
		case int64(t.last) >= c.luns[lun].size/t.block:
			why = "the table is larger than the unit"
		}
	}
	if why != "" {
		return s.refuse(arg, refusedBySim+why)
	}
	d := c.luns[lun]
	if err := t.write(d.file, d.size); err != nil {
		return err
	}
	d.loadLUN(t.block)
	s.next++
	err = s.written(arg, "")
	s.drop()
	if err != nil {
		return err
	}
	return s.okay("")
}

// unitOf reads "2:10100".
func unitOf(arg string) (partition int, unit uint32, ok bool) {
	first, second, _ := strings.Cut(arg, ":")
	partition, err := strconv.Atoi(first)
	n, err2 := strconv.ParseUint(second, 10, 32)
	return partition, uint32(n), err == nil && err2 == nil && (partition == 1 || partition == 2)
}

func (s *commandSession) writeUnit(arg string) error {
	partition, unit, ok := unitOf(arg)
	switch {
	case !ok:
		return s.refuse(arg, refusedBySim+"no such unit")
	case s.buffer == nil:
		return s.refuse(arg, refusedBySim+"no new download")
	}
	data, err := s.buffer.bytes(1 << 20)
	if err != nil {
		return s.refuse(arg, refusedBySim+err.Error())
	}
	if err := s.written(arg, ""); err != nil {
		return err
	}
	s.drop()
	err = s.trim.Set(partition, unit, data)
	if errors.Is(err, taimage.ErrFull) {
		return s.fail(refusedBySim + "no room for the unit")
	}
	if err := errors.Join(err, s.phone.storeTrimArea(s.trim)); err != nil {
		return err
	}
	return s.okay("")
}

func (s *commandSession) setActive(slot string) error {
	if !slices.Contains(slotNames, slot) {
		return s.refuse(slot, refusedBySim+"no such slot")
	}
	s.phone.command.state.Slot = slot
	if err := errors.Join(s.phone.saveCommand(), s.writtenWithout(Written{Target: slot})); err != nil {
		return err
	}
	return s.okay("")
}

func (s *commandSession) sync(string) error {
	if err := s.writtenWithout(Written{}); err != nil {
		return err
	}
	return s.okay("")
}

// leave answers, and the phone is off or starts again.
func (s *commandSession) leave(string) error {
	if err := s.writtenWithout(Written{}); err != nil {
		return err
	}
	s.leaves = true
	return s.okay("")
}

// Chunks of sparse images.
const (
	sparseMagic = 0xED26FF3A
	sparseRaw   = 0xCAC1
	sparseFill  = 0xCAC2
	sparseSkip  = 0xCAC3
	sparseCRC   = 0xCAC4
	sparseLZ4   = 0xCAC5 // Sony's: one block of LZ4 that expands to all of the chunk
)

// apply writes one downloaded chunk into a partition: a sparse image of all of it, or the
// raw bytes of its start.
func apply(chunk *io.SectionReader, p *Partition) error {
	head := make([]byte, 28)
	n, err := io.ReadFull(chunk, head)
	if err != nil && n == 0 {
		return err
	}
	if n < len(head) || binary.LittleEndian.Uint32(head) != sparseMagic {
		return copyTo(p, 0, chunk.Size(), io.NewSectionReader(chunk, 0, chunk.Size()))
	}
	return applySparse(head, chunk, p)
}

// copyTo writes n bytes of r.
func copyTo(p *Partition, at, n int64, r io.Reader) error {
	if !p.holds(uint64(at), uint64(n)) {
		return errors.New("larger than the partition")
	}
	got, err := io.CopyN(io.NewOffsetWriter(p, at), r, n)
	if err == io.EOF || err == nil && got < n {
		return errors.New("the chunk ends early")
	}
	return err
}
