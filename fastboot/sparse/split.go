package sparse

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxRawData is the most data a raw chunk can have: its total size is a 32-bit number.
const maxRawData = math.MaxUint32 - chunkLen

// Piece is one complete sparse image that describes the whole partition and
// carries the data of the blocks First to End-1; the rest is don't-care.
type Piece struct {
	Size       int64 // of the sparse image, bytes
	First, End int64 // blocks, End exclusive; both 0 in an image that is one hole
	Chunks     int64 // in its header
	image      *Image
	from       position // where the walk of its blocks starts
}

// Split plans the pieces of the image, each at most limit bytes long; 0 means
// no limit. A raw chunk that does not fit is cut, unless the room left is no
// more than an eighth of the limit: the rule of the AOSP client
// (fastboot/bootimg/FORMAT.md §7.1). Memory grows with the number of pieces only.
func (m *Image) Split(limit int64) ([]*Piece, error) {
	bs := m.BlockSize()
	limit = cmp.Or(limit, math.MaxInt64)
	if least := headerLen + 3*chunkLen + bs; limit < least {
		return nil, fmt.Errorf("sparse: a limit of %d bytes is below %d, one block with its headers", limit, least)
	}
	plan := planner{image: m, limit: limit}
	blocks := int64(m.head.Blocks)
	for w := m.walk(m.start(), blocks); ; {
		e, err := w.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for e.blocks > 0 {
			e = e.cut(plan.add(e), bs)
		}
	}
	if plan.piece != nil || len(plan.done) == 0 {
		plan.close()
	}
	return plan.done, nil
}

// planner puts extents into pieces.
type planner struct {
	image *Image
	limit int64
	piece *Piece // being filled, nil between pieces
	holes int64  // don't-care extents since the last data of the piece
	done  []*Piece
}

// add puts the beginning of e into the current piece, closing it when it is
// full, and says how many blocks it has dealt with. It deals with at least one,
// or closes a piece that has data, so that its caller comes to an end.
func (p *planner) add(e extent) int64 {
	if e.kind == DontCare { // counts only when data follow it in the same piece
		if p.piece != nil {
			p.holes++
		}
		return e.blocks
	}
	if p.piece == nil {
		p.open(e.at)
	}
	room := p.limit - p.piece.Size - p.holes*chunkLen - chunkLen // the last for the hole after
	take, chunks, size := e.blocks, int64(1), int64(chunkLen+4)
	if e.kind == Raw {
		take = min(take, p.fits(room))
		chunks, size = p.image.rawChunks(take)
	}
	if p.piece.End > p.piece.First && (size > room || take < e.blocks && room <= p.limit/8) {
		p.close()
		return 0
	}
	p.piece.Size += p.holes*chunkLen + size
	p.piece.Chunks += p.holes + chunks
	p.piece.End = e.at.block + take
	p.holes = 0
	if take < e.blocks {
		p.close()
	}
	return take
}

// fits is the number of raw blocks that fit into room, at least one.
func (p *planner) fits(room int64) int64 {
	n := max(room/p.image.BlockSize(), 1)
	for n > 1 {
		_, size := p.image.rawChunks(n)
		if size <= room {
			break
		}
		n -= max((size-room)/p.image.BlockSize(), 1)
	}
	return n
}

func (p *planner) open(at position) {
	p.piece = &Piece{Size: headerLen, First: at.block, End: at.block, image: p.image, from: at}
	p.holes = 0
	if at.block > 0 {
		p.piece.Size += chunkLen
		p.piece.Chunks++
	}
}

func (p *planner) close() {
	if p.piece == nil {
		p.open(p.image.start())
	}
	if p.piece.End < int64(p.image.head.Blocks) {
		p.piece.Size += chunkLen
		p.piece.Chunks++
	}
	p.done = append(p.done, p.piece)
	p.piece = nil
}

// rawChunks is how many chunks a run of raw blocks takes, and how many bytes.
func (m *Image) rawChunks(blocks int64) (chunks, size int64) {
	most := maxRawData / m.BlockSize()
	chunks = (blocks-1)/most + 1
	return chunks, chunks*chunkLen + blocks*m.BlockSize()
}
