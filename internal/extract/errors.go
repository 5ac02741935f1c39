package extract

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"

	"xflash/internal/text"
)

// FormatError is a file that cannot be taken apart.
type FormatError struct{ Path, Title string }

func (e *FormatError) Error() string {
	if e.Title == "unknown" {
		return e.Path + ": unknown file format"
	}
	return fmt.Sprintf("%s: it is %s, which xflash cannot unpack", e.Path, text.WithArticle(e.Title))
}

// OptionError is an option that means nothing for the file at hand.
type OptionError struct {
	Path, Title string
	Option      string // what it is about: "a member", "a partition"
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %s cannot be chosen, it is %s", e.Path, e.Option, text.WithArticle(e.Title))
}

// SpaceError is a folder without room for what is to be unpacked. It is a syscall.ENOSPC.
type SpaceError struct {
	Dir        string
	Need, Have int64 // bytes; Need is the least that it takes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("%s has %s free, but unpacking needs at least %s", e.Dir, text.Size(e.Have), text.Size(e.Need))
}

// Unwrap makes errors.Is(err, syscall.ENOSPC) work.
func (e *SpaceError) Unwrap() error { return syscall.ENOSPC }

// ExistsError is an output that already exists. It is an fs.ErrExist.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " exists already" }

// Unwrap makes errors.Is(err, fs.ErrExist) work.
func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// stopped returns the reason why ctx ended instead of an error that came of it.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
