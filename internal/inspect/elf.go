package inspect

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"xflash/fastboot/bootimg"
)

// Segment is a program segment of an ELF file.
type Segment struct {
	Kind    string `json:"kind"` // what Sony's boot images mark it as, else its type
	Offset  int64  `json:"offset"`
	Size    int64  `json:"size"` // in the file, bytes
	Address uint64 `json:"address"`
}

// sonyELF inspects one of Sony's boot images (fastboot/bootimg/FORMAT.md §1.7).
func (in *inspector) sonyELF(ctx context.Context, rep *Report, s source) error {
	if s.size > maxBoot {
		return in.elf(ctx, rep, s)
	}
	data, err := s.all()
	if err != nil {
		return err
	}
	e, err := bootimg.ParseELF(data)
	kernel := false
	if err == nil {
		_, kernel = e.Find(bootimg.SegmentRamdisk)
	}
	if !kernel { // a program, or a loader of the boot chain; damage shows there as well
		return in.elf(ctx, rep, s)
	}
	rep.Kind, rep.Title = KindSonyELF, "boot image in Sony's ELF format"
	rep.Boot = &Boot{Cmdline: in.cmdline(e.Cmdline())}
	l := Layout{Of: "file", Size: s.size}
	l.add(RegionHeader, "", 0, 52+32*int64(len(e.Segments)))
	for _, seg := range e.Segments {
		rep.Segments = append(rep.Segments, Segment{seg.Kind().String(), int64(seg.Off), int64(len(seg.Data)), uint64(seg.Paddr)})
		l.Regions = append(l.Regions, Region{RegionSection, seg.Kind().String(), int64(seg.Off), int64(len(seg.Data))})
		switch seg.Kind() {
		case bootimg.SegmentKernel:
			rep.kernel(seg.Data, false)
		case bootimg.SegmentRamdisk:
			rep.ramdisk(seg.Data, false)
		case bootimg.SegmentQCDT:
			rep.table(seg.Data, "device tree table")
		}
	}
	l.arrange()
	rep.Layouts = []Layout{l}
	rep.bootPhones()
	rep.unproven("all segments are there; the format has no checksum for them")
	return nil
}

// elf inspects any other ELF file: code of a boot loader or of the modem, a program.
func (in *inspector) elf(_ context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindELF, "ELF file"
	at, err := s.readerAt()
	if err != nil {
		return err
	}
	tracked := &failing{ReaderAt: at}
	f, err := elf.NewFile(io.NewSectionReader(tracked, 0, s.size))
	if tracked.err != nil {
		return tracked.err
	}
	if err != nil {
		reason, offset := "malformed", int64(-1)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			reason, offset = "truncated", s.size
		}
		rep.wrong(reason, offset, err.Error())
		return nil
	}
	rep.Title = fmt.Sprintf("ELF file, %s, %s", bits(f.Class), machine(f.Machine))
	l := Layout{Of: "file", Size: s.size}
	end := int64(0)
	for _, p := range f.Progs[:min(len(f.Progs), maxTrees)] {
		size := int64(min(p.Filesz, 1<<62))
		off := int64(min(p.Off, 1<<62))
		rep.Segments = append(rep.Segments, Segment{p.Type.String(), off, size, p.Paddr})
		l.Regions = append(l.Regions, Region{RegionSection, p.Type.String(), off, size})
		if size > 0 {
			end = max(end, off+size)
		}
	}
	l.arrange()
	rep.Layouts = []Layout{l}
	if end > s.size {
		rep.truncated(end, fmt.Sprintf("its segments end at byte %d, the file ends after %d", end, s.size))
		return nil
	}
	rep.unproven("all segments are there; the format has no checksum for them")
	return nil
}

// failing remembers a failure of the reader that is not the end of the file.
type failing struct {
	io.ReaderAt
	err error
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF && f.err == nil {
		f.err = err
	}
	return n, err
}

func bits(c elf.Class) string {
	if c == elf.ELFCLASS64 {
		return "64 bits"
	}
	return "32 bits"
}

func machine(m elf.Machine) string {
	switch m {
	case elf.EM_ARM:
		return "ARM"
	case elf.EM_AARCH64:
		return "ARM64"
	case elf.EM_QDSP6:
		return "Hexagon (modem or sound processor)"
	}
	return m.String()
}
