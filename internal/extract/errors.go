package extract

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"xflash/internal/text"
	"xflash/sin"
)

// FormatError is a file that is none of the formats that can be taken apart.
type FormatError struct {
	Path string
	Kind sin.Kind // what it is instead
}

func (e *FormatError) Error() string {
	if e.Kind == sin.KindRaw {
		return e.Path + ": nothing is known that this could be"
	}
	return fmt.Sprintf("%s: it is %s: there is nothing to take out of it", e.Path, withArticle(string(e.Kind)))
}

// OptionError is an option that means nothing for the file at hand.
type OptionError struct {
	Path   string
	Format Format
	Option string // what it is about: "a member", "a partition"
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %s cannot be chosen, it is %s", e.Path, e.Option, withArticle(string(e.Format)))
}

// SpaceError is a folder without room for what is to be unpacked. It is a syscall.ENOSPC.
type SpaceError struct {
	Dir        string
	Need, Have int64 // bytes; Need is the least that it takes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s has %s free, and at least %s are needed", e.Dir, text.Size(e.Have), text.Size(e.Need))
}

// Unwrap makes errors.Is(err, syscall.ENOSPC) work.
func (e *SpaceError) Unwrap() error { return syscall.ENOSPC }

// ExistsError is an output that is there already. It is an fs.ErrExist.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " exists already" }

// Unwrap makes errors.Is(err, fs.ErrExist) work.
func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// stopped gives the reason why ctx ended instead of an error that came of it.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func withArticle(s string) string {
	if strings.ContainsRune("AEIOaeio", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}
