package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"xflash/fastboot/sparse"
	"xflash/internal/fileio"
	"xflash/internal/text"
)

// Sparse is what an Android sparse image is made of.
type Sparse struct {
	BlockSize uint32           `json:"block_size"` // bytes
	Blocks    uint32           `json:"blocks"`
	Chunks    uint32           `json:"chunks"`
	Expanded  int64            `json:"expanded"` // bytes
	Kinds     map[string]int64 `json:"kinds"`    // bytes of the expanded image by kind of chunk
	Content   Kind             `json:"content,omitempty"`
}

// sparse inspects an Android sparse image: every chunk, and what the image is of.
func (in *inspector) sparse(ctx context.Context, rep *Report, s source) error {
	rep.Kind, rep.Title = KindSparse, "Android sparse image"
	r, err := s.open()
	if err != nil {
		return err
	}
	sums := newSums(&fileio.Reader{Context: ctx, R: r, Progress: in.progress(s)}, in.Hashes)
	inside, err := in.chunks(rep, sums, s.size)
	if err == nil || errors.As(err, new(*sparse.Error)) {
		if drainErr := sums.drain(ctx); drainErr != nil {
			err = drainErr
		}
	}
	err = errors.Join(err, r.Close())
	if in.Hashes {
		rep.SHA256, rep.MD5 = sums.file()
	}
	if err := outside(ctx, err); err != nil && !errors.As(err, new(*sparse.Error)) {
		return err
	}
	switch {
	case rep.failed(err):
	case rep.Sparse.Kinds[sparse.CRC32.String()] > 0:
		rep.whole("the checksum in it is right")
	default:
		rep.unproven("every chunk is there; the image has no checksum for its content")
	}
	if rep.Sparse == nil || rep.Damaged() || in.depth >= maxDepth {
		return nil
	}
	content := source{name: "content", size: rep.Sparse.Expanded}
	look := recognizeFileSystem(inside)
	if look != nil {
		content = fileSource(content.name, headReader(inside), content.size) // its first blocks tell all
	} else if look = in.recognizeBoot(inside); look == nil || content.size > maxBoot {
		return nil
	} else {
		content.open = func() (io.ReadCloser, error) { return expand(s) }
	}
	child := &Report{Name: content.name, Size: content.size}
	if err := look(ctx, child, content); err != nil {
		return err
	}
	rep.Sparse.Content = child.Kind
	rep.Title = "Android sparse image of " + text.WithArticle(child.Title)
	rep.Contents = append(rep.Contents, child)
	rep.together(1)
	return nil
}

// expand opens what a sparse image unpacks to.
func expand(s source) (io.ReadCloser, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	z, err := sparse.NewReader(r)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{z.Expand(), r}, nil
}

// chunks walks all chunks and gives the first bytes of the expanded image.
func (in *inspector) chunks(rep *Report, r io.Reader, size int64) (head []byte, err error) {
	z, err := sparse.NewReader(r)
	if err != nil {
		return nil, err
	}
	h := z.Header()
	rep.Sparse = &Sparse{BlockSize: h.BlockSize, Blocks: h.Blocks, Chunks: h.Chunks, Expanded: h.Size(), Kinds: map[string]int64{}}
	if !h.Plain() {
		rep.Notes = append(rep.Notes, "its headers are longer than usual; boot loaders of 2015 and later refuse that")
	}
	rep.Layouts = []Layout{{Of: "file", Size: size}, {Of: "partition", Size: h.Size()}}
	file, image := &rep.Layouts[0], &rep.Layouts[1]
	file.add(RegionHeader, "", 0, int64(h.HeaderSize))
	defer func() { file.arrange(); image.holes() }()
	inside := bytes.NewBuffer(nil)
	for {
		c, err := z.Next()
		if err == io.EOF {
			return inside.Bytes(), nil
		}
		if err != nil {
			return inside.Bytes(), err
		}
		kind := map[sparse.ChunkType]RegionKind{sparse.Raw: RegionData, sparse.Fill: RegionFill, sparse.LZ4: RegionPacked}[c.Type]
		bytesOf := c.Size
		if c.Type == sparse.CRC32 {
			bytesOf = c.Data // counts as there
		}
		rep.Sparse.Kinds[c.Type.String()] += bytesOf
		file.add(RegionData, "", c.Offset, int64(h.ChunkHeaderSize)+c.Data)
		if kind != "" {
			image.add(kind, "", c.Dest, c.Size)
		}
		if want := headSize - int64(inside.Len()); want > 0 && c.Dest == int64(inside.Len()) {
			if _, err := io.CopyN(inside, z, min(want, c.Size)); err != nil {
				return inside.Bytes(), fmt.Errorf("chunk %d: %w", c.Index, err)
			}
		}
	}
}
