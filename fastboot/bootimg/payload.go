package bootimg

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"

	"xflash/fastboot/bootimg/unpack"
)

// MaxKernel is the most that a kernel may expand to, bytes; those of the phones
// at hand have less than half of it.
const MaxKernel = 64 << 20

// Limits of the search for a compressed kernel in a zImage.
const (
	minPayload   = 1 << 20       // a stream that gives less is not the kernel's
	maxAttempts  = 64            // streams that are tried
	attemptsMost = 4 * MaxKernel // bytes that come out of all of them
)

// Payload is what was learnt from the unpacked kernel. The kernel itself is not kept.
type Payload struct {
	Format unpack.Format // None when it is there as it is
	Offset int           // of the stream in the kernel section, bytes
	Size   int64         // unpacked, bytes
	Banner string        // "Linux version …" to the end of the line
	Config Config        // embedded configuration, empty when the kernel has none
	marks  map[unpack.Format]bool
}

// Payload unpacks the kernel and examines it (FORMAT.md §6.2). In a
// zImage, whose beginning is the code that unpacks it, every magic is tried; the
// first stream that gives a megabyte or more with a banner is the kernel.
//
// With unpack.ErrUnsupported the format is named in the payload, which is otherwise empty.
// With unpack.ErrCorrupt or unpack.ErrTruncated a stream starts there and breaks; the payload
// is what came out before. With ErrMalformed none is found, which says nothing against the
// kernel: not every zImage is packed.
func (k *Kernel) Payload() (*Payload, error) {
	switch k.Kind {
	case KernelZImage:
		return k.searchPayload()
	case KernelCompressed:
		return probeStream(k.data, 0, k.Format, MaxKernel)
	}
	p := newProbe()
	if _, err := p.Write(k.data[:k.Bare]); err != nil {
		return nil, err
	}
	return p.payload(unpack.None, 0), nil
}

func (k *Kernel) searchPayload() (*Payload, error) {
	body := k.data[:k.Bare]
	var best *Payload
	var bestErr error = fail("kernel", ErrMalformed, 0, "no compressed kernel found in the %d bytes of the zImage", k.Bare)
	budget := int64(attemptsMost)
	at, f := unpack.Next(body, 0)
	for attempts := 0; f != unpack.None && attempts < maxAttempts && budget > 0; attempts++ {
		p, err := probeStream(body, at, f, min(MaxKernel, budget))
		if p != nil {
			budget -= p.Size
			if err == nil && p.Size >= minPayload && p.Banner != "" {
				return p, nil
			}
			named := best == nil && errors.Is(err, unpack.ErrUnsupported)
			broken := err != nil && begins(body[at:], f) && (best == nil || p.Size > best.Size)
			if named || broken {
				best, bestErr = p, err
			}
		}
		at, f = unpack.Next(body, at+1)
	}
	return best, bestErr
}

// begins tells whether a stream starts here that breaks later, and not by chance: the header
// of every format but gzip, with the first block, says so. gzip has three bytes of magic; the
// others in its header have few values that anybody writes.
func begins(stream []byte, f unpack.Format) bool {
	if f != unpack.Gzip {
		return true
	}
	return len(stream) >= 10 && stream[3]&0xE0 == 0 && slices.Contains([]byte{0, 2, 4}, stream[8]) && (stream[9] <= 13 || stream[9] == 255)
}

// probeStream unpacks the stream of body at an offset and looks at what comes out.
func probeStream(body []byte, at int, f unpack.Format, limit int64) (*Payload, error) {
	s, err := unpack.Open(body[at:], f, limit)
	if errors.Is(err, unpack.ErrUnsupported) {
		return &Payload{Format: f, Offset: at}, err
	}
	if err != nil {
		return nil, err
	}
	p := newProbe()
	if _, err = io.Copy(p, s); err == nil && p.size == 0 {
		return nil, fail("kernel", ErrMalformed, int64(at), "the %v stream is empty", f)
	}
	return p.payload(f, at), err
}

var versionOf = regexp.MustCompile(`^Linux version (\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

// Version returns the kernel version of the banner, false when it has none.
func (p *Payload) Version() (v [3]int, ok bool) {
	m := versionOf.FindStringSubmatch(p.Banner)
	if m == nil {
		return v, false
	}
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // digits only; the third part may be missing
	}
	return v, true
}

// probe is a writer that looks for what a kernel tells about itself, without keeping it.
type probe struct {
	size   int64
	carry  []byte // end of what came before, so that nothing is missed at a seam
	banner string
	config []byte // after the start mark, compressed
	inside bool   // between the two marks
	marks  map[unpack.Format]bool
}

const (
	carryLen    = 1 << 10
	maxBanner   = 512
	maxConfigGz = 1 << 20
	configStart = "IKCFG_ST"
	configEnd   = "IKCFG_ED"
)

var banner = regexp.MustCompile(`Linux version \d[^\n\x00]*`)

func newProbe() *probe { return &probe{marks: map[unpack.Format]bool{}} }

func (p *probe) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 { // in pieces, so that a whole kernel in one slice is not copied at once
		n := min(len(b), 64<<10)
		p.look(b[:n])
		b = b[n:]
	}
	return written, nil
}

func (p *probe) look(b []byte) {
	p.size += int64(len(b))
	window := append(p.carry, b...)
	if bytes.HasSuffix(p.carry, []byte(p.banner)) { // none yet, or it may continue
		if m := banner.Find(window); m != nil {
			p.banner = string(m[:min(len(m), maxBanner)])
		}
	}
	for f, d := range decompressors {
		if !p.marks[f] && bytes.Contains(window, []byte(d.text)) {
			p.marks[f] = true
		}
	}
	switch i := bytes.Index(window, []byte(configStart)); {
	case p.inside:
		p.config = append(p.config, b...)
	case p.config == nil && i >= 0:
		p.inside, p.config = true, bytes.Clone(window[i+len(configStart):])
	}
	if p.inside {
		if i := bytes.Index(p.config, []byte(configEnd)); i >= 0 || len(p.config) > maxConfigGz {
			p.inside, p.config = false, p.config[:max(i, 0)]
		}
	}
	p.carry = window[:copy(window, window[max(0, len(window)-carryLen):])]
}

func (p *probe) payload(f unpack.Format, at int) *Payload {
	out := &Payload{Format: f, Offset: at, Size: p.size, Banner: p.banner, marks: p.marks}
	if !p.inside && len(p.config) > 0 {
		out.Config = parseConfig(p.config)
	}
	return out
}
