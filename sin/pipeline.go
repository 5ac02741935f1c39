package sin

import (
	"bytes"
	"context"
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pierrec/lz4/v4"
)

// Memory of a pipeline: buffers for what is read, and slots for LZ4 blocks with their
// output. The slots take at most lz4Budget, but there is always one, however large.
const (
	bufferSize  = 256 << 10
	maxBuffers  = 24
	lz4Budget   = 16 << 20
	maxWorkers  = 16
	workerQueue = 64
)

// pipeline spreads the hashing and unpacking of one stream over workers, while one
// goroutine reads. What belongs to one hash goes to one worker, in the order in which
// it was submitted; which worker gets the next hash depends on who has least to do.
//
// Workers never wait for the reader, so the reader may wait for free buffers. close
// ends them; nothing is left running after it.
type pipeline struct {
	workers []*worker
	wg      sync.WaitGroup
	buffers chan *buffer
	slots   chan *slot
	stop    atomic.Bool // the result no longer matters

	mu       sync.Mutex
	writeErr error
}

type worker struct {
	tasks   chan func()
	pending atomic.Int64 // bytes submitted and not yet done
}

// buffer holds stream bytes that several tasks may look at.
type buffer struct {
	buf   []byte
	users atomic.Int32
}

// slot holds one LZ4 block and its output.
type slot struct{ in, out []byte }

// newPipeline starts a pipeline for a stream of size bytes; workers below 1 means one
// for each processor.
func newPipeline(workers int, size int64) *pipeline {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	p := &pipeline{buffers: make(chan *buffer, maxBuffers)}
	for range min(2*workers+2, maxBuffers) {
		p.buffers <- &buffer{buf: make([]byte, min(bufferSize, size))}
	}
	for range workers {
		w := &worker{tasks: make(chan func(), workerQueue)}
		p.workers = append(p.workers, w)
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			for task := range w.tasks {
				task()
			}
		}()
	}
	return p
}

// close waits until everything submitted is done.
func (p *pipeline) close() {
	for _, w := range p.workers {
		close(w.tasks)
	}
	p.wg.Wait()
}

// drop is close for a result that no longer matters: queued work is dropped.
func (p *pipeline) drop() {
	p.stop.Store(true)
	p.close()
}

// submit queues work on n bytes, then cleanup, which runs even after drop.
func (p *pipeline) submit(w *worker, n int, work, cleanup func()) {
	w.pending.Add(int64(n))
	w.tasks <- func() {
		if !p.stop.Load() {
			work()
		}
		if cleanup != nil {
			cleanup()
		}
		w.pending.Add(-int64(n))
	}
}

// idlest is the worker with least to do.
func (p *pipeline) idlest() *worker {
	best := p.workers[0]
	for _, w := range p.workers[1:] {
		if w.pending.Load() < best.pending.Load() {
			best = w
		}
	}
	return best
}

// buffer returns a free one with one user, the caller.
func (p *pipeline) buffer(ctx context.Context) (*buffer, error) {
	select {
	case pc := <-p.buffers:
		pc.users.Store(1)
		return pc, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// release removes one user of a buffer.
func (p *pipeline) release(pc *buffer) {
	if pc.users.Add(-1) == 0 {
		p.buffers <- pc
	}
}

// makeSlots allocates room for LZ4 blocks of at most these lengths.
func (p *pipeline) makeSlots(in, out int64) {
	n := max(1, min(lz4Budget/(in+out), int64(len(p.workers))+1))
	p.slots = make(chan *slot, n)
	for range n {
		p.slots <- &slot{in: make([]byte, 0, in), out: make([]byte, out)}
	}
}

// write stores data on a worker and remembers the first failure.
func (p *pipeline) write(w io.WriterAt, data []byte, at int64) {
	_, err := w.WriteAt(data, at)
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeErr == nil {
		p.writeErr = err
	}
	p.stop.Store(true)
}

// writeFailure is the first error of an output.
func (p *pipeline) writeFailure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writeErr
}

// stream is one hash over consecutive buffers, on one worker.
type stream struct {
	p    *pipeline
	w    *worker
	hash hash.Hash // nil: only written
	want []byte
	bad  func() // called on the worker when the hash is another
}

func (p *pipeline) stream(t HashType, want []byte, bad func()) *stream {
	s := &stream{p: p, w: p.idlest(), want: want, bad: bad}
	if t.valid() {
		s.hash = t.function().New()
	}
	return s
}

// add hands a part of a buffer to the stream; also does something more with it there.
func (s *stream) add(pc *buffer, data []byte, also func([]byte)) {
	pc.users.Add(1)
	s.p.submit(s.w, len(data), func() {
		if s.hash != nil {
			s.hash.Write(data)
		}
		if also != nil {
			also(data)
		}
	}, func() { s.p.release(pc) })
}

// end compares the hash.
func (s *stream) end() {
	if s.hash == nil {
		return
	}
	s.p.submit(s.w, 0, func() {
		if !bytes.Equal(s.hash.Sum(nil), s.want) {
			s.bad()
		}
	}, nil)
}

// unpack decodes the LZ4 block in a slot, checks it and hands its bytes to also.
func (p *pipeline) unpack(s *slot, t Tag, bad func(detail string), also func([]byte)) {
	p.submit(p.idlest(), len(s.in)+int(t.DestLen), func() {
		out := s.out[:t.DestLen]
		n, err := lz4.UncompressBlock(s.in, out)
		switch {
		case err != nil || n != len(out):
			bad("the LZ4 block does not unpack to its length")
		case t.HashType.valid() && !bytes.Equal(t.HashType.sum(out), t.Hash):
			bad("the unpacked bytes have another " + t.HashType.String())
		default:
			also(out)
		}
	}, func() { p.slots <- s })
}
