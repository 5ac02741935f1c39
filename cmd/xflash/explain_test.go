package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/explain"
)

// The error of a log is at its end, however long the log is, as a file or as a stream, in
// UTF-16 too.
func TestEndOfLongLog(t *testing.T) {
	t.Parallel()
	const end = "ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080021\";\n"
	wide := func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			b.Write([]byte{c, 0})
		}
		return b.String()
	}
	filler := strings.Repeat(strings.Repeat(".", 999)+"\n", 1100)
	for name, log := range map[string]string{
		"short": end, "long": filler + end, "odd": "." + filler + end, "very long": filler + filler + filler + end,
		"wide": "\xff\xfe" + wide(filler+end), "of one part exactly": strings.Repeat(".", explain.MaxText-len(end)) + end, "empty": "",
	} {
		want := end
		if name == "wide" {
			want = wide(end)
		}
		if name == "empty" {
			want = ""
		}
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for kind, in := range map[string]io.Reader{"file": f, "stream": io.MultiReader(bytes.NewReader([]byte(log)))} {
			got, err := lastOf(in)
			if err != nil || !strings.HasSuffix(got, want) || len(got) > explain.MaxText+1 || (len(log)-len(got))%2 != 0 {
				t.Errorf("%s, %s: %d of %d bytes, %v", name, kind, len(got), len(log), err)
			}
		}
	}
}
