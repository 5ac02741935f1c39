package walls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// words are patterns of translated English (docs/contributing.md §4), each with what an
// English engineer writes instead. A pattern finds its first group when it has one.
var words = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?:^|[^e]\s|[^r]e\s)\b((?:is|are|was|were) no [a-z]+)`), "is not a"},
	{regexp.MustCompile(`\b(?:is|are) none of\b`), "is not one of"},
	{regexp.MustCompile(`\b[Bb]ehind (?:it|them|the (?:end|file|header|kernel|image|data|last|name|command))\b`), "after, past"},
	{regexp.MustCompile(`\bbegins\b`), "starts"},
	{regexp.MustCompile(`\b(?:loader|phone)s? takes?\b (?:it|a|an|the|this|all|no|every|everything|nothing)\b`), "accepts"},
	{regexp.MustCompile(`\b(?:as it stands|as they stand|(?:what|which|that) stands? (?:in|at|behind|after|before|here|there|where))\b`), "is"},
	{regexp.MustCompile(`\b(?:is|are) told(?:[.,;:]| (?:at once|with what|in the words|too|once|before|so)\b)`), "is reported"},
	{regexp.MustCompile(`\b(?:is|are) said(?:[.,;:]| (?:to be|at once|once|so|that|how)\b)`), "the message says"},
	{regexp.MustCompile(`\b(?:goes|go|went) on\b`), "continues"},
	{regexp.MustCompile(`\b(?:an?|with|has|have) (?:[a-z]+ ){0,2}[a-z]+ of (?:its|their) own\b`), "its own …, a separate …"},
	{regexp.MustCompile(`\bnothing (?:that )?is known (?:that|as)\b`), "unknown"},
	{regexp.MustCompile(`\bbest from another place\b`), "download it again, if possible from another source"},
	{regexp.MustCompile(`\banew\b`), "again"},
	{regexp.MustCompile(`\ball the same\b`), "anyway"},
	{regexp.MustCompile(`\b(?:is|are) not known(?:[.,;:)]|$| (?:and|or|so|until|yet)\b)`), "is unknown"},
	{regexp.MustCompile(`\bwhat is known of\b`), "the known facts about"},
	{regexp.MustCompile(`\b[Nn]obody (?:can say|knows) (?:which|what|how|whether|who|where)\b`), "it is unclear, it is unknown"},
	{regexp.MustCompile(`\bspeaks? (?:against|for) (?:it|them|this|that)\b`), "contradicts, supports"},
	{regexp.MustCompile(`\b(?:looks?|looked) into\b`), "examines"},
	{regexp.MustCompile(`\bfor ever\b`), "forever"},
	{regexp.MustCompile(`\boutside of (?:the|its|a|it)\b`), "outside"},
	{regexp.MustCompile(`\bS1 time\b`), "S1 era"},
	{regexp.MustCompile(`\bhold(?:s)? together\b`), "is consistent"},
	{regexp.MustCompile(`\bat most %d are (?:accepted|possible)\b`), "the limit is %d"},
	{regexp.MustCompile(`\bthat (?:is|are) (?:there|here) already\b`), "existing"},
	{regexp.MustCompile(`(?:^|[.:] )(What [a-z ]{1,40} is (?:told|said|known|there|left|not|in)\b)`), "a noun as the subject"},
}

// sound are findings that are good English after all.
var sound = regexp.MustCompile(`no (?:longer|more|less|such|other|better|worse)$|\b(?:has|have|with) no\b`)

// excepted texts have such words for a reason: a quotation, or the pattern itself.
var excepted = []string{
	"internal/walls/words_test.go", // the patterns
	"internal/explain/testdata/",   // texts as people paste them
	"internal/explain/data/",       // columns of quotations; its own sentences are edited by hand
	"LICENSE",
}

// TestWords: messages, comments and documents read as an English engineer writes them.
func TestWords(t *testing.T) {
	checked := 0
	for _, file := range sources(t) {
		if isExcepted(file) {
			continue
		}
		for _, p := range prose(t, file) {
			checked++
			for _, w := range words {
				for _, at := range w.pattern.FindAllStringSubmatchIndex(p.text, -1) {
					from, to := at[len(at)-2], at[len(at)-1]
					name := from == 0 && to < len(p.text) && p.text[to] == ' ' // a comment starts with what it is about
					if found := p.text[from:to]; !name && !sound.MatchString(found) {
						line := p.line + strings.Count(p.text[:from], "\n")
						t.Errorf("%s:%d: %q: write %s", file, line, found, w.instead)
					}
				}
			}
		}
	}
	if checked < 10000 {
		t.Errorf("only %d texts were looked at", checked)
	}
}

func isExcepted(file string) bool {
	for _, e := range excepted {
		if strings.HasPrefix(file, e) {
			return true
		}
	}
	return false
}

// A passage is text that a person reads, and the line where it starts.
type passage struct {
	text string
	line int
}

// prose gives the comments and sentences of a Go file, the comments of a script, and all of a
// document.
func prose(t *testing.T, file string) (found []passage) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	switch filepath.Ext(file) {
	case ".md":
		return []passage{{string(data), 1}}
	case ".sh", ".txtar":
		for i, line := range strings.Split(string(data), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				found = append(found, passage{line, i + 1})
			}
		}
	case ".go":
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, data, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Comments {
			found = append(found, passage{c.Text(), set.Position(c.Pos()).Line})
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && strings.Contains(l.Value, " ") {
				text, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, passage{text, set.Position(l.Pos()).Line})
			}
			return true
		})
	}
	return found
}
