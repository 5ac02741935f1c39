package sin

import (
	"context"
)

// flashConsumer parses a partition image of version 1 or 2: its blocks go where the hash
// list says, without the partition info in front of them.
type flashConsumer struct {
	c     *checker
	out   *output
	line  *stream // keeps the writes in order on one worker
	block int     // index of the current block
	info  []byte
	head  []byte
	end   int64 // of the last block in the dump
}

func newFlashConsumer(c *checker) (*flashConsumer, error) {
	last := c.h.Blocks[len(c.h.Blocks)-1]
	e := &flashConsumer{c: c, end: last.Dest + last.Length}
	e.head = make([]byte, min(HeadSize, e.end))
	if err := e.limits(); err != nil {
		return nil, err
	}
	var err error
	e.out, err = c.to.output(Target{})
	return e, err
}

// limits checks the destinations against what the caller allows.
func (e *flashConsumer) limits() error {
	if limit := e.c.maxOutput(); e.end > limit {
		return fail(Malformed, fixed12, "it writes up to byte %d; the limit is %d", e.end, limit)
	}
	return nil
}

func (e *flashConsumer) consume(_ context.Context, pc *buffer, data []byte, offset int64) error {
	for e.c.h.Blocks[e.block].Offset+e.c.h.Blocks[e.block].Length <= offset {
		e.block++
	}
	if e.block == 0 && e.c.h.HasPartitionInfo() {
		e.info = append(e.info, data...)
		return nil
	}
	b := e.c.h.Blocks[e.block]
	at := b.Dest + offset - b.Offset
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

// finish fills the gaps.
func (e *flashConsumer) finish(ctx context.Context) error {
	report := e.c.report
	first := 0
	if e.c.h.HasPartitionInfo() {
		report.Info, first = parsePartitionInfo(e.info), 1
	}
	report.Parts = []Part{e.c.part(Target{End: e.end}, e.head)}
	if e.c.to == nil {
		return nil
	}
	at, gap := int64(0), e.c.to.gap
	pattern := [4]byte{gap, gap, gap, gap}
	for _, b := range e.c.h.Blocks[first:] {
		if err := e.out.fill(ctx, extent{at, b.Dest}, pattern); err != nil {
			return err
		}
		at = b.Dest + b.Length
	}
	return e.out.fill(ctx, extent{at, report.Parts[0].Size}, pattern)
}

// maxHeld is how much of a loader's payload is kept to be looked through. Real ones
// have some 250 KiB.
const maxHeld = 8 << 20

// rawConsumer reads a payload without a map: it is written as it is, and loaders and
// layouts are kept to be looked through.
type rawConsumer struct {
	c    *checker
	out  *output
	line *stream // keeps the writes in order on one worker
	held []byte
	head []byte
}

func newRawConsumer(c *checker) (*rawConsumer, error) {
	out, err := c.to.output(Target{})
	return &rawConsumer{c: c, out: out, head: make([]byte, 0, HeadSize)}, err
}

func (e *rawConsumer) consume(_ context.Context, pc *buffer, data []byte, offset int64) error {
	at := offset - int64(len(e.c.h.Raw))
	if free := HeadSize - len(e.head); free > 0 {
		e.head = append(e.head, data[:min(free, len(data))]...)
	}
	if (e.c.h.isLoader() || e.c.h.isLayout()) && e.c.h.PayloadSize() <= maxHeld {
		e.held = append(e.held, data...)
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

func (e *rawConsumer) finish(context.Context) error {
	kind := Recognize(e.head)
	defer func() {
		e.c.report.Parts = []Part{{Kind: kind, Size: e.c.h.PayloadSize(), Head: e.head}}
	}()
	switch {
	case e.c.h.isLoader():
		e.c.report.Loader = InspectLoader(e.held)
	case e.c.h.isLayout():
		layout, err := ParseLayout(e.held, int64(len(e.c.h.Raw)))
		if err != nil {
			return err
		}
		e.c.report.Layout, kind = layout, KindLayout
	}
	return nil
}
