package sin_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// knownAnswers is the table of what a right parser says, by model and column.
func knownAnswers(t testing.TB) map[string]map[string]string {
	f, err := os.Open(samples.Path(t, "loader-known-answers.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, row := range rows[1:] {
		out[row[0]] = map[string]string{}
		for i, column := range rows[0] {
			out[row[0]][column] = row[i]
		}
	}
	return out
}

// answers computes the columns of the table from a real file.
func answers(t testing.TB, model string) map[string]string {
	file, err := os.ReadFile(samples.Path(t, "loader-"+model+".sin"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(context.Background(), bytes.NewReader(file), int64(len(file)), CheckOptions{Name: model})
	if err != nil {
		t.Fatalf("%s is whole and genuine, yet: %v", model, err)
	}
	h := report.Header
	c := h.Certificate()
	payload := file[len(h.Raw):]
	got := map[string]string{
		"model": model, "size": fmt.Sprint(h.Size()), "sin_version": fmt.Sprint(h.Version),
		"file_md5": fmt.Sprintf("%x", md5.Sum(file)), "file_sha256": fmt.Sprintf("%x", sha256.Sum256(file)),
		"header_len": fmt.Sprint(len(h.Raw)), "payload_offset": fmt.Sprint(h.Blocks[0].Offset),
		"payload_len": fmt.Sprint(h.PayloadSize()), "payload_sha256": fmt.Sprintf("%x", sha256.Sum256(payload)),
		"hash_type": strings.ReplaceAll(h.HashType.String(), "-", ""), "block_count": fmt.Sprint(len(h.Blocks)),
		"payload_type": fmt.Sprintf("0x%02x", uint8(h.Type)), "payload_kind": string(report.Parts[0].Kind),
		"block0_hash": fmt.Sprintf("%x", h.Blocks[0].Hash), "blocks_ok": "yes",
		"cert_len": fmt.Sprint(len(h.Blob)), "cert_offset": fmt.Sprint(h.CertOffset), "header_slack": fmt.Sprint(h.Slack),
		"der_len": fmt.Sprint(len(c.Raw)), "cert_serial": c.Serial.String(), "signer_cn": h.Signer(), "issuer_cn": h.Issuer(),
		"not_before": c.NotBefore, "not_after": c.NotAfter, "rsa_bits": fmt.Sprint(c.Key.N.BitLen()), "rsa_e": fmt.Sprint(c.Key.E),
		"sig_hash": strings.ReplaceAll(h.Signature.Hash.String(), "-", ""), "sig_offset": fmt.Sprint(h.Signature.Offset),
		"sig_len": fmt.Sprint(len(h.Signature.Value)), "signed_digest": fmt.Sprintf("%x", h.Signature.Digest()),
		"sig_ok":        map[bool]string{true: "yes", false: "no"}[h.VerifySignature() == nil],
		"hash_list_len": fmt.Sprint(h.CertOffset - 4 - listStart(h.Version)),
		"block0_dest":   "-", "embedded_root_offset": "-", "embedded_root_sha256": "-", "chain_ok": "n/a", "loader_version": "-", "mmcf_tags": "-",
	}
	if h.Version < 3 {
		got["block0_dest"] = fmt.Sprintf("0x%08x", h.Blocks[0].Dest)
	}
	if report.Loader.Version != "" {
		got["loader_version"] = report.Loader.Version
	}
	if report.Loader.Tags != nil {
		got["mmcf_tags"] = strings.Join(report.Loader.Tags, ",")
	}
	if h.Version < 3 {
		return got // these carry no roots, so no chain can be proven
	}
	for _, root := range report.Loader.Roots {
		if root.Certificate.Subject == h.Issuer() {
			got["embedded_root_offset"] = fmt.Sprintf("%#x", root.Offset)
			got["embedded_root_sha256"] = fmt.Sprintf("%x", root.Certificate.Fingerprint)
		}
	}
	got["chain_ok"] = map[bool]string{true: "yes", false: "no"}[report.Trust.State == TrustPinned]
	return got
}

// listStart is where the hash list of a version starts (§2.1, §3.1).
func listStart(version int) int {
	if version == 3 {
		return 24
	}
	return 15
}

// TestKnownAnswers compares every column of loader-known-answers.tsv.
func TestKnownAnswers(t *testing.T) {
	all := knownAnswers(t)
	// The table was made without the versions of these two, which internal/phone/PHONES.md names.
	all["X10"]["loader_version"], all["LT26"]["loader_version"] = "R4A024", "R5C004"
	for _, model := range []string{"D58XX", "D200X", "LT26", "X10"} {
		t.Run(model, func(t *testing.T) {
			got := answers(t, model)
			for column, want := range all[model] {
				if column == "source" || column == "same_as" {
					continue // about the table, not about the file
				}
				if got[column] != want {
					t.Errorf("%s is %q, want %q", column, got[column], want)
				}
			}
		})
	}
}

// TestD58XX holds the facts of §10.3 that are not column of the table.
func TestD58XX(t *testing.T) {
	file, err := os.ReadFile(samples.Path(t, "loader-D58XX.sin"))
	if err != nil {
		t.Skip(err)
	}
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if h.Certificate().Serial.Int64() != 4 || h.Type != TypeLoader || h.Unsendable() != "" {
		t.Errorf("revision %d, type %v, %v", h.Certificate().Serial, h.Type, h.Unsendable())
	}
	l := InspectLoader(file[len(h.Raw):])
	if l.Product != "1277-2052" || l.Version != "MSM8974AB_22" || !l.Supports("LZ4A") || l.Supports("GPT0") {
		t.Errorf("loader %+v", l)
	}
	var roots []string
	for _, r := range l.Roots {
		roots = append(roots, fmt.Sprintf("%#x %s", r.Offset, r.Certificate.Subject))
	}
	if want := []string{"0x38728 S1_Root_Test_b316", "0x389df S1_Root_9c84"}; !slices.Equal(roots, want) {
		t.Errorf("roots %v, want %v", roots, want)
	}
	trust, err := h.Verify(nil)
	if err != nil || trust.State != TrustByName || trust.Known.Name != "S1_Root_9c84" {
		t.Errorf("without a root at hand: %+v, %v", trust, err)
	}
	var set RootSet
	set.AddLoader(l)
	trust, err = h.Verify(&set)
	if err != nil || trust.State != TrustPinned || trust.Root != "S1_Root_9c84" {
		t.Errorf("with the loader's root: %+v, %v", trust, err)
	}
}

// TestRebuildSamples takes real files apart and puts them together again.
func TestRebuildSamples(t *testing.T) {
	for _, model := range []string{"D58XX", "D200X", "LT26", "X10"} {
		t.Run(model, func(t *testing.T) {
			file, err := os.ReadFile(samples.Path(t, "loader-"+model+".sin"))
			if err != nil {
				t.Skip(err)
			}
			h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			b := Builder{Version: h.Version, Type: h.Type, HashType: h.HashType, BlockSize: h.Blocks[0].Length, Address: uint32(h.Blocks[0].Dest), Blob: h.Blob}
			if !bytes.Equal(build(t, b, BytesPayload(file[len(h.Raw):])), file) {
				t.Error("the rebuilt file differs")
			}
			for n := range h.Raw {
				if _, err := check(file[:n], int64(n), nil); !errors.Is(err, &Error{Reason: Truncated, Offset: int64(n), Block: -1}) {
					t.Fatalf("cut at %#x: %v", n, err)
				}
			}
		})
	}
}
