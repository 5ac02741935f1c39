package sin

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
)

// Certificate is what matters of an X.509 certificate in a SIN file or a loader.
//
// It is read by a small tolerant reader because crypto/x509 refuses the non-minimal
// exponent of the test certificates (FORMAT.md §5.3). Validity is kept but is
// no criterion: phones do not look at it.
type Certificate struct {
	Raw         []byte // DER, as in the file
	TBS         []byte // the part that is signed
	Serial      *big.Int
	Subject     string // common name
	Issuer      string // common name
	NotBefore   string // as written: 130723133343Z
	NotAfter    string
	Key         *rsa.PublicKey
	Hash        HashType // of the signature; NoHash when it is not plainly RSA with SHA-1 or SHA-256
	Signature   []byte
	Fingerprint [sha256.Size]byte // SHA-256 of Raw
}

// Limits on keys: real ones have 1024 and 2048 bits.
const minKeyBits, maxKeyBits = 512, 8192

// Encoded object identifiers.
var (
	oidCommonName = []byte{0x55, 0x04, 0x03}
	oidRSA        = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01}
	oidSHA1RSA    = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05}
	oidSHA256RSA  = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B}
)

// DER tags used by certificates.
const (
	tagInteger   = 0x02
	tagBitString = 0x03
	tagOID       = 0x06
	tagSequence  = 0x30
	tagSet       = 0x31
	tagVersion   = 0xA0
)

var errDER = errors.New("not a certificate")

// derReader walks over DER elements. The first error sticks and makes the rest empty.
type derReader struct {
	data []byte
	err  error
}

// next reads one element of any tag: its tag, its body, and all its bytes.
func (d *derReader) next() (tag byte, body, full []byte) {
	if d.err != nil || len(d.data) < 2 {
		d.err = errDER
		return 0, nil, nil
	}
	head, n := 2, int(d.data[1])
	if n >= 0x80 {
		count := n & 0x7F
		if count < 1 || count > 3 || len(d.data) < 2+count {
			d.err = errDER
			return 0, nil, nil
		}
		n = 0
		for _, b := range d.data[2 : 2+count] {
			n = n<<8 | int(b)
		}
		head += count
	}
	if n > len(d.data)-head {
		d.err = errDER
		return 0, nil, nil
	}
	tag, body, full = d.data[0], d.data[head:head+n], d.data[:head+n]
	d.data = d.data[head+n:]
	return tag, body, full
}

// take reads one element that must have the tag.
func (d *derReader) take(want byte) []byte {
	tag, body, _ := d.next()
	if tag != want {
		d.err = errDER
	}
	return body
}

// at reports whether an element with the tag comes next.
func (d *derReader) at(tag byte) bool { return d.err == nil && len(d.data) > 0 && d.data[0] == tag }

// enter reads a constructed element and returns a reader for its content.
func (d *derReader) enter(tag byte) *derReader {
	body := d.take(tag)
	return &derReader{data: body, err: d.err}
}

// ParseCertificate reads one DER certificate; nothing may follow it.
func ParseCertificate(der []byte) (*Certificate, error) {
	c, err := readCertificate(der)
	if err == nil && len(c.Raw) != len(der) {
		return nil, errDER
	}
	return c, err
}

// readCertificate reads the certificate at the start of data.
func readCertificate(data []byte) (*Certificate, error) {
	outer := derReader{data: data}
	_, _, raw := outer.next()
	whole := derReader{data: raw, err: outer.err}
	cert := whole.enter(tagSequence)
	_, _, tbs := cert.next()
	_, _, alg := cert.next()
	sig := cert.take(tagBitString)
	if cert.err != nil || len(cert.data) != 0 || len(sig) < 1 || sig[0] != 0 {
		return nil, errDER
	}
	c := &Certificate{Raw: raw, TBS: tbs, Signature: sig[1:]}
	inner, err := c.readTBS()
	if err != nil {
		return nil, err
	}
	c.Hash = signatureHash(inner, alg)
	c.Fingerprint = sha256.Sum256(raw)
	return c, nil
}

// signatureHash reads the algorithm of a certificate's signature, which is in it
// twice. The second one is not signed, so the two must be the same.
func signatureHash(inner, outer []byte) HashType {
	if !bytes.Equal(inner, outer) {
		return NoHash
	}
	alg := derReader{data: outer}
	switch oid := alg.enter(tagSequence).take(tagOID); {
	case bytes.Equal(oid, oidSHA1RSA):
		return SHA1
	case bytes.Equal(oid, oidSHA256RSA):
		return SHA256
	}
	return NoHash
}

// readTBS reads the signed part: version, serial number, algorithm, issuer, validity,
// subject, key. What follows (extensions) does not matter here. It gives the algorithm
// of the signature as it is.
func (c *Certificate) readTBS() (alg []byte, err error) {
	outer := derReader{data: c.TBS}
	tbs := outer.enter(tagSequence)
	if tbs.at(tagVersion) {
		tbs.next()
	}
	c.Serial = new(big.Int).SetBytes(tbs.take(tagInteger))
	_, _, alg = tbs.next()
	c.Issuer = commonName(tbs)
	validity := tbs.enter(tagSequence)
	_, before, _ := validity.next()
	_, after, _ := validity.next()
	c.NotBefore, c.NotAfter = string(before), string(after)
	c.Subject = commonName(tbs)
	key := tbs.enter(tagSequence)
	kind := key.enter(tagSequence).take(tagOID)
	bits := key.take(tagBitString)
	if tbs.err != nil || validity.err != nil || key.err != nil || c.Issuer == "" || c.Subject == "" ||
		!printable(c.NotBefore) || !printable(c.NotAfter) ||
		!bytes.Equal(kind, oidRSA) || len(bits) < 1 || bits[0] != 0 {
		return nil, errDER
	}
	inner := derReader{data: bits[1:]}
	pair := inner.enter(tagSequence)
	n := new(big.Int).SetBytes(pair.take(tagInteger))
	// The exponent may have leading zero bytes (02 03 00 00 03 in the test keys).
	e := new(big.Int).SetBytes(pair.take(tagInteger))
	if pair.err != nil || n.BitLen() < minKeyBits || n.BitLen() > maxKeyBits || e.BitLen() > 31 || e.BitLen() < 2 || e.Bit(0) == 0 {
		return nil, errDER
	}
	c.Key = &rsa.PublicKey{N: n, E: int(e.Int64())}
	return alg, nil
}

// commonName takes a name and gives its common name, empty when there is none or it
// is not plain ASCII.
func commonName(d *derReader) string {
	name := d.enter(tagSequence)
	for name.err == nil && len(name.data) > 0 {
		attribute := name.enter(tagSet).enter(tagSequence)
		oid := attribute.take(tagOID)
		_, value, _ := attribute.next() // T61String in real files, any string type here
		if attribute.err == nil && bytes.Equal(oid, oidCommonName) && printable(string(value)) {
			return string(value)
		}
	}
	return ""
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return true
}

// SelfSigned reports whether the certificate is a root: named as its own issuer and
// signed with its own key.
func (c *Certificate) SelfSigned() bool { return c.Subject == c.Issuer && c.signedBy(c.Key) == sigGood }

// signedBy checks the certificate's signature with the key of a possible issuer. It
// does not ask for BasicConstraints: Sony's roots have no extensions at all.
func (c *Certificate) signedBy(key *rsa.PublicKey) sigState {
	if !c.Hash.valid() {
		return sigBroken
	}
	return checkRSA(key, c.Hash, c.Hash.sum(c.TBS), c.Signature)
}

// sigState is the outcome of one RSA check.
type sigState int

const (
	sigGood   sigState = iota
	sigOther           // made with this key, but over other bytes
	sigBroken          // not made with this key, or no longer what it was
)

// digestInfo is what PKCS#1 v1.5 puts between the padding and the hash.
var digestInfo = map[HashType][]byte{
	SHA1:   {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
}

// checkRSA verifies a PKCS#1 v1.5 signature. When it is wrong, the recovered block
// still tells why: right padding around another hash proves that key and signature
// are whole and the signed bytes are not; no padding that one of the two is not.
func checkRSA(key *rsa.PublicKey, hash HashType, digest, sig []byte) sigState {
	if rsa.VerifyPKCS1v15(key, hash.function(), digest, sig) == nil {
		return sigGood
	}
	prefix := digestInfo[hash]
	size := (key.N.BitLen() + 7) / 8
	padding := size - 3 - len(prefix) - hash.Size()
	s := new(big.Int).SetBytes(sig)
	if len(sig) != size || padding < 8 || s.Cmp(key.N) >= 0 {
		return sigBroken
	}
	block := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, padding)...)
	want = append(append(want, 0), prefix...)
	if bytes.HasPrefix(block, want) {
		return sigOther
	}
	return sigBroken
}
