package sin

import (
	"bytes"
	"regexp"
	"slices"
)

// Loader is what a loader's payload tells about itself (FORMAT.md §4.3, §5.4, §8).
type Loader struct {
	Version string   // MSM8974AB_22, LOADER_RELEASE_MSM8974_23_AID_4, R4A024; empty when not found
	Product string   // 1277-2052, the ID that the loader reports; empty when not found
	Tags    []string // map tags it knows, in the order GPTP MTKP ADDR LZ4A FILL MTKM
	Roots   []LoaderRoot
	// IgnoresCRC is set when the hello of this loader has the key IGNORE_CRC. The oldest
	// loaders do not have it; they write a FILL only when it is what the erased card reads
	// (usbproto/s1/PROTOCOL.md §14.1).
	IgnoresCRC bool
}

// LoaderRoot is a root certificate embedded in a loader.
type LoaderRoot struct {
	Offset      int64 // in the payload
	Certificate *Certificate
}

// Supports reports whether the loader knows a map tag. A loader without LZ4A refuses
// the compressed images of later firmware.
func (l *Loader) Supports(tag string) bool {
	return slices.Contains(l.Tags, tag)
}

var (
	// The product id and the version follow each other as C strings in every loader that has both.
	productThenVersion = regexp.MustCompile(`([0-9]{4}-[0-9]{4})\x00+([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)\x00`)
	releaseString      = regexp.MustCompile(`LOADER_RELEASE_[A-Za-z0-9_.-]+`)
	// Loaders of version 1 and 2 have one word before the product id: R4A024.
	wordThenProduct = regexp.MustCompile(`\x00([A-Z][A-Z0-9_]{3,31})\x00+([0-9]{4}-[0-9]{4})\x00`)
	versionAlone    = regexp.MustCompile(`(?:MSM|APQ|MT)[0-9][0-9A-Z]+_[0-9]+(?:_[A-Z0-9]+)*`)
	productAlone    = regexp.MustCompile(`\x00([0-9]{4}-[0-9]{4})\x00`)
)

// maxCandidates bounds the certificates whose signature is tried. Real loaders hold two
// or three; a hostile one could hold thousands with keys that are slow to check.
const maxCandidates = 64

// InspectLoader looks through the payload of a loader. Roots are certificates that are
// their own issuer and whose signature holds; chance finds cannot pass that.
func InspectLoader(payload []byte) *Loader {
	l := &Loader{IgnoresCRC: bytes.Contains(payload, []byte("IGNORE_CRC"))}
	if m := productAlone.FindSubmatch(payload); m != nil {
		l.Product = string(m[1])
	}
	if release := releaseString.Find(payload); release != nil {
		l.Version = string(release)
	} else if m := productThenVersion.FindSubmatch(payload); m != nil {
		l.Product, l.Version = string(m[1]), string(m[2])
	} else if m := wordThenProduct.FindSubmatch(payload); m != nil {
		l.Version, l.Product = string(m[1]), string(m[2])
	} else {
		l.Version = string(versionAlone.Find(payload))
	}
	for _, tag := range []TagKind{TagGPTP, TagMTKP, TagADDR, TagLZ4A, TagFILL, TagMTKM} {
		// Without GPTP there are no maps, and the other words are there by chance.
		if bytes.Contains(payload, []byte(TagGPTP)) && bytes.Contains(payload, []byte(tag)) {
			l.Tags = append(l.Tags, string(tag))
		}
	}
	// A certificate with an RSA key is a SEQUENCE with a two-byte length.
	start := []byte{tagSequence, 0x82}
	for at, candidates := 0, 0; candidates < maxCandidates; at++ {
		i := bytes.Index(payload[at:], start)
		if i < 0 {
			break
		}
		at += i
		c, err := readCertificate(payload[at:])
		if err != nil {
			continue
		}
		candidates++
		if c.SelfSigned() {
			l.Roots = append(l.Roots, LoaderRoot{Offset: int64(at), Certificate: c})
			at += len(c.Raw) - 1
		}
	}
	return l
}
