package mkimage

import (
	"fmt"
	"io"
)

// CPIOWriter writes a ramdisk: a cpio archive in the "newc" form. Close writes its end mark.
type CPIOWriter struct {
	w    io.Writer
	next uint32 // number of the next file, which must differ from the others
	err  error
}

// NewCPIOWriter starts an archive.
func NewCPIOWriter(w io.Writer) *CPIOWriter { return &CPIOWriter{w: w, next: 1} }

// Add writes a file with its data; the size is that of data.
func (c *CPIOWriter) Add(name string, mode uint32, data []byte) error {
	head := fmt.Sprintf("%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", "070701",
		c.next, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	c.next++
	for _, b := range [][]byte{[]byte(head), make([]byte, -len(head)&3), data, make([]byte, -len(data)&3)} {
		if c.err == nil {
			_, c.err = c.w.Write(b)
		}
	}
	return c.err
}

// Close ends the archive; it does not close the writer after it.
func (c *CPIOWriter) Close() error { return c.Add("TRAILER!!!", 0, nil) }
