package explain

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEverySimulatedAnswer: what a simulated phone or boot loader can answer is explained.
// The answers are read from the simulator's source, so that a new one cannot be missed.
func TestEverySimulatedAnswer(t *testing.T) {
	files, err := filepath.Glob("../simphone/*.go")
	if err != nil {
		t.Fatal(err)
	}
	texts, numbers := map[string]string{}, map[string]string{}
	number := regexp.MustCompile(`^0x80[0-9A-Fa-f]{6}$`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		boot := strings.HasPrefix(filepath.Base(file), "aboot")
		literal := func(e ast.Expr) {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(s, " ") {
					texts[s] = file
				}
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "fail" {
					for _, arg := range n.Args {
						literal(arg)
					}
				}
			case *ast.ReturnStmt:
				if boot && filepath.Base(file) == "abootflash.go" {
					for _, r := range n.Results {
						literal(r)
					}
				}
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "sparseWords" {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							e = kv.Value
						}
						literal(e)
					}
				}
			case *ast.BasicLit:
				if n.Kind == token.INT && number.MatchString(n.Value) {
					numbers[strings.ToUpper(n.Value[2:])] = file
				}
			}
			return true
		})
	}
	for text, file := range texts {
		for _, form := range []string{fmt.Sprintf("FAILED (remote: '%s')", strings.TrimSpace(text)), "FAIL" + text[:min(len(text), 60)]} {
			found := Explain(form)
			if len(found) != 1 || found[0].Confidence == Unknown || len(found[0].Next) == 0 {
				t.Errorf("%s: %q is not explained: %v", file, form, found)
			}
		}
		if e := BootLoader(text, "flash:system"); e.Confidence == Unknown {
			t.Errorf("%s: %q is unknown", file, text)
		}
	}
	for n, file := range numbers {
		if e := Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="` + n + `";`); len(e) != 1 || e[0].Confidence == Unknown {
			t.Errorf("%s: %s is not explained", file, n)
		}
	}
	if len(texts) < 25 || len(numbers) < 10 {
		t.Errorf("only %d texts and %d numbers were found in the simulator", len(texts), len(numbers))
	}
}
