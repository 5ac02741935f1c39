package sin

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// KnownRoot is a root of which the project knows at least the name
// (FORMAT.md §5.4, internal/phone/PHONES.md §11.3).
type KnownRoot struct {
	Name        string // common name
	Fingerprint string // SHA-256 of the DER certificate in hexadecimal; empty when only the name is known
	Platform    string // chip and phones
	Test        bool   // signs development software; phones on sale refuse it
}

// knownRoots is every root seen in 43 real files.
var knownRoots = []KnownRoot{
	{Name: "S1_Root_9c84", Fingerprint: "8432d883eaab7a4d41c002f1dba7343dacde7d8b55c0cc78ba3d6da31f1e7e95", Platform: "MSM8974AB: Xperia Z3, Z3 Compact, Z3 Tablet Compact, Z2, Z2a, Z2 Tablet"},
	{Name: "S1_Root_6732", Fingerprint: "50ea6f80e54f1448b55c330da4c242011885a7a902238aac61498ec7ffe741e1", Platform: "MSM8974: Xperia Z1, Z1 Compact, Z Ultra, J1 Compact"},
	{Name: "S1_Root_5ca3", Fingerprint: "d61ca9210ca5ce9d6e17b0ed9e45402b2bf4fb33c4f997fe4821db3a9f31ff67", Platform: "APQ8064: Xperia Z, ZL, ZR, Tablet Z"},
	{Name: "S1_Root_dbe9", Fingerprint: "91f4970e902fc9b4a87da239c7c9c9af8323989a1424ccba24ae243a602c4bfe", Platform: "MSM8X30: Xperia M, L"},
	{Name: "S1_Root_b578", Fingerprint: "8afbe1ee934730470f7c4b25db8abfe81618b69e6da705396708c124fb0bbd25", Platform: "MSM8X10: Xperia E1"},
	{Name: "S1_Root_f82d", Fingerprint: "b558f84cfc8b9970e6ccc3ca8fea3d295b9a9291a415aeadcabb33870f327bf5", Platform: "MSM8X26: Xperia M2, M2 Aqua, T2 Ultra, T3, C3, E3"},
	{Name: "S1_Root_bee6", Fingerprint: "405b75e329c951cc48f9d699fa2bc18c302233595affe5143ed2475160fac6e8", Platform: "MT67X2: Xperia E4g"},
	{Name: "S1_Root_4154", Fingerprint: "4f20903afe569c329b8e501d272296f5d24cfc2f9a791dbba58a7484b87d7a2d", Platform: "MT67X2: Xperia C4, C5 Ultra"},
	{Name: "S1_Root_2f8b", Fingerprint: "49e08c0fb96559ef4b3a2b970b8946c41ecf2304328aec6b3e1e5100c064b67a", Platform: "MT6582: Xperia E4"},
	{Name: "S1_Root_54c8", Fingerprint: "f4d997f9ceb475b979e67a5b1e49ac6ad3d93b153a3711eae26d685db0b09c5f", Platform: "MSM8936: Xperia M4 Aqua"},
	{Name: "S1_Root_ac45", Fingerprint: "c40b2fd9a856846296c0c256f5d32e8db39dc3f73351ad816f14af7d45bc957e", Platform: "MT6795: Xperia M5"},
	{Name: "S1_Root_f936", Fingerprint: "6255b71e652592fc02439b9fe8db29c402c471276113d76f78094f80558bde26", Platform: "MSM8994: Xperia Z5, Z5 Compact, Z5 Premium, Z4 (Z3+), Z4 Tablet"},
	{Name: "S1_Root_cf2a", Fingerprint: "20a832c304ac4058c178e905ed453757acfe928cbd347c565950676d1df4b05e", Platform: "MT6755: Xperia XA"},
	{Name: "S1_Root_Test_b316", Fingerprint: "4bea08afd3c308ff7c881228de4c53b8f6c3e9dec73ba0ca6a54fc47bfc7af07", Platform: "development phones", Test: true},

	{Name: "S1_Root_a8a4", Platform: "MSM7x27A: Xperia tipo, miro, J, E"},
	{Name: "S1_Root_3065", Platform: "NovaThor: Xperia P, U, sola, go"},
	{Name: "S1_Root_de72", Platform: "MSM8260: Xperia S, ion, acro S"},
	{Name: "S1_Root_7054", Platform: "MSM8960: Xperia V, T, TX, SP"},
	{Name: "S1_Root_Test_ddab", Platform: "development phones with MSM8260", Test: true},
	{Name: "S1_Loader_Root_8e35", Platform: "phones of 2010 and 2011"},
	{Name: "S1_Loader_Root_773f", Platform: "phones of 2010 and 2011"},
	{Name: "S1_Loader_Root_f851", Platform: "phones of 2010 and 2011"},
	{Name: "S1_SW_Root_ac12", Platform: "phones of 2010 and 2011"},
}

// oldTestRoots is how the roots of development software of 2010 and 2011 are named, with
// four digits after.
var oldTestRoots = []string{"S1_Loader_test_Root_", "S1_SW_test_Root_"}

// RootByName looks a root up by its common name; nil when it is unknown. The phone
// reports the names of its roots as S1_ROOT of its loader info (usbproto/s1/PROTOCOL.md §4.2).
func RootByName(name string) *KnownRoot {
	for _, prefix := range oldTestRoots {
		if strings.HasPrefix(name, prefix) && len(name) == len(prefix)+4 {
			return &KnownRoot{Name: name, Platform: "development phones of 2010 and 2011", Test: true}
		}
	}
	i := slices.IndexFunc(knownRoots, func(k KnownRoot) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	known := knownRoots[i]
	return &known
}

// RootOf looks a certificate up by its fingerprint; nil when it is not a known root.
func RootOf(c *Certificate) *KnownRoot {
	sum := hex.EncodeToString(c.Fingerprint[:])
	i := slices.IndexFunc(knownRoots, func(k KnownRoot) bool { return k.Fingerprint == sum })
	if i < 0 {
		return nil
	}
	known := knownRoots[i]
	return &known
}

// TrustState says how much is proven about who signed a file.
type TrustState int

// Trust states.
const (
	TrustNothing  TrustState = iota // the signature or the certificate is wrong, or was not looked at
	TrustUnknown                    // whole, but the root is unknown
	TrustByName                     // whole, and names a known root whose certificate is not at hand
	TrustCarried                    // proven by a root known by name only, which the firmware carries
	TrustSupplied                   // proven by a root that the caller supplied
	TrustPinned                     // proven by a root whose fingerprint is known
)

// String says it in words.
func (s TrustState) String() string {
	switch s {
	case TrustUnknown:
		return "signed under an unknown root"
	case TrustByName:
		return "names a known root, not proven"
	case TrustCarried:
		return "proven by a root in the firmware itself"
	case TrustSupplied:
		return "proven by a supplied root"
	case TrustPinned:
		return "proven by a known root"
	}
	return "not proven"
}

// Trust is what is proven about who signed a file.
type Trust struct {
	State TrustState
	Root  string     // the root that signed, or the name given as issuer
	Known *KnownRoot // the known facts about that root, may be nil
}

// Proven reports whether a root's key vouches for the file.
func (t Trust) Proven() bool { return t.State >= TrustCarried }

func proven(root *Certificate) Trust {
	if known := RootOf(root); known != nil {
		return Trust{State: TrustPinned, Root: root.Subject, Known: known}
	}
	return Trust{State: TrustSupplied, Root: root.Subject}
}

// RootSet is the root certificates at hand. Sony's are not shipped with the program;
// they come out of the loaders a user has, and are compared with the known
// fingerprints. The zero value and nil are empty sets.
type RootSet struct {
	certs   []*Certificate
	carried []*Certificate // by loaders; they prove where none of certs does, and refute nothing
}

// All is the certificates in the order in which they were added.
func (s *RootSet) All() []*Certificate {
	if s == nil {
		return nil
	}
	return s.certs
}

// carriedBy is the carried roots of a name.
func (s *RootSet) carriedBy(name string) []*Certificate {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.carried), func(c *Certificate) bool { return c.Subject != name })
}

// Add adds a root certificate in DER that the caller trusts, whatever it calls itself:
// what it vouches for is TrustSupplied, never TrustPinned, unless its fingerprint is
// that of a known root. Certificates that are not self-signed are refused.
func (s *RootSet) Add(der []byte) error {
	c, err := ParseCertificate(der)
	if err != nil {
		return err
	}
	if !c.SelfSigned() {
		return fmt.Errorf("the certificate of %s is not a root: %s signed it", c.Subject, c.Issuer)
	}
	same := func(o *Certificate) bool { return o.Fingerprint == c.Fingerprint }
	if !slices.ContainsFunc(s.certs, same) {
		s.certs = append(s.certs, c)
	}
	return nil
}

// AddPEM adds every certificate of a PEM file.
func (s *RootSet) AddPEM(data []byte) error {
	added := false
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if err := s.Add(block.Bytes); err != nil {
			return err
		}
		added = true
	}
	if !added {
		return errors.New("no PEM certificate found")
	}
	return nil
}

// AddLoader adds those roots embedded in a loader whose fingerprint is known, and as carried
// ones those that are known only by name, because their fingerprint was never published. Others prove
// nothing: anybody can write a loader.
func (s *RootSet) AddLoader(l *Loader) {
	for _, root := range l.Roots {
		if RootOf(root.Certificate) == nil {
			known := RootByName(root.Certificate.Subject)
			if known != nil && known.Fingerprint == "" && len(s.carried) < maxCandidates {
				s.carried = append(s.carried, root.Certificate)
			}
			continue
		}
		// A certificate with a known fingerprint is what it says; Add cannot refuse it.
		if err := s.Add(root.Certificate.Raw); err != nil {
			panic(err)
		}
	}
}
