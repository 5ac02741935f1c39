package mkimage

import (
	"io"
	"runtime"
	"sync"

	"github.com/pierrec/lz4/v4"

	"xflash/sin"
)

// packBudget bounds the bytes that packInOrder holds at a time, unless one piece alone
// is larger.
const packBudget = 16 << 20

// packJob is one piece on its way through LZ4.
type packJob struct {
	piece      *mapPiece
	plain, out []byte
	packed     []byte
	hash       []byte
	err        error
	lz4        lz4.Compressor
}

// packInOrder calls use for every piece that has data, in order: compressed pieces with
// their block and, when t is a hash function, the hash of what went into it; plain ones
// with nothing. The compressing is spread over the processors.
func packInOrder(pieces []mapPiece, t sin.HashType, use func(p *mapPiece, packed, hash []byte) error) error {
	var largest int64
	for i := range pieces {
		if pieces[i].kind == sin.TagLZ4A {
			largest = max(largest, pieces[i].length)
		}
	}
	free := make([]*packJob, 0)
	for range max(1, min(int64(4*runtime.GOMAXPROCS(0)), packBudget/(2*max(largest, 1)))) {
		free = append(free, &packJob{})
	}
	var batch []*packJob
	flush := func() error {
		var wg sync.WaitGroup
		next := make(chan *packJob, len(batch))
		for _, job := range batch {
			next <- job
		}
		close(next)
		for range min(len(batch), runtime.GOMAXPROCS(0)) {
			wg.Go(func() {
				for job := range next {
					job.run(t)
				}
			})
		}
		wg.Wait()
		for _, job := range batch {
			if job.err != nil {
				return job.err
			}
			if err := use(job.piece, job.packed, job.hash); err != nil {
				return err
			}
		}
		free, batch = append(free, batch...), nil
		return nil
	}
	for i := range pieces {
		p := &pieces[i]
		switch {
		case p.kind == sin.TagLZ4A:
			job := free[len(free)-1]
			job.piece = p
			free, batch = free[:len(free)-1], append(batch, job)
			if len(free) > 0 {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		case p.kind == sin.TagADDR:
			if err := flush(); err != nil {
				return err
			}
			if err := use(p, nil, nil); err != nil {
				return err
			}
		}
	}
	return flush()
}

// run reads, hashes and compresses the piece of a job.
func (j *packJob) run(t sin.HashType) {
	p := j.piece
	if int64(cap(j.plain)) < p.length {
		j.plain = make([]byte, p.length)
	}
	j.plain = j.plain[:p.length]
	if _, j.err = io.ReadFull(io.NewSectionReader(p.src, p.from, p.length), j.plain); j.err != nil {
		return
	}
	if t.Size() > 0 {
		j.hash = sum(t, j.plain)
	}
	if j.packed = p.block; j.packed != nil {
		return
	}
	// With room for the worst case the library never declines to compress.
	if bound := lz4.CompressBlockBound(int(p.length)); len(j.out) < bound {
		j.out = make([]byte, bound)
	}
	var n int
	n, j.err = j.lz4.CompressBlock(j.plain, j.out)
	j.packed = j.out[:n]
}
