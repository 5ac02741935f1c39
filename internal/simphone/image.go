package simphone

import "bytes"

// poolPackets is the number of packets the loader can keep. It keeps all
// packets of the hash chunk it is collecting; when one more is needed it waits
// for ever (loader-behaviour.md, "small packets hang the loader").
const poolPackets = 0x60

// maxLoader bounds the payload of a loader, and maxSpecial that of a partition
// layout or hardware configuration. The phone's own bounds are not known.
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
}

// take is the next packet of the payload. A corrupt block is told with the
// packet that completes it, not with the one that damaged it.
func (im *image) take(packet []byte, last bool) status {
	s := im.session
	if im.header.hashType == hashSHA1 {
		// Accepted in the header, but the loader uses freed memory
		// (loader-behaviour.md, correction 11).
		s.dead = true
		return 0
	}
	if s.stage == StageLoader && im.held == poolPackets {
		s.dead = true
		return 0
	}
	im.held++
	if im.header.kind == payloadHWConf {
		// The old record is dropped before the new one is looked at, so any
		// failure leaves the session without one (loader-behaviour.md, correction 5).
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
		im.held = min(len(packet), 1)
	}
	if len(packet) > 0 || last && im.block < len(im.header.blocks) {
		return statusDataState // longer or shorter than the hash list says
	}
	if last {
		return im.sink.finish()
	}
	return 0
}

// flush verifies a whole block and passes it on.
func (im *image) flush(data []byte) status {
	b := im.header.blocks[im.block]
	im.block++
	im.chunk = im.chunk[:0]
	if !bytes.Equal(im.header.sum(data), b.hash) && im.session.sec.enforced(im.signer.role) {
		return statusBlockHash
	}
	return im.sink.write(data)
}
