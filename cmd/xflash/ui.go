package main

// Every word that a person reads goes through this file.
//
// Results go to stdout, talk and progress to stderr. Errors begin with "xflash:", are
// lower case and have no final period; what follows them says what it means and what
// to do, one step, at most three. No colour unless stderr is a terminal; NO_COLOR,
// TERM=dumb and --json turn it off.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

type terminal struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool
	errTTY   bool
	json     bool
	quiet    bool
	line     int // length of the moving line, which all other text takes off the screen
}

func newTerminal() *terminal {
	isTTY := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	return &terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY: isTTY(os.Stdin), errTTY: isTTY(os.Stderr),
	}
}

// width is the width that text is wrapped to: the terminal's, between 40 and 100, else 80.
func (t *terminal) width() int {
	if f, ok := t.err.(*os.File); ok && t.errTTY {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return min(max(w, 40), 100)
		}
	}
	return 80
}

func (t *terminal) colour() bool {
	return t.errTTY && !t.json && os.Getenv("NO_COLOR") == "" && os.Getenv("CLICOLOR") != "0" && os.Getenv("TERM") != "dumb"
}

// moveLine puts text in the place of the moving line on stderr, which is a terminal.
func (t *terminal) moveLine(s string) {
	if w := t.width() - 1; len(s) > w {
		s = s[:w]
	}
	fmt.Fprintf(t.err, "\r%s%s", s, strings.Repeat(" ", max(t.line-len(s), 0)))
	t.line = len(s)
}

// clearLine takes the moving line off the screen.
func (t *terminal) clearLine() {
	if t.line > 0 {
		fmt.Fprintf(t.err, "\r%s\r", strings.Repeat(" ", t.line))
		t.line = 0
	}
}

// result writes to stdout.
func (t *terminal) result(format string, a ...any) {
	t.clearLine()
	fmt.Fprintf(t.out, format, a...)
}

// resultJSON writes one value to stdout as one line of JSON.
func (t *terminal) resultJSON(v any) error {
	enc := json.NewEncoder(t.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// say tells what goes on; nothing with --quiet or --json.
func (t *terminal) say(format string, a ...any) {
	if !t.quiet && !t.json {
		t.clearLine()
		fmt.Fprintf(t.err, format+"\n", a...)
	}
}

// warn tells something that should not be missed, also with --quiet.
func (t *terminal) warn(format string, a ...any) {
	if !t.json {
		t.clearLine()
		fmt.Fprintf(t.err, "%s\n", wrap("note: "+fmt.Sprintf(format, a...), t.width(), "      "))
	}
}

// hanging writes text to stdout behind a lead, its other lines below the first one.
func (t *terminal) hanging(lead, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	lines := strings.Split(wrap(printable(text), max(t.width()-len(indent), 30), ""), "\n")
	t.result("%s%s\n", lead, strings.Join(lines, "\n"+indent))
}

func (t *terminal) bold(s string) string {
	if t.colour() {
		return "\x1b[1m" + s + "\x1b[0m"
	}
	return s
}

// ask puts a question and reads one line. Only a person at a terminal is asked. A
// context that ends, by Ctrl-C, ends the question; the read that is then left over ends
// with the process.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	t.clearLine()
	fmt.Fprintf(t.err, "%s ", wrap(question, t.width()-1, ""))
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		if a.line != "" {
			a.err = nil
		}
		return strings.TrimSpace(a.line), a.err
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", context.Cause(ctx)
	}
}

// failure is how a command ends when it does not succeed: the exit code, the code
// for programs, the sentence, what it means, and what to do.
type failure struct {
	exit  int
	code  string // stable, for --json
	what  string // one line
	text  string // more lines, already wrapped or short
	hints []string
	quiet bool // everything has been said already
}

func (f *failure) Error() string { return f.what }

// fail prints a failure: text on stderr, or one JSON object on stdout.
func (t *terminal) fail(f *failure) {
	if t.json {
		_ = t.resultJSON(map[string]any{ // nobody is left to tell if stdout is gone
			"type": "error", "code": f.code, "exit": f.exit, "error": f.what, "text": f.text, "hints": f.hints})
		return
	}
	if f.quiet {
		return
	}
	t.clearLine()
	prefix := "xflash: "
	if t.colour() {
		prefix = "\x1b[1;31mxflash:\x1b[0m "
	}
	fmt.Fprintf(t.err, "%s%s\n", prefix, wrap(f.what, t.width()-8, "        "))
	if f.text != "" {
		fmt.Fprintf(t.err, "%s\n", strings.TrimRight(f.text, "\n"))
	}
	for _, h := range f.hints {
		fmt.Fprintf(t.err, "%s\n", wrap("hint: "+h, t.width(), "      "))
	}
}

// wrap breaks text at blanks so that no line is longer than width where that can be
// had; lines after the first begin with indent. Line ends in the text stay, and so do
// the blanks it begins with.
func wrap(text string, width int, indent string) string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		line := paragraph[:len(paragraph)-len(strings.TrimLeft(paragraph, " "))]
		for i, word := range strings.Fields(paragraph) {
			switch {
			case i == 0:
				line += word
			case len([]rune(line))+1+len([]rune(word)) > width:
				lines = append(lines, line)
				line = indent + word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	for i := 1; i < len(lines); i++ {
		if lines[i] != "" && !strings.HasPrefix(lines[i], indent) {
			lines[i] = indent + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// size shows bytes as people read them.
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// printable quotes control characters, for text that comes from a phone or a file.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

// printableText is printable for text of several lines.
func printableText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}
