package sin

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Authority is a throw-away root with the look of Sony's, for tests and for simulated
// phones that trust it: a self-signed X.509 v3 certificate without extensions, serial
// number 0, whose only name is a T61String (FORMAT.md §5.3).
type Authority struct {
	Name string
	Root []byte // DER certificate

	key, leaf *rsa.PrivateKey
}

// NewTestAuthority makes an authority with new 2048-bit keys.
func NewTestAuthority(rootCN string) (*Authority, error) {
	a := &Authority{Name: rootCN}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	// One key for all its signers is enough for a test and saves the time for more.
	if a.leaf, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	a.Root, err = a.certificate(rootCN, 0, &a.key.PublicKey, false)
	return a, err
}

// Issue makes a signer with the role subject (S1_SW, S1_Boot, S1_Loader, ...) and the
// revision serial.
func (a *Authority) Issue(subject string, serial int64) (*Signer, error) {
	der, err := a.certificate(subject, serial, &a.leaf.PublicKey, true)
	if err != nil {
		return nil, err
	}
	return &Signer{Key: a.leaf, Chain: [][]byte{der}}, nil
}

// RootPEM is the root certificate in PEM form.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root})
}

// certificate signs a certificate with the root's key. A leaf says CA:FALSE, a root
// says nothing. The dates are those of the real D58XX loader.
func (a *Authority) certificate(subject string, serial int64, key *rsa.PublicKey, leaf bool) ([]byte, error) {
	name, err := t61Name(subject)
	if err != nil {
		return nil, err
	}
	issuer, err := t61Name(a.Name)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), RawSubject: name, BasicConstraintsValid: leaf,
		SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore:          time.Date(2013, 7, 23, 13, 33, 43, 0, time.UTC),
		NotAfter:           time.Date(2033, 7, 25, 13, 33, 43, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{RawSubject: issuer}, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", subject, err)
	}
	return der, nil
}

// t61Name is a name with nothing but a common name, as T61String (tag 20).
func t61Name(cn string) ([]byte, error) {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type attributeSET []attribute // encoding/asn1 makes a SET of a type with this ending
	return asn1.Marshal([]attributeSET{{{
		Type:  asn1.ObjectIdentifier{2, 5, 4, 3},
		Value: asn1.RawValue{Tag: 20, Bytes: []byte(cn)},
	}}})
}
