package simphone

import "fmt"

// An upload is a SIN file on its way: its header in parts, or its payload.
type upload struct {
	header []byte // parts so far; nil: none outstanding
	image  *image // accepted header; nil: none
}

// maxHeader bounds a header sent in parts. The loader's own limit was not read.
const maxHeader = 16 << 20

// header5 answers command 5: collects the header and judges it with its last
// part (usbproto/s1/PROTOCOL.md §3.2).
func header5(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) == 0 {
		s.drop()
		return nil, s.wrongSize()
	}
	if s.trim.partition == 1 && !(s.stage == StageLoader && s.model.old) {
		return nil, gaveUp(statusCmdState)
	}
	if len(s.upload.header)+len(data) > maxHeader {
		s.drop()
		return nil, failed(statusCmdMemory)
	}
	s.upload.header = append(s.upload.header, data...)
	if h.more() {
		return nil, nil
	}
	raw := s.upload.header
	s.drop()
	image, why := s.accept(raw)
	if s.dead {
		return nil, nil
	}
	if why != 0 {
		return nil, failed(why)
	}
	s.note(fmt.Sprintf("header accepted: type %02X, signed %s", image.header.kind, image.signer.role))
	s.upload.image = image
	return nil, nil
}

// data6 answers command 6: the next bytes of the payload.
func data6(s *session, h packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) == 0 {
		s.drop()
		return nil, s.wrongSize()
	}
	if s.upload.image == nil {
		return nil, failed(statusCmdState)
	}
	why := s.upload.image.take(data, !h.more())
	if s.dead {
		return nil, nil
	}
	if why != 0 {
		s.drop()
		return nil, failed(why)
	}
	if !h.more() {
		s.drop()
	}
	return nil, nil
}

// accept judges a whole header and prepares for its payload.
func (s *session) accept(raw []byte) (*image, status) {
	h, why := parseSINHeader(raw)
	if why != 0 {
		return nil, why
	}
	if s.stage == StageBoot {
		return s.acceptLoader(h)
	}
	if h.algorithm() == hashSHA1 {
		s.dead = true // crashes the loader (usbproto/s1/PROTOCOL.md §12.5)
		return nil, 0
	}
	signer, why := s.sec.authenticate(h)
	if why != 0 {
		return nil, why
	}
	im := &image{session: s, header: h, signer: signer}
	switch h.kind {
	case payloadImage:
		im.sink = &mapWriter{image: im}
	case payloadLayout:
		if why := s.sec.mayWrite(signer.role, nil); why != 0 {
			return nil, why
		}
		im.sink = &layoutWriter{image: im}
	case payloadHWConf:
		im.sink = &hwConfWriter{image: im}
	case payloadBlob:
		im.sink = discard{}
	default:
		return nil, statusPayloadType
	}
	return im, 0
}

// A sink is what becomes of a payload whose blocks are verified.
type sink interface {
	write(data []byte) status // the next verified bytes; data is valid only during the call
	finish() status           // after the last byte
}

// discard is what these loaders do with type 2A: they accept it and drop it
// (usbproto/s1/PROTOCOL.md §11.13).
type discard struct{}

func (discard) write([]byte) status { return 0 }
func (discard) finish() status      { return 0 }
