package simphone

import (
	"encoding/hex"
	"fmt"

	"xflash/sin"
)

// bootCommands is what the boot stage answers: the commands that hosts are known
// to have used there (usbproto/s1/PROTOCOL.md §4.1). Whether a real one knows more is not
// known.
var bootCommands = map[uint32]command{
	cmdInfo:    info1,
	cmdEnd:     end4,
	cmdHeader:  header5,
	cmdData:    data6,
	cmdError:   error7,
	cmdOpenTA:  openTA9,
	cmdCloseTA: closeTA10,
	cmdReadTA:  readTA12,
}

// loaderFacts is what the boot stage learned from the loader it was given.
type loaderFacts struct {
	version    string
	product    string
	tags       []string
	live, test []*sin.Certificate // the phone's roots, found in the payload
	aid        uint64             // of the loader's own certificate
}

// supports reports that the loader knows a tag of MMCF headers.
func (l *loaderFacts) supports(tag string) bool {
	for _, t := range l.tags {
		if t == tag {
			return true
		}
	}
	return false
}

// acceptLoader judges the header of a loader in the boot stage.
//
// The boot stage was not analysed by anyone, so this is a model: same numbers as
// the loader, signature and purpose checked, hardware configuration not asked
// (phones without one still took their loader, internal/phone/PHONES.md §8.3), security
// version left to the loader itself. Of Sony's root only the fingerprint is
// known here. A certificate that names it is let through when its own signature
// over the header is right, and proven with the last packet, when the payload
// has brought the root's certificate.
func (s *session) acceptLoader(h *sinHeader) (*image, status) {
	signer, why := checkSignature(h)
	if why == statusSignature && s.sec.trustAny {
		why = 0
	}
	if why != 0 {
		return nil, why
	}
	if h.kind != payloadLoader {
		return nil, statusPayloadType
	}
	if signer.role != roleLoader {
		return nil, statusUsage
	}
	if h.total() > maxLoader {
		return nil, statusNoMemory
	}
	im := &image{session: s, header: h, signer: signer}
	w := &loaderWriter{image: im}
	im.sink = w
	switch {
	case s.sec.chain(signer) == 0:
	case signer.leaf.Issuer == s.phone.kind.rootName:
		w.unproven = true
	default:
		return nil, statusSignature
	}
	return im, 0
}

// A loaderWriter is the sink of a loader: it stays in memory.
type loaderWriter struct {
	image    *image
	payload  []byte
	unproven bool // the root that signed it is still to be found
}

func (w *loaderWriter) write(data []byte) status {
	w.payload = append(w.payload, data...)
	return 0
}

func (w *loaderWriter) finish() status {
	s := w.image.session
	inspected := sin.InspectLoader(w.payload)
	facts := &loaderFacts{aid: w.image.signer.aid, version: inspected.Version, product: inspected.Product, tags: inspected.Tags}
	for _, root := range inspected.Roots {
		switch hex.EncodeToString(root.Certificate.Fingerprint[:]) {
		case s.phone.kind.rootPrint:
			facts.live = append(facts.live, root.Certificate)
		case testRootPrint:
			facts.test = append(facts.test, root.Certificate)
		}
	}
	if w.unproven && !w.image.signer.signedBy(facts.live) {
		return statusSignature
	}
	s.loader = facts
	s.next = actionStartLoader
	s.note(fmt.Sprintf("loader %s accepted", facts.version))
	return 0
}
