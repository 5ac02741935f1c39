package main

import (
	"errors"
	"fmt"
	"strings"

	"xflash/internal/restore"
	"xflash/internal/text"
)

// commandStep is a step that a phone of 2017 or later did not carry out: the file and the piece
// of it, the phone's own words, and what they mean.
func commandStep(e *restore.StepError) *failure {
	f := commandFailure(e.Err)
	what := e.Step.Title() + " failed"
	var chunk *restore.ChunkError
	if errors.As(e.Err, &chunk) {
		what += fmt.Sprintf(" at %s of %s", printable(chunk.Chunk), printable(chunk.File))
	}
	f.what = what + ": " + f.what
	if line := lastLine(e.Log); line != "" {
		f.text = strings.TrimLeft(strings.TrimRight(f.text, "\n")+"\n  "+wrap("The boot loader's log ends with: "+line, 76, "  "), "\n")
	}
	if e.Begun {
		f.hints = append(f.hints, "when the cause is gone, "+resumeHint)
	}
	return f
}

// lastLine is the last line of a boot loader's log, cut to what fits into a message.
func lastLine(log []byte) string {
	lines := strings.Split(strings.TrimRight(string(log), "\n\r \x00"), "\n")
	line := []rune(text.MaskIdentity(text.Clean(strings.TrimSpace(lines[len(lines)-1]))))
	if len(line) > 200 {
		line = line[len(line)-200:]
	}
	return string(line)
}
