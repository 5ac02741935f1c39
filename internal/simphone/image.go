package simphone

import "bytes"

// maxLoader bounds the payload of a loader, and maxSpecial that of a partition
// layout or hardware configuration. The phone's own bounds are unknown.
const (
	maxLoader  = 16 << 20
	maxSpecial = 1 << 20
)

// An image is an accepted header and the state of its payload.
type image struct {
	session *session
	header  *sinHeader
	signer  *signer
	sink    sink

	block int    // next entry of the hash list
	chunk []byte // collected bytes of that block
	held  int    // packets kept for it
	begun bool   // a packet has come
	lost  bool   // the card will not store what is collected of the block
}

// take is the next packet of the payload. A corrupt block is reported with the
// packet that completes it, not with the one that damaged it.
func (im *image) take(packet []byte, last bool) status {
	s := im.session
	if len(im.header.blocks) == 0 {
		return statusMapValue
	}
	if im.block == len(im.header.blocks) && s.stage == StageLoader {
		return im.finish(last) // more than the hash list has, in its own packet: not looked at
	}
	if im.header.hashType == hashSHA1 {
		// Accepted in the header, but the loader uses freed memory
		// (usbproto/s1/PROTOCOL.md §11.11).
		s.dead = true
		return 0
	}
	if s.stage == StageLoader && im.held == s.model.packets {
		// It keeps all packets of the block it is collecting, and waits forever when
		// one more is needed (usbproto/s1/PROTOCOL.md §12.1).
		s.dead = true
		return 0
	}
	im.held++
	im.lost = im.lost || s.lose
	if w, ok := im.sink.(*mapWriter); ok && !im.begun {
		w.short = len(packet) < mapHeaderSize
	}
	im.begun = true
	if im.header.kind == payloadHWConf {
		// The old record is dropped before the new one is looked at, so any
		// failure leaves the session without one (usbproto/s1/PROTOCOL.md §11.5).
		s.sec.conf = nil
	}
	for im.block < len(im.header.blocks) {
		need := int(im.header.blocks[im.block].length) - len(im.chunk)
		if len(packet) < need {
			im.chunk = append(im.chunk, packet...)
			packet = nil
			break
		}
		data := packet[:need]
		if len(im.chunk) > 0 {
			im.chunk = append(im.chunk, data...)
			data = im.chunk
		}
		packet = packet[need:]
		if why := im.flush(data); why != 0 {
			return why
		}
		im.held, im.lost = min(len(packet), 1), s.lose
		if s.dead {
			return 0
		}
	}
	if len(packet) > 0 || last && im.block < len(im.header.blocks) {
		return statusDataState // longer or shorter than the hash list says
	}
	return im.finish(last)
}

// finish ends the payload with its last packet.
func (im *image) finish(last bool) status {
	if !last {
		return 0
	}
	return im.sink.finish()
}

// flush verifies a whole block and passes it on.
func (im *image) flush(data []byte) status {
	b := im.header.blocks[im.block]
	im.block++
	im.chunk = im.chunk[:0]
	if !bytes.Equal(im.header.sum(data), b.hash) && im.session.sec.enforced(im.signer.role) {
		if im.session.model.old {
			return statusBlockHashOld
		}
		return statusBlockHash
	}
	return im.sink.write(data)
}
