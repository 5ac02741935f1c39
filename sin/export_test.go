package sin

import "crypto/rsa"

// What the tests need of the inside. They are in package sin_test, because they need
// internal/simphone/mkimage, which imports this package.
var (
	NewChunkHash = newChunkHash
	ParseCMS     = parseCMS
	ParseMap     = parseMap
	TarNumber    = tarNumber
	Hash12       = hash12
	CheckRSA     = checkRSA
	DigestInfo   = digestInfo
	KnownRoots   = knownRoots
	ReasonNames  = reasonNames
	ErrDER       = errDER
	OIDRSA       = oidRSA
	OIDSHA1RSA   = oidSHA1RSA
)

const (
	MaxCMS, MaxLZ4, MaxTargets, MapFrame, PartitionInfoSize = maxCMS, maxLZ4, maxTargets, mapFrame, partitionInfoSize
	UstarAt                                                 = ustarAt
	SigGood, SigOther, SigBroken                            = sigGood, sigOther, sigBroken
	TagSequence, TagOID, TagInteger, TagBitString           = tagSequence, tagOID, tagInteger, tagBitString
	TagVersion                                              = tagVersion
)

type SigState = sigState

func (h chunkHash) In(der []byte) bool                      { return h.in(der) }
func (h *Header) BlockAt(offset int64) int                  { return h.blockAt(offset) }
func (t HashType) Sum(parts ...[]byte) []byte               { return t.sum(parts...) }
func (c *Certificate) SignedBy(key *rsa.PublicKey) sigState { return c.signedBy(key) }

// Written is what a map writes to each target: start and end of each range.
func (m *Map) Written() (all [][][2]int64) {
	for _, extents := range m.written {
		var of [][2]int64
		for _, e := range extents {
			of = append(of, [2]int64{e.start, e.end})
		}
		all = append(all, of)
	}
	return all
}

// TarMember reads the header of a tar member.
func TarMember(head []byte) (name string, size int64, kind byte, err error) {
	e, err := parseTarHead(head, 0)
	return e.name, e.size, e.kind, err
}
