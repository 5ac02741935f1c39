// Package testcms makes and checks the signature containers of simulated firmware for
// phones of 2017 and later. Real containers are CMS SignedData that name an image and
// digest its chunks (sin/FORMAT.md §6), but nobody has described what exactly is signed. So the
// signed content here is an invention of this project: a simulated phone checks it, and
// no reader of real firmware may expect it.
package testcms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// Commercial is the role of a signer whose firmware phones in shops take.
const Commercial = "commercial"

// Content is what is signed.
type Content struct {
	Name   string // of the image: the partition, or partitionimage_N
	Build  string // version of the firmware
	Chunks [][]byte
}

// Signed is a container that was read. Nothing in it is proven before Check.
type Signed struct {
	Content
	Role   string // of the signer
	Suffix string // its key's id: the last four characters of firmware file names

	content   []byte
	signature []byte
	signer    *sin.Certificate
}

// Subject is the common name of a signer with that role and key id.
func Subject(role, suffix string) string { return role + "_" + suffix }

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidRSA        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// The parts of RFC 5652 that are used, without signed attributes.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content signedData `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      encapsulated
	Certificates asn1.RawValue
	Signers      []signerInfo `asn1:"set"`
}

type encapsulated struct {
	Type    asn1.ObjectIdentifier
	Content []byte `asn1:"explicit,tag:0"`
}

type signerInfo struct {
	Version   int
	ID        issuerAndSerial
	Digest    pkix.AlgorithmIdentifier
	Algorithm pkix.AlgorithmIdentifier
	Signature []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

func withNull(oid asn1.ObjectIdentifier) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}
}

// Sign makes the DER container. The signer's certificate goes with it.
func Sign(s *mkimage.Signer, c Content) ([]byte, error) {
	content, err := asn1.Marshal(c)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(s.Chain[0])
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(content)
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.Key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, signedData{
		Version: 1, Digests: []pkix.AlgorithmIdentifier{withNull(oidSHA256)},
		Content:      encapsulated{oidData, content},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: s.Chain[0]},
		Signers: []signerInfo{{
			Version: 1, ID: issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber},
			Digest: withNull(oidSHA256), Algorithm: withNull(oidRSA), Signature: signature,
		}},
	}})
}

// Read parses a container of Sign. Other CMS containers are an error.
func Read(der []byte) (*Signed, error) {
	var info contentInfo
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil {
		return nil, err
	}
	d := &info.Content
	if len(rest) != 0 || !info.Type.Equal(oidSignedData) || len(d.Signers) != 1 {
		return nil, errors.New("not SignedData with one signer")
	}
	s := &Signed{content: d.Content.Content, signature: d.Signers[0].Signature}
	if rest, err := asn1.Unmarshal(s.content, &s.Content); err != nil || len(rest) != 0 {
		return nil, errors.New("the signed content is not that of a simulated image")
	}
	if s.signer, err = sin.ParseCertificate(d.Certificates.Bytes); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	s.Role, s.Suffix, _ = strings.Cut(s.signer.Subject, "_")
	return s, nil
}

// Check reports whether one of the roots issued the signer's certificate, and whether
// that signer signed the content.
func (s *Signed) Check(roots []*sin.Certificate) bool {
	tbs := sha256.Sum256(s.signer.TBS)
	for _, root := range roots {
		if root.Subject == s.signer.Issuer && rsa.VerifyPKCS1v15(root.Key, crypto.SHA256, tbs[:], s.signer.Signature) == nil {
			digest := sha256.Sum256(s.content)
			return rsa.VerifyPKCS1v15(s.signer.Key, crypto.SHA256, digest[:], s.signature) == nil
		}
	}
	return false
}
