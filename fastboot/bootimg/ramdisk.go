package bootimg

import (
	"bytes"
	"io"

	"xflash/fastboot/bootimg/unpack"
)

// MaxRamdisk is the most that a ramdisk may expand to, bytes.
const MaxRamdisk = 128 << 20

// Ramdisk is what was learnt from a ramdisk section. It is read through, not kept.
type Ramdisk struct {
	Format unpack.Format // None when it is a cpio archive as it is, or unknown
	CPIO   bool          // it starts a cpio archive of the form that kernels read
	Size   int64         // unpacked, bytes; of an archive as it is up to its end mark
	Files  int           // entries of the archive
	Init   bool          // it has an /init
	Names  []string      // of the first entries, at most maxNames
}

const maxNames = 4096

// ParseRamdisk examines a ramdisk (FORMAT.md §6.1, §5.2). The error says
// why it could not be read to its end; what was learnt before it is returned.
func ParseRamdisk(data []byte) (*Ramdisk, error) {
	r := &Ramdisk{Format: unpack.Detect(data[:min(unpack.HeadSize, len(data))])}
	var in io.Reader = bytes.NewReader(data)
	if r.Format != unpack.None {
		s, err := unpack.Open(data, r.Format, MaxRamdisk)
		if err != nil {
			return r, err
		}
		in = s
	}
	counted := &counter{r: in}
	err := ReadCPIO(counted, func(f CPIOFile, _ io.Reader) error {
		r.Files++
		r.Init = r.Init || f.Name == "init" || f.Name == "/init" || f.Name == "./init"
		if len(r.Names) < maxNames {
			r.Names = append(r.Names, f.Name)
		}
		return nil
	})
	r.CPIO = err == nil || r.Files > 0
	if r.Format != unpack.None { // the checksum is at the end of the stream, and damage explains all else
		if _, damage := io.Copy(io.Discard, counted); damage != nil {
			err = damage
		}
	}
	r.Size = counted.n
	return r, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
