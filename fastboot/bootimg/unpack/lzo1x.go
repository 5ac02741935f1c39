package unpack

import "errors"

// The errors of a block that is not one.
var (
	errLZOShort    = errors.New("a block ends before its end mark")
	errLZOFull     = errors.New("a block unpacks to more than it announced")
	errLZODistance = errors.New("a match points before the start of its block")
	errLZOEnd      = errors.New("a block does not end where its length says")
	errLZOSize     = errors.New("a block unpacks to less than it announced")
)

// lzo1x decodes a block of LZO1X, which gives size bytes, and appends them to dst. Nothing
// before them in dst is read.
//
// A block is a row of instructions. Each copies a match out of what was written, then up to
// three literals whose number is in its last two bits; a run of four or more literals has an
// instruction of its own. What a code below 16 means depends on the literals before it:
//
//	0000LLLL         after none: a run of L+3 literals
//	0000DDSS H       after 1-3: 2 bytes at distance (H<<2)+D+1
//	0000DDSS H       after a run: 3 bytes at distance (H<<2)+D+2049
//	0001HLLL D(LE16) L+2 bytes at distance 16384+(H<<14)+(D>>2); distance 16384 ends the block
//	001LLLLL D(LE16) L+2 bytes at distance (D>>2)+1
//	LLLDDDSS H       from 010 on: L+1 bytes at distance (H<<3)+D+1
//
// A length of 0 continues in the bytes that follow: 255 for each zero byte, then a byte that is
// not zero, on top of the largest length that the code has room for. The block's first byte,
// if above 17, is a run of that many literals less 17.
func lzo1x(dst, src []byte, size int) ([]byte, error) {
	d := lzoBlock{src: src, out: dst, start: len(dst), end: len(dst) + size}
	literals := 0 // how many the last instruction copied; 4 stands for a run
	if len(src) > 0 && src[0] > 17 {
		n := int(src[0]) - 17
		d.at = 1
		if err := d.literals(n); err != nil {
			return dst, err
		}
		literals = min(n, 4)
	}
	for {
		code, err := d.next()
		if err != nil {
			return dst, err
		}
		if code < 16 && literals == 0 {
			n, err := d.length(code, 15, 3)
			if err == nil {
				err = d.literals(n)
			}
			if err != nil {
				return dst, err
			}
			literals = 4
			continue
		}
		length, distance, tail, err := d.match(code, literals)
		if err != nil {
			return dst, err
		}
		if code >= 16 && code < 32 && distance == 16384 {
			switch {
			case d.at != len(d.src):
				return dst, errLZOEnd
			case len(d.out) != d.end:
				return dst, errLZOSize
			}
			return d.out, nil
		}
		if err := d.copy(length, distance); err != nil {
			return dst, err
		}
		literals = tail
		if err := d.literals(literals); err != nil {
			return dst, err
		}
	}
}

// lzoBlock is a block while it is decoded.
type lzoBlock struct {
	src        []byte
	at         int
	out        []byte
	start, end int // of the block in out
}

func (d *lzoBlock) next() (int, error) {
	if d.at >= len(d.src) {
		return 0, errLZOShort
	}
	d.at++
	return int(d.src[d.at-1]), nil
}

// match reads what follows a code that is a match: its length, its distance, and the
// number of literals after it.
func (d *lzoBlock) match(code, literals int) (length, distance, tail int, err error) {
	if code >= 16 && code < 64 {
		most, base := 31, 1
		if code < 32 {
			most, base = 7, 16384+(code&8)<<11
		}
		if length, err = d.length(code&most, most, 2); err != nil {
			return 0, 0, 0, err
		}
		low, err := d.next()
		if err != nil {
			return 0, 0, 0, err
		}
		high, err := d.next()
		return length, base + low>>2 + high<<6, low & 3, err
	}
	high, err := d.next()
	switch {
	case code >= 64:
		return code>>5 + 1, high<<3 + code>>2&7 + 1, code & 3, err
	case literals == 4:
		return 3, high<<2 + code>>2 + 2049, code & 3, err
	}
	return 2, high<<2 + code>>2 + 1, code & 3, err
}

// length is n+base, or, for n = 0, what the bytes that follow say on top of most.
func (d *lzoBlock) length(n, most, base int) (int, error) {
	if n > 0 {
		return n + base, nil
	}
	for n = most; ; n += 255 {
		b, err := d.next()
		if err != nil {
			return 0, err
		}
		if b > 0 {
			return n + b + base, nil
		}
		if n > d.end-d.start {
			return 0, errLZOFull
		}
	}
}

func (d *lzoBlock) literals(n int) error {
	switch {
	case n > len(d.src)-d.at:
		return errLZOShort
	case n > d.end-len(d.out):
		return errLZOFull
	}
	d.out = append(d.out, d.src[d.at:d.at+n]...)
	d.at += n
	return nil
}

// copy repeats what was written. A match may reach into the bytes that it gives itself.
func (d *lzoBlock) copy(length, distance int) error {
	switch {
	case distance > len(d.out)-d.start:
		return errLZODistance
	case length > d.end-len(d.out):
		return errLZOFull
	}
	for length > 0 {
		from := d.out[len(d.out)-distance:]
		n := min(length, len(from))
		d.out = append(d.out, from[:n]...)
		length -= n
	}
	return nil
}
