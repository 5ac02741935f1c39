package main

// Every word that a person reads goes through this file.
//
// Results go to stdout, talk and progress to stderr. Errors start with "xflash:", are
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
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"

	"xflash/internal/text"
)

type terminal struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool
	errTTY   bool
	json     bool
	quiet    bool
	line     int // columns of the moving line, which all other text takes off the screen
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
	s = text.Cut(text.Clean(s), t.width()-1)
	n := text.Width(s)
	fmt.Fprintf(t.err, "\r%s%s", s, strings.Repeat(" ", max(t.line-n, 0)))
	t.line = n
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
	put(t.out, fmt.Sprintf(format, a...))
}

// put is the one place where text leaves for a terminal. What a phone, a file or another
// program has put into it can neither move the cursor nor turn the direction of a line.
// An error is of no use to anybody: whoever reads is gone.
func put(w io.Writer, s string) {
	s = strings.ReplaceAll(text.CleanLines(s), `\x09`, "\t")
	for _, ours := range []string{bold, red, plain} {
		s = strings.ReplaceAll(s, text.Clean(ours), ours)
	}
	_, _ = io.WriteString(w, s)
}

// The colours of this program.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[1;31m"
	plain = "\x1b[0m"
)

// resultJSON writes one value to stdout as one line of JSON.
func (t *terminal) resultJSON(v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(t.out, escapeJSON(b.String()))
	return err
}

// escapeJSON writes characters that a terminal does not just show as JSON escapes, which
// changes no value.
func escapeJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// say reports what happens; nothing with --quiet or --json.
func (t *terminal) say(format string, a ...any) {
	if !t.quiet && !t.json {
		t.clearLine()
		put(t.err, fmt.Sprintf(format+"\n", a...))
	}
}

// show tells what a person has to see to answer a question, also with --quiet.
func (t *terminal) show(format string, a ...any) {
	if !t.json {
		t.clearLine()
		put(t.err, fmt.Sprintf(format+"\n", a...))
	}
}

// warn tells something that should not be missed, also with --quiet.
func (t *terminal) warn(format string, a ...any) {
	if !t.json {
		t.clearLine()
		put(t.err, fmt.Sprintf("%s\n", wrap("note: "+fmt.Sprintf(format, a...), t.width(), "      ")))
	}
}

// hanging writes text to stdout after a lead, its other lines below the first one.
func (t *terminal) hanging(lead, s string) {
	t.result("%s\n", text.Hanging(lead, printable(s), t.width()))
}

func (t *terminal) bold(s string) string {
	if t.colour() {
		return bold + s + plain
	}
	return s
}

// ask puts a question and reads one line. Only a person at a terminal is asked. A
// context that ends, by Ctrl-C, ends the question; the read that is then left over ends
// with the process.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	t.clearLine()
	put(t.err, wrap(question, t.width()-1, "")+" ")
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

// asks reports whether somebody is there to answer a question.
func (t *terminal) asks() bool { return t.inTTY && !t.json }

// agrees puts a question that y or yes answers.
func (t *terminal) agrees(ctx context.Context, question string) (bool, error) {
	answer, err := t.ask(ctx, question+" [y/N]")
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), err
}

// failure is how a command ends when it does not succeed: the exit code, the code
// for programs, the sentence, what it means, and what to do.
type failure struct {
	exit  int
	code  string // stable, for --json
	what  string // one line
	text  string // more lines; what is too long for the terminal is wrapped
	hints []string
	// meaning is an explanation that comes before text, wrapped to a width; may be nil.
	meaning func(width int) string
	quiet   bool // everything has been said already
}

func (f *failure) Error() string { return f.what }

// body is everything between the sentence and the hints.
func (f *failure) body(width int) string {
	if f.meaning == nil {
		return f.text
	}
	return strings.Trim(strings.TrimRight(f.meaning(width), "\n")+"\n"+strings.Trim(f.text, "\n"), "\n")
}

// fail prints a failure: text on stderr, or one JSON object on stdout.
func (t *terminal) fail(f *failure) {
	if f.quiet {
		return
	}
	if t.json {
		_ = t.resultJSON(map[string]any{ // nobody is left to tell if stdout is gone
			"type": "error", "code": f.code, "exit": f.exit, "error": f.what, "text": f.body(78), "hints": f.hints})
		return
	}
	t.clearLine()
	prefix := "xflash: "
	if t.colour() {
		prefix = red + "xflash:" + plain + " "
	}
	put(t.err, fmt.Sprintf("%s%s\n", prefix, wrap(f.what, t.width()-8, "        ")))
	if body := f.body(t.width() - 2); body != "" {
		for _, line := range strings.Split(strings.TrimRight(body, "\n"), "\n") {
			if text.Width(line) > t.width() {
				words := strings.TrimLeft(line, " ")
				line = text.Hanging(line[:len(line)-len(words)], words, t.width())
			}
			put(t.err, line+"\n")
		}
	}
	for _, h := range f.hints {
		put(t.err, wrap("hint: "+h, t.width(), "      ")+"\n")
	}
}

// The words of the program, under the short names that the commands use.
var (
	size      = text.Size
	countOf   = text.Count
	wrap      = text.Wrap
	printable = text.Clean
)
