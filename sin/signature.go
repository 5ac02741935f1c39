package sin

import (
	"encoding/binary"
	"errors"
)

// maxCertificate bounds one certificate (FORMAT.md §9).
const maxCertificate = 64 << 10

// Signature is the certificate blob taken apart (FORMAT.md §5.1).
type Signature struct {
	Chain  []*Certificate // the first made the signature; real files have just one
	Hash   HashType
	Value  []byte // RSASSA-PKCS1-v1_5
	Offset int64  // of Value in the file

	head   []byte // the signed part of the blob
	header []byte // the file up to the blob
}

// Digest is what the signature signs: the hash of two hashes, of the blob up to the
// algorithm byte and of the header up to the blob (FORMAT.md §5.2).
func (s *Signature) Digest() []byte {
	return s.Hash.sum(s.Hash.sum(s.head), s.Hash.sum(s.header))
}

// parseSignature parses the certificate blob at the file offset.
func parseSignature(blob []byte, offset int64) (*Signature, error) {
	damaged := func(at int, detail string) error {
		return fail(CertificateDamaged, offset+int64(at), "%s", detail)
	}
	if len(blob) < 7 {
		return nil, damaged(0, "the certificate blob is too short")
	}
	if v := binary.BigEndian.Uint16(blob); v != 1 {
		return nil, damaged(0, "the certificate blob has an unknown version")
	}
	end := 4 + int(binary.BigEndian.Uint16(blob[2:]))
	if end+3 > len(blob) {
		return nil, damaged(2, "the certificate area does not fit in its blob")
	}
	s := &Signature{}
	for at := 4; at < end; {
		if end-at < 2 {
			return nil, damaged(at, "the certificate area has bytes left over")
		}
		n := int(binary.BigEndian.Uint16(blob[at:]))
		if n > end-at-2 || n > maxCertificate {
			return nil, damaged(at, "a certificate does not fit in its area")
		}
		cert, err := ParseCertificate(blob[at+2 : at+2+n])
		if err != nil {
			return nil, &Error{Reason: CertificateDamaged, Offset: offset + int64(at) + 2, Block: -1, Err: err}
		}
		s.Chain = append(s.Chain, cert)
		at += 2 + n
	}
	if len(s.Chain) == 0 {
		return nil, damaged(2, "there is no certificate")
	}
	if s.Hash = HashType(blob[end]); !s.Hash.valid() {
		return nil, damaged(end, "the hash algorithm is unknown")
	}
	s.head, s.Value, s.Offset = blob[:end+1], blob[end+3:], offset+int64(end)+3
	n, key := int(binary.BigEndian.Uint16(blob[end+1:])), s.Chain[0].Key.Size()
	switch {
	case n != len(s.Value):
		return nil, fail(SignatureDamaged, offset+int64(end)+1, "the signature has %d bytes, but room for %d", n, len(s.Value))
	case n != key:
		return nil, fail(CertificateDamaged, offset+4, "the key has %d bytes, but the signature has %d", key, n)
	}
	return s, nil
}

// VerifySignature checks the signature over the header with the key of the file's own
// certificate. It says nothing about who owns that key; Verify does.
//
// The reasons are HeaderChanged (key and signature are whole, header or certificate
// are not what was signed), SignatureDamaged (signature or key are not whole) and
// CertificateDamaged (the blob cannot be read).
func (h *Header) VerifySignature() error {
	if h.Signature == nil {
		return h.sigErr
	}
	s := h.Signature
	switch checkRSA(s.Chain[0].Key, s.Hash, s.Digest(), s.Value) {
	case sigGood:
		return nil
	case sigOther:
		return fail(HeaderChanged, -1, "the signature is intact, but the header or the certificate is not the one that was signed")
	}
	return fail(SignatureDamaged, s.Offset, "the signature does not match the key")
}

// VerifyChain finds the root that signed the certificate.
//
// Only the key counts, not the issuer's name (usbproto/s1/PROTOCOL.md §11.15). Errors are
// ForgedRoot (the issuer is in roots, but its key did not sign this) and
// CertificateDamaged (a root signed this certificate, but with other content). A root that
// is known by name only or not at all is not an error: Trust.State says that nothing is proven.
func (h *Header) VerifyChain(roots *RootSet) (Trust, error) {
	if h.Signature == nil {
		return Trust{}, h.sigErr
	}
	chain := h.Signature.Chain
	for i, c := range chain[:len(chain)-1] {
		if c.signedBy(chain[i+1].Key) != sigGood {
			return Trust{}, fail(ForgedRoot, int64(h.CertOffset), "certificate %d was not made by the next one", i)
		}
	}
	top := chain[len(chain)-1]
	var named *Certificate
	for _, root := range roots.All() {
		switch top.signedBy(root.Key) {
		case sigGood:
			return proven(root), nil
		case sigOther:
			return Trust{}, fail(CertificateDamaged, int64(h.CertOffset), "%s signed it with other content", root.Subject)
		}
		if root.Subject == top.Issuer {
			named = root
		}
	}
	known := RootByName(top.Issuer)
	for _, root := range roots.carriedBy(top.Issuer) {
		if top.signedBy(root.Key) == sigGood {
			return Trust{State: TrustCarried, Root: root.Subject, Known: known}, nil
		}
	}
	switch {
	case named != nil:
		return Trust{}, fail(ForgedRoot, int64(h.CertOffset), "the certificate names %s as issuer, but %[1]s did not sign it", top.Issuer)
	case known != nil:
		return Trust{State: TrustByName, Root: top.Issuer, Known: known}, nil
	}
	return Trust{State: TrustUnknown, Root: top.Issuer}, nil
}

// Verify checks signature and chain together, which tells apart what one of them
// alone cannot: a changed header, a damaged certificate, a damaged signature, a forged
// root. Without the root's certificate a changed header and a changed certificate look
// the same, and so do a damaged signature and a damaged key; the text then says so.
func (h *Header) Verify(roots *RootSet) (Trust, error) {
	sigErr := h.VerifySignature()
	if h.Signature == nil {
		return Trust{}, sigErr
	}
	trust, chainErr := h.VerifyChain(roots)
	badCert := errors.Is(chainErr, Because(ForgedRoot)) || errors.Is(chainErr, Because(CertificateDamaged))
	switch {
	case sigErr == nil && badCert:
		// The owner of the key signed this very certificate: it is not an accident.
		return trust, fail(ForgedRoot, int64(h.CertOffset), "%s did not sign the certificate that names it", h.Issuer())
	case sigErr == nil:
		return trust, chainErr
	case badCert:
		return Trust{}, fail(CertificateDamaged, int64(h.CertOffset), "it is not what %s signed", h.Issuer())
	case trust.Proven():
		e := sigErr.(*Error)
		if e.Reason == HeaderChanged {
			return Trust{}, fail(HeaderChanged, -1, "certificate and signature are intact, but the header is not the one that was signed")
		}
		return Trust{}, fail(SignatureDamaged, e.Offset, "the certificate is intact, but its key did not make this signature")
	}
	return Trust{}, sigErr
}
