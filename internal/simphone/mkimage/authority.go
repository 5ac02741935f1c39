package mkimage

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
// number 0, whose only name is a T61String (sin/FORMAT.md §5.3).
type Authority struct {
	Name string
	Root []byte // DER certificate

	Key, Leaf *rsa.PrivateKey // of the root, and of all its signers
}

// NewTestAuthority makes an authority with new 2048-bit keys.
func NewTestAuthority(rootCN string) (*Authority, error) {
	a := &Authority{Name: rootCN}
	var err error
	if a.Key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	// One key for all its signers is enough for a test and saves the time for more.
	if a.Leaf, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	a.Root, err = a.certificate(rootCN, 0, &a.Key.PublicKey, false)
	return a, err
}

// Issue makes a signer with the role subject (S1_SW, S1_Boot, S1_Loader, ...) and the
// revision serial.
func (a *Authority) Issue(subject string, serial int64) (*Signer, error) {
	der, err := a.certificate(subject, serial, &a.Leaf.PublicKey, true)
	if err != nil {
		return nil, err
	}
	return &Signer{Key: a.Leaf, Chain: [][]byte{der}}, nil
}

// RootPEM is the root certificate in PEM form.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root})
}

// certificate signs a certificate with the root's key. A leaf says CA:FALSE, a root
// says nothing. The dates are those of the real D58XX loader.
func (a *Authority) certificate(subject string, serial int64, key *rsa.PublicKey, leaf bool) ([]byte, error) {
	name, err := T61Name(subject)
	if err != nil {
		return nil, err
	}
	issuer, err := T61Name(a.Name)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), RawSubject: name, BasicConstraintsValid: leaf,
		SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore:          time.Date(2013, 7, 23, 13, 33, 43, 0, time.UTC),
		NotAfter:           time.Date(2033, 7, 25, 13, 33, 43, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{RawSubject: issuer}, key, a.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", subject, err)
	}
	return der, nil
}

// T61Name is a name with nothing but a common name, as T61String (tag 20).
func T61Name(cn string) ([]byte, error) {
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
