package sin

import (
	"context"
	"io"
)

// maxHeld is how much of a loader's payload is kept to be looked through. Real ones
// have some 250 KiB.
const maxHeld = 8 << 20

// blockConsumer parses a payload without a map. The blocks of a partition image of version 1
// or 2 go where the hash list says, without the partition info in front of them; any other
// payload is written as it is, and loaders and layouts are kept to be looked through.
type blockConsumer struct {
	c     *checker
	flash bool // a partition image of version 1 or 2
	out   io.WriterAt
	line  *stream // keeps the writes in order on one worker
	block int     // index of the current block
	held  []byte  // a loader, a layout, or a partition info
	head  []byte
	end   int64 // of the payload, or of the last block in the dump
}

func newBlockConsumer(c *checker) (*blockConsumer, error) {
	e := &blockConsumer{c: c, end: c.h.PayloadSize(), flash: c.h.Version < 3 && !c.h.isLoader()}
	if e.flash {
		last := c.h.Blocks[len(c.h.Blocks)-1]
		e.end = last.Dest + last.Length
		if limit := c.opt.maxOutput(); e.end > limit {
			return nil, fail(Malformed, fixed12, "it writes up to byte %d; the limit is %d", e.end, limit)
		}
	}
	e.head = make([]byte, min(HeadSize, e.end))
	var err error
	e.out, err = c.to.output(Target{})
	return e, err
}

func (e *blockConsumer) consume(_ context.Context, pc *buffer, data []byte, offset int64) error {
	h := e.c.h
	at := offset - int64(len(h.Raw))
	if e.flash {
		for h.Blocks[e.block].Offset+h.Blocks[e.block].Length <= offset {
			e.block++
		}
		if e.block == 0 && h.HasPartitionInfo() {
			e.held = append(e.held, data...)
			return nil
		}
		at = h.Blocks[e.block].Dest + offset - h.Blocks[e.block].Offset
	} else if (h.isLoader() || h.isLayout()) && h.PayloadSize() <= maxHeld {
		e.held = append(e.held, data...)
	}
	if at < int64(len(e.head)) {
		copy(e.head[at:], data)
	}
	if e.out == nil {
		return nil
	}
	if e.line == nil {
		e.line = e.c.p.stream(NoHash, nil, nil)
	}
	e.line.add(pc, data, func(b []byte) { e.c.p.write(e.out, b, at) })
	return nil
}

func (e *blockConsumer) finish(ctx context.Context) error {
	if e.flash {
		return e.gaps(ctx)
	}
	report, kind := e.c.report, Recognize(e.head)
	var err error
	switch {
	case e.c.h.isLoader():
		report.Loader = InspectLoader(e.held)
	case e.c.h.isLayout():
		if report.Layout, err = ParseLayout(e.held, int64(len(e.c.h.Raw))); err == nil {
			kind = KindLayout
		}
	}
	report.Parts = []Part{{Kind: kind, Size: e.end, Head: e.head}}
	return err
}

// gaps reads the partition info, and writes what no block does.
func (e *blockConsumer) gaps(ctx context.Context) error {
	report := e.c.report
	first := 0
	if e.c.h.HasPartitionInfo() {
		report.Info, first = parsePartitionInfo(e.held), 1
	}
	report.Parts = []Part{e.c.part(Target{End: e.end}, e.head)}
	if e.c.to == nil {
		return nil
	}
	at, gap := int64(0), e.c.to.gap
	pattern := [4]byte{gap, gap, gap, gap}
	for _, b := range e.c.h.Blocks[first:] {
		if err := repeat(ctx, e.out, extent{at, b.Dest}, pattern); err != nil {
			return err
		}
		at = b.Dest + b.Length
	}
	return repeat(ctx, e.out, extent{at, report.Parts[0].Size}, pattern)
}
