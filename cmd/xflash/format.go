package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/phone"
)

// cryptoFooter is what Android keeps after the file system of userdata for its encryption,
// bytes (internal/phone/PHONES.md §3.6).
const cryptoFooter = 16 << 10

// formatOptions are the type and the size that a person gives, or nothing.
type formatOptions struct {
	flashOptions
	kind string // ext4 or f2fs
	size int64  // bytes
}

func newFormatCommand(a *app) *cobra.Command {
	var o formatOptions
	cmd := &cobra.Command{
		Use:   "format userdata|cache",
		Short: "put an empty file system on a partition of a phone in fastboot mode",
		Long: `Makes an empty file system on this computer, as large as the partition of the phone, and
writes it there. Unlike after "erase", the phone can start at once. Everything on the
partition is lost, so it asks first.

The phone reports the type and the size; --type and --size are for phones that do not. A
large partition takes some minutes. You need mkfs.ext4 (package e2fsprogs) or mkfs.f2fs
(package f2fs-tools).`,
		Example: `  xflash format cache
  xflash format userdata --type ext4`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.oneJob(cmd.Context(), "sending "+words[0], func(ctx context.Context, c *fastbootConn) (act, error) {
				return a.prepareFormat(ctx, c, words[0], o)
			})
		},
	}
	cmd.Flags().StringVar(&o.kind, "type", "", "ext4 or f2fs (default: what the phone says)")
	cmd.Flags().Int64Var(&o.size, "size", 0, "bytes of the file system (default: what the phone says)")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask before user data are lost")
	cmd.Flags().StringVar(&o.model, "model", "", "model of the phone, such as D5803, when it does not tell")
	return cmd
}

func (a *app) prepareFormat(ctx context.Context, c *fastbootConn, name string, o formatOptions) (act, error) {
	target, p, err := c.safe(ctx, name, o.model)
	if err != nil {
		return nil, err
	}
	if p.Label != "userdata" && p.Label != "cache" {
		return nil, &failure{exit: exitPolicy, code: "not-safe", what: "an empty " + p.Label + " would leave a phone that does not start",
			hints: []string{"userdata and cache can be formatted; " + `"xflash flash" writes an image`}}
	}
	if err := unlocked(target); err != nil {
		return nil, err
	}
	kind, bytes, err := a.fileSystemOf(ctx, c, name, p, o)
	if err != nil {
		return nil, err
	}
	if err := a.confirmLoss(ctx, p, o.yes); err != nil {
		return nil, err
	}
	dir, err := unpackingFolder()
	if err != nil {
		return nil, err
	}
	c.atEnd(func() error { return os.RemoveAll(dir) })
	path := filepath.Join(dir, name+".img")
	if err := makeFileSystem(ctx, kind, path, bytes); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		// Nothing of it is left out: what the new file system takes for zero must be zero.
		if err := c.Flash(ctx, name, f, bytes, o.limit); err != nil {
			return err
		}
		return a.done(fmt.Sprintf("%s now holds an empty %s file system of %s.", name, kind, size(bytes)))
	}, nil
}

// prepareWipe erases a partition and puts an empty file system on it, as -w does.
func (a *app) prepareWipe(ctx context.Context, c *fastbootConn, name string, o flashOptions) (act, error) {
	erase, err := a.prepareErase(ctx, c, name, o)
	if err != nil {
		return nil, err
	}
	o.yes = true // it was asked
	format, err := a.prepareFormat(ctx, c, name, formatOptions{flashOptions: o})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := erase(ctx); err != nil {
			return err
		}
		return format(ctx)
	}, nil
}

// fileSystemOf asks the phone for type and size, as far as the person does not say them.
func (a *app) fileSystemOf(ctx context.Context, c *fastbootConn, name string, p phone.Partition, o formatOptions) (kind string, bytes int64, err error) {
	if kind = o.kind; kind == "" {
		if kind, err = c.variable(ctx, "partition-type:"+name); err != nil {
			return "", 0, err
		}
	}
	switch kind = strings.TrimSpace(kind); kind {
	case "", "raw":
		kind = "ext4" // of all S1 phones (fastboot/PROTOCOL.md §4)
	case "ext4", "f2fs":
	default:
		return "", 0, &failure{exit: exitPolicy, code: "file-system", what: fmt.Sprintf("xflash cannot make a file system of type %q", kind),
			hints: []string{"--type ext4 makes one of type ext4; the phone may not start with a type other than its own"}}
	}
	if bytes = o.size; bytes == 0 {
		if bytes, err = c.PartitionSize(ctx, name); err != nil {
			return "", 0, err
		}
	}
	if bytes = cmp.Or(bytes, p.Size); bytes == 0 {
		return "", 0, &failure{exit: exitPolicy, code: "no-size", what: "the phone does not say how large " + name + " is", hints: []string{"give the size in bytes with --size"}}
	}
	if p.Label == "userdata" && o.size == 0 {
		bytes -= cryptoFooter
	}
	return kind, bytes / 4096 * 4096, nil
}

// makeFileSystem makes an empty file system with the tools of this computer.
func makeFileSystem(ctx context.Context, kind, path string, bytes int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close()); err != nil {
		return err
	}
	tool, words, pkg := "mkfs.ext4", []string{"-q", "-F", "-b", "4096", "-O", "^metadata_csum,^64bit", "-E", "nodiscard"}, "e2fsprogs"
	if kind == "f2fs" {
		tool, words, pkg = "mkfs.f2fs", []string{"-q", "-t", "0"}, "f2fs-tools"
	}
	program, err := exec.LookPath(tool)
	if err != nil {
		program = "/sbin/" + tool // often not on the path of an ordinary user
	}
	out, err := exec.CommandContext(ctx, program, append(words, path)...).CombinedOutput()
	if errors.Is(err, os.ErrNotExist) {
		return &failure{exit: exitOther, code: "no-tool", what: "the program " + tool + " is not on this computer", hints: []string{"install the package " + pkg + ", then repeat the command"}}
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, strings.TrimSpace(string(out)))
	}
	return nil
}
