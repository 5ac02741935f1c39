package sin

import (
	"bytes"
	"encoding/hex"
)

// CMS holds the readable parts of the container that comes first in versions 4 and 5. What
// it signs is unknown, so no signer is verified; only digests of chunks are searched for in it
// (FORMAT.md §6).
type CMS struct {
	Size         int    // bytes
	Digest       string // SHA-256; the object identifier in hexadecimal when it has no name here
	SignerIssuer string // who issued the signer's certificate; empty when the signer is named by a key
	SignerSerial string // hexadecimal
	// Certificates is the subjects and issuers of the certificates inside.
	Certificates []CMSCertificate
}

// CMSCertificate names one certificate in a CMS.
type CMSCertificate struct{ Subject, Issuer string }

// maxCMS bounds the container; reported sizes are in FORMAT.md §6.
const maxCMS = 64 << 10

var (
	oidSignedData = []byte{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02}
	digestNames   = map[string]string{
		"\x2b\x0e\x03\x02\x1a":                 "SHA-1",
		"\x60\x86\x48\x01\x65\x03\x04\x02\x01": "SHA-256",
		"\x60\x86\x48\x01\x65\x03\x04\x02\x02": "SHA-384",
		"\x60\x86\x48\x01\x65\x03\x04\x02\x03": "SHA-512",
	}
)

// Context tags of SignedData.
const (
	tagContext0 = 0xA0
	tagContext1 = 0xA1
)

// parseCMS reads a ContentInfo with SignedData (RFC 5652) and its first SignerInfo.
func parseCMS(der []byte) (*CMS, error) {
	outer := derReader{data: der}
	info := outer.enter(tagSequence)
	kind := info.take(tagOID)
	signed := info.enter(tagContext0).enter(tagSequence)
	signed.take(tagInteger)
	signed.take(tagSet)
	signed.take(tagSequence) // the content that is signed, or a word that it lies elsewhere
	if signed.err != nil || !bytes.Equal(kind, oidSignedData) {
		return nil, errDER
	}
	c := &CMS{Size: len(der)}
	if signed.at(tagContext0) {
		for certs := signed.enter(tagContext0); len(certs.data) > 0; {
			_, _, cert := certs.next()
			if certs.err != nil {
				return nil, errDER
			}
			c.Certificates = append(c.Certificates, namesOf(cert))
		}
	}
	if signed.at(tagContext1) {
		signed.next() // revocation lists
	}
	signer := signed.enter(tagSet).enter(tagSequence)
	signer.take(tagInteger)
	if signer.at(tagSequence) {
		id := signer.enter(tagSequence)
		c.SignerIssuer = commonName(id)
		c.SignerSerial = hex.EncodeToString(id.take(tagInteger))
	} else {
		signer.next()
	}
	digest := signer.enter(tagSequence).take(tagOID)
	if signer.err != nil {
		return nil, errDER
	}
	if c.Digest = digestNames[string(digest)]; c.Digest == "" {
		c.Digest = hex.EncodeToString(digest)
	}
	return c, nil
}

// namesOf reads subject and issuer of a certificate with any kind of key.
func namesOf(cert []byte) CMSCertificate {
	outer := derReader{data: cert}
	tbs := outer.enter(tagSequence).enter(tagSequence)
	if tbs.at(tagVersion) {
		tbs.next()
	}
	tbs.take(tagInteger)
	tbs.take(tagSequence)
	issuer := commonName(tbs)
	tbs.take(tagSequence)
	return CMSCertificate{Subject: commonName(tbs), Issuer: issuer}
}
