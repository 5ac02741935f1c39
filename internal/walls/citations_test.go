// Package walls tests rules that hold for the whole repository.
package walls

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// A citation names a document and perhaps sections of it: "PROTOCOL.md §3.2, §4". A comment
// may break the line anywhere between them.
var (
	citation = regexp.MustCompile(`((?:[\w.-]+/)*[A-Za-z][\w-]+\.md)\b((?:[\s,;/#]|and |or |to )*§\d+(?:\.\d+)*)*`)
	section  = regexp.MustCompile(`§(\d+(?:\.\d+)*)`)
	heading  = regexp.MustCompile(`(?m)^#+ (\d+(?:\.\d+)*)\.? `)
	link     = regexp.MustCompile(`\[([^\]]*)\]\(([^)#\s]+)\)`)
)

// sources returns the names of the repository's files, without what is built in it.
func sources(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, p)
		switch {
		case e.IsDir() && (name == ".git" || name == "dist"):
			return filepath.SkipDir
		case e.Type().IsRegular():
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// documents are the repository's documents with the numbers of their sections.
func documents(t *testing.T, files []string) map[string]map[string]bool {
	docs := map[string]map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f, ".md") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		docs[f] = map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
			if docs[f][m[1]] {
				t.Errorf("%s has two sections %s", f, m[1])
			}
			docs[f][m[1]] = true
		}
	}
	return docs
}

// named finds the document that a file means by a name: a path from the root of the
// repository or from the file, or the name of a document beside the file or above it.
func named(docs map[string]map[string]bool, file, name string) (string, bool) {
	if strings.Contains(name, "/") {
		for _, p := range []string{name, path.Join(path.Dir(file), name)} {
			if _, ok := docs[p]; ok {
				return p, true
			}
		}
		return "", false
	}
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		p := path.Join(dir, name)
		if _, ok := docs[p]; ok {
			return p, true
		}
		if dir == "." {
			return "", false
		}
	}
}

// Facts are in documents beside the code, and comments cite them. A citation that leads
// nowhere is worse than none: the next reader cannot check the number.
func TestCitationsLeadSomewhere(t *testing.T) {
	files := sources(t)
	docs := documents(t, files)
	if len(docs) < 10 {
		t.Fatalf("only %d documents", len(docs))
	}
	cited := 0
	for _, f := range files {
		switch path.Ext(f) {
		case ".go", ".tsv", ".json", ".sh", ".txtar", ".yml", "":
		default:
			continue
		}
		if f == "internal/walls/citations_test.go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		for _, at := range citation.FindAllSubmatchIndex(text, -1) {
			all, name := string(text[at[0]:at[1]]), string(text[at[2]:at[3]])
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			doc, ok := named(docs, f, name)
			if !ok {
				t.Errorf("%s:%d cites %s, which is not in the repository", f, line, name)
				continue
			}
			for _, s := range section.FindAllStringSubmatch(all, -1) {
				cited++
				if !docs[doc][s[1]] {
					t.Errorf("%s:%d cites %s §%s, which it does not have", f, line, doc, s[1])
				}
			}
		}
	}
	if cited < 400 {
		t.Errorf("only %d citations of sections were found: is the pattern still right?", cited)
	}
}

// Links between documents lead to files, and "[FORMAT.md §4](…)" to a section that exists.
func TestLinksBetweenDocuments(t *testing.T) {
	docs := documents(t, sources(t))
	for doc := range docs {
		text, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[2], "://") {
				continue
			}
			to := path.Join(path.Dir(doc), m[2])
			if _, err := os.Stat(filepath.Join(root, to)); err != nil || strings.HasPrefix(to, "..") {
				t.Errorf("%s links to %s, which is not in the repository", doc, m[2])
				continue
			}
			for _, s := range section.FindAllStringSubmatch(m[1], -1) {
				if !docs[to][s[1]] {
					t.Errorf("%s links to %s §%s, which it does not have", doc, to, s[1])
				}
			}
		}
		// Sections of a document itself: "§4.2" outside a link and a name.
		plain := link.ReplaceAllString(string(text), "")
		plain = citation.ReplaceAllString(plain, "")
		for _, s := range section.FindAllStringSubmatch(plain, -1) {
			if !docs[doc][s[1]] {
				t.Errorf("%s refers to its §%s, which it does not have", doc, s[1])
			}
		}
	}
}
