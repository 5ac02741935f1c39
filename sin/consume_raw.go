package sin

import "context"

// maxHeld is how much of a loader's payload is kept to be looked through. Real ones
// have some 250 KiB.
const maxHeld = 8 << 20

// rawConsumer takes a payload without a map: it is written as it is, and loaders and
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
