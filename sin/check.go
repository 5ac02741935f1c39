package sin

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// defaultMaxOutput bounds what an image may unpack to when the caller sets no limit.
const defaultMaxOutput = 256 << 30

// maxRemembered is how many failures of one kind are kept in detail.
const maxRemembered = 1000

// CheckOptions steers Check and Unpack. The zero value is good.
type CheckOptions struct {
	Name      string   // of the file, for errors
	Roots     *RootSet // root certificates at hand
	MaxOutput int64    // bytes an image may reach to; 0 is 256 GiB
	Workers   int      // 0 is one per processor
	// Progress is called with the number of bytes of the file read so far, from the
	// goroutine that called Check.
	Progress func(n int64)
}

// Report is what is in a SIN file.
type Report struct {
	Header *Header
	Trust  Trust
	// Unsendable says why a phone in S1 flash mode must not get the file, whole and genuine
	// as it may be; "" when it may.
	Unsendable string
	// Damaged is the blocks with a wrong hash, by offset, the first 1000 of DamagedCount.
	Damaged      []*Error
	DamagedCount int

	Map     *Map           // of an image
	Info    *PartitionInfo // of a partition image of version 1 or 2
	Layout  *Layout        // of a partition layout
	Loader  *Loader        // of a loader
	Archive *Archive       // of versions 4 and 5, whose Header has nothing but the version
	Parts   []Part         // what is written: one for each target, or the payload itself
	Notes   []Note
}

// Part is the content of one partition, or of a payload that is not an image.
type Part struct {
	Target Target // zero for a payload that is not an image
	Kind   Kind
	Size   int64  // bytes: the end of what is written, or of the file system if that is larger
	Head   []byte // the first bytes, at most HeadSize; zero where nothing is written
}

// Check reads a whole SIN once and judges it: header, signature and chain, every block
// hash, the map and the bytes it makes, partition layout, loader. Memory does not depend
// on the size of the file.
//
// size is the size of the file in bytes or -1. The error is the most telling failure
// (see Reason for the order); what else was found is in the Report, which is there
// whenever the header could be read. An error of r or ctx is returned as it is.
func Check(ctx context.Context, r io.Reader, size int64, opt CheckOptions) (*Report, error) {
	return run(ctx, r, size, opt, nil)
}

// run is Check and Unpack; with a nil sink nothing is written.
func run(ctx context.Context, r io.Reader, size int64, opt CheckOptions, to *sink) (*Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	br := bufio.NewReader(r)
	head, _ := br.Peek(DetectSize) // a failure comes back with the next read
	if version := Detect(head); version > 3 {
		return checkArchive(ctx, version, br, opt, to)
	}
	h, err := ReadHeader(br, size)
	if h == nil {
		return nil, inFile(err, opt.Name)
	}
	report := &Report{Header: h, Notes: h.Notes}
	if err != nil {
		return report, inFile(err, opt.Name)
	}
	trust, trustErr := h.Verify(opt.Roots)
	report.Trust = trust
	if errors.Is(trustErr, Because(HeaderChanged)) {
		// The hash list cannot be believed, so there is nothing to compare the payload with.
		return report, inFile(trustErr, opt.Name)
	}
	c := &checker{h: h, opt: opt, report: report, r: br, to: to}
	err = c.payload(ctx)
	if err == nil || errors.As(err, new(*Error)) {
		err = c.verdict(ctx, trustErr, err)
		report.Unsendable = c.unsendable()
	}
	return report, inFile(err, opt.Name)
}

// checker is one pass over a payload.
type checker struct {
	h        *Header
	opt      CheckOptions
	report   *Report
	r        *bufio.Reader
	to       *sink
	p        *pipeline
	consumer consumer

	mu  sync.Mutex
	bad []*Error // pieces of the image that came out wrong
}

// consumer parses the payload as it passes.
type consumer interface {
	// consume takes the next bytes, which start at a file offset and stay valid while pc
	// has users.
	consume(ctx context.Context, pc *buffer, data []byte, offset int64) error
	// finish is called after the last byte, when all workers are done.
	finish(ctx context.Context) error
}

// payload reads everything after the header. What it returns is a failure of the
// stream: cut, too long, unreadable, cancelled. What is wrong with the content is
// collected.
func (c *checker) payload(ctx context.Context) error {
	mark, err := c.r.Peek(len(magicMap))
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case c.h.Version == 3 && c.h.Type == TypeImage && bytes.Equal(mark, magicMap):
		c.consumer = &mapConsumer{c: c}
	default:
		c.consumer, err = newBlockConsumer(c)
	}
	if err != nil && err != io.EOF {
		return err
	}
	c.p = newPipeline(c.opt.Workers, c.h.PayloadSize())
	for i := range c.h.Blocks {
		if err := c.block(ctx, i); err != nil {
			c.p.drop()
			return err
		}
	}
	c.p.close()
	if err := c.p.writeFailure(); err != nil {
		return err
	}
	if err := expectEnd(c.r, c.h.Size()); err != io.EOF {
		return err
	}
	return nil
}

// block reads one block of the hash list.
func (c *checker) block(ctx context.Context, i int) error {
	b := c.h.Blocks[i]
	s := c.p.stream(c.h.HashType, b.Hash, func() { c.damaged(i) })
	for offset, end := b.Offset, b.Offset+b.Length; offset < end; {
		pc, err := c.p.buffer(ctx)
		if err != nil {
			return err
		}
		data := pc.buf[:min(int64(len(pc.buf)), end-offset)]
		n, err := io.ReadFull(c.r, data)
		if err == nil {
			s.add(pc, data, nil)
			err = c.consumer.consume(ctx, pc, data, offset)
		} else {
			err = c.h.readFailure(err, offset+int64(n))
		}
		c.p.release(pc)
		if err != nil {
			return err
		}
		if err := c.p.writeFailure(); err != nil {
			return err
		}
		offset += int64(n)
		if c.opt.Progress != nil {
			c.opt.Progress(offset)
		}
	}
	s.end()
	return nil
}

// maxOutput is the largest offset that may be written.
func (o *CheckOptions) maxOutput() int64 { return cmp.Or(o.MaxOutput, defaultMaxOutput) }

// part judges what a target gets by its first bytes. A file system may be larger than
// what is written of it, but not without limit.
func (c *checker) part(t Target, head []byte) Part {
	p := Part{Target: t, Kind: Recognize(head), Size: t.End, Head: head}
	if fs := ExtSize(head); fs > c.opt.maxOutput() {
		c.report.Notes = append(c.report.Notes, Note{Offset: -1, Text: fmt.Sprintf("the file system says it has %d bytes", fs)})
	} else {
		p.Size = max(p.Size, fs)
	}
	return p
}

// damaged records a block with a wrong hash.
func (c *checker) damaged(block int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.DamagedCount++
	if len(c.report.Damaged) < maxRemembered {
		e := corrupt(c.h, block)
		e.File = c.opt.Name
		c.report.Damaged = append(c.report.Damaged, e)
	}
}

// badPiece records a piece of the image that came out wrong.
func (c *checker) badPiece(t Tag, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) < maxRemembered {
		c.bad = append(c.bad, fail(BadData, t.Data, "%s piece for %#x in %s: %s", t.Kind, t.Dest, c.report.Map.Targets[t.Target], detail))
	}
}

// verdict chooses the most telling failure.
func (c *checker) verdict(ctx context.Context, trustErr, streamErr error) error {
	byOffset := func(a, b *Error) int { return cmp.Compare(a.Offset, b.Offset) }
	slices.SortFunc(c.report.Damaged, byOffset)
	slices.SortFunc(c.bad, byOffset)

	found := []error{streamErr}
	switch {
	case len(c.report.Damaged) > 0:
		// Whatever the content looks like now, it is not what was signed.
		found = append(found, c.report.Damaged[0])
	case len(c.bad) > 0:
		found = append(found, c.bad[0])
	case streamErr == nil:
		err := c.consumer.finish(ctx)
		if err != nil && !errors.As(err, new(*Error)) {
			return err
		}
		found = append(found, err)
	}
	if c.report.Loader != nil {
		// A loader brings the certificate of its own root along.
		roots := &RootSet{}
		if c.opt.Roots != nil {
			*roots = RootSet{slices.Clone(c.opt.Roots.certs), slices.Clone(c.opt.Roots.carried)}
		}
		roots.AddLoader(c.report.Loader)
		c.report.Trust, trustErr = c.h.Verify(roots)
	}
	found = append(found, trustErr)
	var worst error
	for _, err := range found {
		if err != nil && (worst == nil || reasonOf(err) < reasonOf(worst)) {
			worst = err
		}
	}
	return worst
}

func reasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// unsendable is Header.Unsendable and what only the payload shows.
func (c *checker) unsendable() string {
	if c.h.Version == 3 && c.h.Type == TypeImage && c.report.Map == nil {
		return "an image without a map is refused with 80090003"
	}
	if why := c.h.Unsendable(); why != "" || c.report.Map == nil {
		return why
	}
	return c.report.Map.Unsendable()
}
