package sin

import (
	"context"
	"io"
)

// mapConsumer parses an image: first the map, then the data of its tags. A map that breaks
// a rule stops it; the payload is then only hashed, which tells whether the map is
// damaged or was made wrong.
type mapConsumer struct {
	c    *checker
	buf  []byte // frame and list, until the map is whole
	err  error  // what is wrong with the map
	tags tagCursor
	tag  Tag  // whose data come next
	more bool // tag is set
	addr *stream
	slot *slot
	outs []io.WriterAt // one per target
}

func (e *mapConsumer) consume(ctx context.Context, pc *buffer, data []byte, offset int64) error {
	end := offset + int64(len(data))
	if e.c.report.Map == nil && e.err == nil {
		var err error
		if data, err = e.readMap(data); err != nil {
			return err
		}
	}
	for len(data) > 0 && e.more {
		at := end - int64(len(data)) - e.tag.Data // in the data of the tag
		if at < 0 {
			data = data[min(-at, int64(len(data))):] // data before the first tag
			continue
		}
		n := min(int64(len(data)), e.tag.DataLen-at)
		if err := e.readTag(ctx, pc, data[:n], at); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// readMap collects the map, and makes everything ready when it is whole. It gives the
// bytes that follow it. The error is one of an output; those of the map go to e.err.
func (e *mapConsumer) readMap(data []byte) (rest []byte, err error) {
	collect := func(n int64) bool {
		take := min(max(0, n-int64(len(e.buf))), int64(len(data)))
		e.buf, data = append(e.buf, data[:take]...), data[take:]
		return int64(len(e.buf)) >= n
	}
	if !collect(mapFrame) {
		return nil, nil
	}
	start := int64(len(e.c.h.Raw))
	length, err := mapLength(e.buf, start, e.c.h.PayloadSize())
	if err != nil {
		e.err = err
		return nil, nil
	}
	if !collect(mapFrame + length) {
		return nil, nil
	}
	m, err := parseMap(e.buf[mapFrame:], start, e.c.h.Size())
	if err == nil {
		err = e.limits(m)
	}
	if err != nil {
		e.err = err
		return nil, nil
	}
	return data, e.begin(m)
}

// limits checks the map against what the caller allows.
func (e *mapConsumer) limits(m *Map) error {
	limit := e.c.opt.maxOutput()
	for _, t := range m.Targets {
		if t.End > limit {
			return fail(BadMap, m.Offset, "it writes %s up to byte %d; the limit is %d", t, t.End, limit)
		}
	}
	return nil
}

// begin starts with a correct map: it opens the outputs and allocates room for LZ4 blocks.
func (e *mapConsumer) begin(m *Map) error {
	report := e.c.report
	report.Map, report.Notes, e.tags = m, append(report.Notes, m.Notes...), tagCursor{m: m}
	for _, t := range m.Targets {
		out, err := e.c.to.output(t)
		if err != nil {
			return err
		}
		e.outs = append(e.outs, out)
		report.Parts = append(report.Parts, Part{Target: t, Head: make([]byte, min(HeadSize, t.End))})
	}
	var in, out int64
	for t := range m.Tags() {
		switch t.Kind {
		case TagLZ4A:
			in, out = max(in, t.DataLen), max(out, t.DestLen)
		case TagFILL:
			head := report.Parts[t.Target].Head
			for i := t.Dest; i < min(t.Dest+t.DestLen, int64(len(head))); i++ {
				head[i] = t.Fill[(i-t.Dest)%4]
			}
		case TagMTKM:
			if e.c.to != nil {
				return fail(BadMap, t.Offset, "the layout of an MTKM piece is unknown, so it cannot be unpacked")
			}
		}
	}
	if in > 0 {
		e.c.p.makeSlots(in, out)
	}
	e.advance()
	return nil
}

// advance goes to the next tag that has data.
func (e *mapConsumer) advance() {
	for {
		if e.tag, e.more = e.tags.next(); !e.more || e.tag.DataLen > 0 {
			return
		}
	}
}

// readTag takes bytes of the current tag that start at byte at of its data.
func (e *mapConsumer) readTag(ctx context.Context, pc *buffer, data []byte, at int64) error {
	t, p, last := e.tag, e.c.p, at+int64(len(data)) == e.tag.DataLen
	switch t.Kind {
	case TagADDR:
		if e.addr == nil {
			e.addr = p.stream(t.HashType, t.Hash, func() { e.c.badPiece(t, "its bytes have another "+t.HashType.String()) })
		}
		e.addr.add(pc, data, func(b []byte) { e.store(t, b, t.Dest+at) })
		if last {
			e.addr.end()
			e.addr = nil
		}
	case TagLZ4A:
		if e.slot == nil {
			select {
			case e.slot = <-p.slots:
				e.slot.in = e.slot.in[:0]
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		e.slot.in = append(e.slot.in, data...)
		if last {
			p.unpack(e.slot, t, func(detail string) { e.c.badPiece(t, detail) }, func(b []byte) { e.store(t, b, t.Dest) })
			e.slot = nil
		}
	}
	if last {
		e.advance()
	}
	return nil
}

// store takes bytes of a partition, on a worker. Pieces do not overlap, so nobody else
// touches the same bytes of the head.
func (e *mapConsumer) store(t Tag, b []byte, at int64) {
	if head := e.c.report.Parts[t.Target].Head; at < int64(len(head)) {
		copy(head[at:], b)
	}
	if out := e.outs[t.Target]; out != nil {
		e.c.p.write(out, b, at)
	}
}

// finish writes what has no data in the file, once all that has is known to be right.
func (e *mapConsumer) finish(ctx context.Context) error {
	if e.err != nil {
		return e.err
	}
	m, report := e.c.report.Map, e.c.report
	if m == nil {
		return fail(BadMap, e.c.h.Size(), "the payload ends inside its map")
	}
	for i, p := range report.Parts {
		report.Parts[i] = e.c.part(p.Target, p.Head)
	}
	if e.c.to == nil {
		return nil
	}
	return e.fill(ctx)
}

// fill writes the FILL pieces and the gaps.
func (e *mapConsumer) fill(ctx context.Context) error {
	for t := range e.c.report.Map.Tags() {
		if t.Kind == TagFILL {
			if err := repeat(ctx, e.outs[t.Target], extent{t.Dest, t.Dest + t.DestLen}, t.Fill); err != nil {
				return err
			}
		}
	}
	gap := e.c.to.gap
	for i, part := range e.c.report.Parts {
		at := int64(0)
		for _, w := range append(e.c.report.Map.written[i], extent{part.Size, part.Size}) {
			if err := repeat(ctx, e.outs[i], extent{at, w.start}, [4]byte{gap, gap, gap, gap}); err != nil {
				return err
			}
			at = w.end
		}
	}
	return nil
}
