package simphone

import (
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"strings"

	"xflash/sin"
)

// Roles that a certificate's subject names (sin/FORMAT.md §5.3).
const (
	roleBoot   = "S1_Boot"
	roleLoader = "S1_Loader"
	roleSL     = "S1_SL"
	roleSW     = "S1_SW"
	roleCust   = "S1_Cust"
	roleHWConf = "S1_HWConf"
	roleRLock  = "S1_RLock"
)

// testRootPrefix marks files signed with Sony's internal test root; the loader
// compares exactly these letters (internal/explain/ERRORS.md §0, cause 2).
const testRootPrefix = "S1_Root_Test"

// A signer is who signed a header.
type signer struct {
	leaf *sin.Certificate
	role string // subject
	aid  uint64 // serial number: the security version
	test bool   // under the test root
}

// checkSignature parses the certificate blob of a header and verifies the
// signature with the key of its certificate: sin/FORMAT.md §5.1, §5.2. The
// chain to a root is another question.
func checkSignature(h *sinHeader) (*signer, status) {
	b := h.blob
	if len(b) == 0 {
		return nil, statusContainerEmpty
	}
	if len(b) < 4 {
		return nil, statusContainerFormat
	}
	if binary.BigEndian.Uint16(b) != 1 {
		return nil, statusContainerVersion
	}
	chain := int(binary.BigEndian.Uint16(b[2:]))
	if chain < 2 || len(b) < 7+chain {
		return nil, statusContainerFormat
	}
	der := int(binary.BigEndian.Uint16(b[4:]))
	if der > chain-2 {
		return nil, statusCertFormat
	}
	leaf, err := sin.ParseCertificate(b[6:][:der])
	if err != nil || leaf.Issuer == "" {
		return nil, statusCertFormat
	}
	algorithm := b[4+chain]
	signature := b[7+chain:]
	length := int(binary.BigEndian.Uint16(b[5+chain:]))
	switch {
	case digest(algorithm, nil) == nil:
		return nil, statusContainerFormat
	case length == 0:
		return nil, statusRSA
	case length != len(signature):
		return nil, statusContainerFormat
	}
	s := &signer{leaf: leaf, role: leaf.Subject, test: strings.HasPrefix(leaf.Issuer, testRootPrefix)}
	if leaf.Serial.IsUint64() {
		s.aid = leaf.Serial.Uint64()
	}
	head := digest(algorithm, b[:5+chain])
	sum := digest(algorithm, append(head, digest(algorithm, h.signed)...))
	if !verify(leaf.Key, algorithm, sum, signature) {
		return s, statusSignature
	}
	if leaf.Subject == leaf.Issuer {
		return s, statusSelfSigned
	}
	return s, 0
}

// verify checks an RSA signature over a digest of one of the two hash types.
func verify(key *rsa.PublicKey, hashType byte, sum, signature []byte) bool {
	hash := map[byte]crypto.Hash{hashSHA1: crypto.SHA1, hashSHA256: crypto.SHA256}[hashType]
	return rsa.VerifyPKCS1v15(key, hash, sum, signature) == nil
}

// signedBy reports that one of the roots' keys signed the certificate. The
// issuer's name does not matter (usbproto/s1/PROTOCOL.md §11.15).
func (s *signer) signedBy(roots []*sin.Certificate) bool {
	hashType := byte(s.leaf.Hash)
	sum := digest(hashType, s.leaf.TBS)
	for _, root := range roots {
		if sum != nil && verify(root.Key, hashType, sum, s.leaf.Signature) {
			return true
		}
	}
	return false
}
