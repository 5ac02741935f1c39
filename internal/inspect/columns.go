package inspect

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"xflash/sin"
)

// SIN is what the header, the certificate and the loader of a SIN image of version 1 to
// 3 say. Names and spelling are those of the columns of loader-known-answers.tsv, the
// table of real files that the format was worked out with; together with size, file_sha256 and
// file_md5 they are all of its columns. A column that does not apply is absent.
type SIN struct {
	Version        int    `json:"sin_version"`
	HeaderLen      int    `json:"header_len,omitempty"` // bytes
	PayloadOffset  int    `json:"payload_offset,omitempty"`
	PayloadLen     int64  `json:"payload_len,omitempty"`
	PayloadSHA256  string `json:"payload_sha256,omitempty"`
	HashType       string `json:"hash_type,omitempty"` // SHA1 or SHA256
	BlockCount     int    `json:"block_count,omitempty"`
	CertLen        int    `json:"cert_len,omitempty"`     // of the certificate blob, bytes
	PayloadType    string `json:"payload_type,omitempty"` // 0x20
	PayloadKind    string `json:"payload_kind,omitempty"`
	HashListLen    int    `json:"hash_list_len,omitempty"`
	BlocksOK       string `json:"blocks_ok,omitempty"`   // yes, no
	Block0Dest     string `json:"block0_dest,omitempty"` // versions 1 and 2: load address or offset
	Block0Hash     string `json:"block0_hash,omitempty"`
	CertOffset     int    `json:"cert_offset,omitempty"`
	HeaderSlack    *int   `json:"header_slack,omitempty"` // bytes between blob and payload
	DERLen         int    `json:"der_len,omitempty"`
	CertSerial     string `json:"cert_serial,omitempty"` // decimal; hexadecimal in versions 4 and 5
	SignerCN       string `json:"signer_cn,omitempty"`
	IssuerCN       string `json:"issuer_cn,omitempty"`
	NotBefore      string `json:"not_before,omitempty"` // as in the certificate: 130723133343Z
	NotAfter       string `json:"not_after,omitempty"`
	RSABits        int    `json:"rsa_bits,omitempty"`
	RSAE           int    `json:"rsa_e,omitempty"`
	SigHash        string `json:"sig_hash,omitempty"`
	SigOffset      int64  `json:"sig_offset,omitempty"`
	SigLen         int    `json:"sig_len,omitempty"`
	SignedDigest   string `json:"signed_digest,omitempty"`
	SigOK          string `json:"sig_ok,omitempty"`
	EmbeddedRootAt string `json:"embedded_root_offset,omitempty"` // in the payload
	EmbeddedRoot   string `json:"embedded_root_sha256,omitempty"` // of its certificate
	ChainOK        string `json:"chain_ok,omitempty"`             // yes, no; n/a when the root is not in the file
	LoaderVersion  string `json:"loader_version,omitempty"`
	MapTags        string `json:"mmcf_tags,omitempty"` // that a loader knows, with commas
}

// columns fills in SIN. err is the failure that the check ended with.
func columns(found *sin.Report, size int64, err error, sums *sums) *SIN {
	h := found.Header
	c := &SIN{
		Version: h.Version, HeaderLen: len(h.Raw), PayloadOffset: len(h.Raw), PayloadLen: max(size-int64(len(h.Raw)), 0),
		PayloadSHA256: sums.payloadSum(), HashType: shortHash(h.HashType.String()), BlockCount: len(h.Blocks),
		CertLen: len(h.Blob), CertOffset: h.CertOffset, HeaderSlack: &h.Slack,
		PayloadType: fmt.Sprintf("0x%02x", uint8(h.Type)), PayloadKind: payloadKind(found),
		BlocksOK: yes(blocksRight(found, err)), SigOK: yes(h.VerifySignature() == nil),
	}
	// The list is entries and, before the blob, its own length (sin/FORMAT.md §2.1, §3.1).
	c.HashListLen = len(h.Blocks) * (h.HashType.Size() + map[int]int{1: 9, 2: 9, 3: 4}[h.Version])
	if len(h.Blocks) > 0 {
		c.Block0Hash = hex.EncodeToString(h.Blocks[0].Hash)
		if h.Version < 3 {
			c.Block0Dest = fmt.Sprintf("0x%08x", h.Blocks[0].Dest)
		}
	}
	if cert := h.Certificate(); cert != nil {
		c.DERLen, c.CertSerial = len(cert.Raw), cert.Serial.String()
		c.SignerCN, c.IssuerCN, c.NotBefore, c.NotAfter = cert.Subject, cert.Issuer, cert.NotBefore, cert.NotAfter
		c.RSABits, c.RSAE = cert.Key.N.BitLen(), cert.Key.E
	}
	if s := h.Signature; s != nil {
		c.SigHash, c.SigOffset, c.SigLen = shortHash(s.Hash.String()), s.Offset, len(s.Value)
		c.SignedDigest = hex.EncodeToString(s.Digest())
	}
	if l := found.Loader; l != nil {
		c.LoaderVersion, c.MapTags = l.Version, strings.Join(l.Tags, ",")
	}
	c.embeddedRoot(found)
	return c
}

// embeddedRoot looks for the signer's root among those that a loader carries.
func (c *SIN) embeddedRoot(found *sin.Report) {
	c.ChainOK = "n/a"
	if found.Loader == nil {
		return
	}
	for _, r := range found.Loader.Roots {
		only := &sin.RootSet{}
		if only.Add(r.Certificate.Raw) != nil {
			continue
		}
		trust, err := found.Header.VerifyChain(only)
		switch {
		case err == nil && trust.Proven():
			c.ChainOK = "yes"
		case r.Certificate.Subject == c.IssuerCN && c.ChainOK != "yes":
			c.ChainOK = "no"
		default:
			continue
		}
		c.EmbeddedRootAt, c.EmbeddedRoot = fmt.Sprintf("%#x", r.Offset), hex.EncodeToString(r.Certificate.Fingerprint[:])
	}
}

// blocksRight reports whether every block was read and has its hash.
func blocksRight(found *sin.Report, err error) bool {
	for _, r := range []sin.Reason{sin.Truncated, sin.Malformed, sin.HeaderChanged} {
		if errors.Is(err, sin.Because(r)) {
			return false
		}
	}
	return found.DamagedCount == 0
}

// payloadKind is what the payload itself is, not what it writes.
func payloadKind(found *sin.Report) string {
	switch {
	case found.Map != nil:
		return "MMCF"
	case len(found.Parts) == 1:
		return string(found.Parts[0].Kind)
	}
	return string(sin.KindRaw)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// shortHash is the name of a hash function without its hyphen.
func shortHash(name string) string { return strings.Replace(name, "SHA-", "SHA", 1) }
