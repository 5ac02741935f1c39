package phone

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// Every code of the device database is known, with its folder and a sentence. Two of
// its loaders are wrong there (PHONES.md §1).
func TestEveryCodeOfTheDatabase(t *testing.T) {
	file, err := os.Open(samples.Reference(t, "devices.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 138 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	corrected := map[string]string{
		"E21XX": "f39ef23e013defb063bbd30b3a8fcb8a",
		"MT25":  "a2a5cc7555e40fd8ba0372f923d61c98",
	}
	for _, row := range rows[1:] {
		folder, codes, protocol, md5 := row[0], strings.Split(row[2], ","), row[3], row[6]
		if folder == "SGP4XX" {
			codes = slices.DeleteFunc(codes, func(c string) bool { return c == "SOL24" }) // it has its own folder
		}
		for _, code := range codes {
			f, m, ok := Find(code)
			if !ok {
				t.Errorf("%s of %s is unknown", code, folder)
				continue
			}
			if m.Folder != folder || string(f.Protocol) != protocol {
				t.Errorf("%s: folder %s, protocol %s; the database has %s, %s", code, m.Folder, f.Protocol, folder, protocol)
			}
			if want := strings.TrimPrefix(md5, "-"); m.LoaderMD5 != want && m.LoaderMD5 != corrected[folder] {
				t.Errorf("%s: loader %s; the database has %s", code, m.LoaderMD5, want)
			}
			if s := f.Sentence(m); !strings.HasPrefix(s, fmt.Sprintf("%s (%s), %s: ", m.Name, m.Code, f.Name)) ||
				strings.Contains(s, "because ;") || !strings.Contains(s, "restored by xflash") {
				t.Errorf("%s: %q", code, s)
			}
		}
	}
}

// Which models are restored, and on what proof: the status columns of PHONES.md
// §6 with the loaders that were executed since (usbproto/s1/PROTOCOL.md §14).
func TestProof(t *testing.T) {
	folders := map[Verification]string{
		ByLoader: "C190X C200X C210X C550X C650X C660X C68XX C69XX D22XX D24XX D25XX D550X D58XX D65XX D66XX " +
			"E23XX E58XX E65XX E66XX SGP3XX SGP5XX SGP7XX SOL25 SO_02F SO_04E",
		BySister: "D230X D510X D530X D5788 D6563 E68XX SGP6XX SOL22 SOL24 SO_04F SO_04G",
	}
	for _, f := range Families() {
		for _, m := range f.Models {
			want := Unproven
			switch {
			case f.Protocol == ProtocolCommand && m.ByName:
				want = NameOnly
			case f.Protocol == ProtocolCommand && m.Form != "":
				want = Simulated
			}
			for proof, list := range folders {
				if slices.Contains(strings.Fields(list), m.Folder) {
					want = proof
				}
			}
			if got := f.Proof(m); got != want {
				t.Errorf("%s (%s): proven by %s, not %s", m.Code, m.Folder, got, want)
			}
			if _, ok := f.Order(m); ok != (want == ByLoader || want == BySister) {
				t.Errorf("%s (%s): order given: %v", m.Code, m.Folder, ok)
			}
			if want == Unproven && m.whyNot == "" {
				t.Errorf("%s: nothing says why it is not restored", m.Code)
			}
		}
	}
}

// A script alone opens nothing.
func TestNoFamilyByAScriptAlone(t *testing.T) {
	for _, name := range []string{"loire", "tone", "mt6582", "mt6732", "mt6737", "mt6755"} {
		f := familyNamed(t, name)
		for _, m := range f.Models {
			if _, ok := f.KnownOrder(m); !ok {
				t.Errorf("%s: its order cannot be shown", m.Code)
			}
			if _, ok := f.Order(m); ok {
				t.Errorf("%s would be flashed", m.Code)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the table of phones into README.md")

// README's table of phones says what the data say.
func TestREADME(t *testing.T) {
	const path, from, to = "../../README.md", "<!-- phones: go test ./internal/phone -run README -update -->\n", "<!-- end of phones -->\n"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), from)
	old, after, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatal("README.md has no table of phones")
	}
	want := readmeTable()
	if old == want {
		return
	}
	if !*update {
		t.Fatal("the table of phones in README.md is not that of the data: run with -update")
	}
	if err := os.WriteFile(path, []byte(before+from+want+to+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readmeTable has a row for each family and proof, the restored ones first.
func readmeTable() string {
	say := map[Verification]string{ByLoader: "yes", BySister: "yes, after one question",
		Simulated: "yes, tested on simulated phones only", NameOnly: "yes, tested on simulated phones only; known by name only"}
	var b strings.Builder
	b.WriteString("| phones | family | restored by xflash |\n|---|---|---|\n")
	for _, proof := range []Verification{ByLoader, BySister, Simulated, NameOnly, Unproven} {
		for _, f := range Families() {
			answer := say[proof]
			if proof == Unproven {
				if answer = "no"; f.Elsewhere != "" {
					answer = "no; " + f.Elsewhere + " can"
				}
			} else if f.NoBootSet != "" {
				answer += ", except for the boot chain"
			}
			var names []string
			for _, m := range f.Models {
				name := strings.TrimPrefix(m.Name, "Xperia ")
				better := proof == NameOnly && slices.ContainsFunc(f.Models, func(o Model) bool { return o.Name == m.Name && f.Proof(o) == Simulated })
				if f.Proof(m) == proof && !better && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			if names != nil {
				fmt.Fprintf(&b, "| Xperia %s | %s, %s | %s |\n", strings.Join(names, ", "), f.Name, f.Years, answer)
			}
		}
	}
	return b.String()
}
