package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newFastbootCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "fastboot [OPTIONS] WORD…",
		Short: "Android's fastboot commands, with the safety and explanations of xflash",
		Long: `Accepts the words and options of Android's fastboot as you find them in guides, also
several in a row. xflash adds its safe list, its file checks and its explanations: it
writes nothing that "xflash flash" would refuse, and nothing at all before it has checked
everything on the line. The order is Android's: -w wipes before the phone leaves fastboot,
and reboot, continue and boot come last wherever they are on the line.

` + fastbootHelp(),
		Example: `  xflash fastboot -i 0x0fce flash recovery twrp.img
  xflash fastboot -w update update.zip
  xflash fastboot -s tcp:192.168.1.5 getvar all`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, line []string) error {
			ctx := cmd.Context()
			l := fastbootLine{app: a, flags: cmd.Root().PersistentFlags()}
			l.options.raw = newRawHeader()
			words, err := l.takeOptions(line)
			switch {
			case err != nil:
				return usageError{err}
			case l.version:
				return runSub(ctx, newVersionCommand(a))
			case l.help || len(words) == 0 && !l.wipe || len(words) > 0 && words[0] == "help":
				return cmd.Help()
			}
			if err := l.read(words); err != nil {
				return usageError{err}
			}
			if err := a.startTrace(); err != nil { // its flags were read only now
				return err
			}
			return l.run(ctx)
		},
	}
}

// An act does what was looked at and agreed to.
type act func(context.Context) error

// A fastbootJob looks at what a word asks for, and asks the owner where that is needed,
// without changing the phone. The act does it.
type fastbootJob func(ctx context.Context, c *fastbootConn) (act, error)

// fastbootLine is a command line in the grammar of Android's client.
type fastbootLine struct {
	*app
	flags   *pflag.FlagSet // the global flags of this program
	options flashOptions
	wipe    bool
	help    bool
	version bool

	jobs  []fastbootJob
	last  fastbootJob // after which the phone is gone
	since string      // the word that asked for last
	// restart is what an update adds: the phone starts again unless another word says how it
	// leaves.
	restart bool
	alone   bool // "devices", which opens no phone
}

// read makes jobs of the words, the whole line before anything is done, so that a slip in
// the third word does not leave the phone half-way.
func (l *fastbootLine) read(words []string) (err error) {
	if l.device == "" {
		l.device = cmp.Or(os.Getenv("ANDROID_SERIAL"), os.Getenv("FASTBOOT_DEVICE"))
	}
	for len(words) > 0 {
		if words, err = l.readWord(words[0], words[1:]); err != nil {
			return err
		}
	}
	if l.alone && (len(l.jobs) > 0 || l.last != nil || l.wipe) {
		return errors.New("devices cannot be combined with other words")
	}
	if l.wipe {
		for _, partition := range []string{"userdata", "cache"} {
			l.jobs = append(l.jobs, func(ctx context.Context, c *fastbootConn) (act, error) {
				return l.prepareWipe(ctx, c, partition, l.options)
			})
		}
	}
	return nil
}

// readWord reads a word with those that belong to it, whatever they are, as Android's client
// does, and returns the rest of the line.
func (l *fastbootLine) readWord(word string, rest []string) ([]string, error) {
	name, with, _ := strings.Cut(word, ":")
	i := slices.IndexFunc(fastbootWords, func(w fastbootWord) bool { return word == w.name || w.joined && name == w.name && with != "" })
	if i < 0 {
		return nil, fmt.Errorf("xflash knows no fastboot word %q; \"xflash fastboot help\" lists them", word)
	}
	w := &fastbootWords[i]
	if w.why != "" {
		return nil, fmt.Errorf("%s: %s", word, w.why)
	}
	if len(rest) < len(w.needs) {
		return nil, fmt.Errorf("%s needs %s", w.name, w.needs[len(rest)])
	}
	n := min(len(w.needs)+w.more, len(rest))
	words, rest := append([]string{word}, rest[:n]...), rest[n:]
	if w.check != nil {
		var err error
		if words, err = w.check(l, words); err != nil {
			return nil, err
		}
	}
	job := w.job(l, words)
	switch {
	case job == nil:
	case !w.leaves:
		l.jobs = append(l.jobs, job)
	case l.last != nil:
		return nil, fmt.Errorf("the phone leaves fastboot after %s, so %s cannot follow it; run two commands", l.since, word)
	default:
		l.last, l.since = job, word
	}
	return rest, nil
}

// job is what a word does with those that belong to it.
func (w *fastbootWord) job(l *fastbootLine, words []string) fastbootJob {
	switch {
	case w.prepare != nil:
		return func(ctx context.Context, c *fastbootConn) (act, error) { return w.prepare(ctx, l, c, words) }
	case w.do != nil:
		return func(_ context.Context, c *fastbootConn) (act, error) {
			return func(ctx context.Context) error {
				if err := w.do(ctx, c, words); err != nil {
					return err
				}
				return l.done(words[0] + ": OKAY")
			}, nil
		}
	}
	return nil
}

// run looks at everything the line asks for in one session with the phone, then does it.
// What makes the phone leave comes last.
func (l *fastbootLine) run(ctx context.Context) (err error) {
	if l.alone {
		return runSub(ctx, newDevicesCommand(l.app))
	}
	c, err := l.fastbootMode(ctx, l.fastbootOptions("sending"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	jobs := l.jobs
	switch reboots := strings.HasPrefix(l.since, "reboot"); {
	case l.options.stay && (reboots || l.last == nil):
	case l.last != nil:
		jobs = append(jobs, l.last)
	case l.restart:
		jobs = append(jobs, (&fastbootWord{do: reboot}).job(l, []string{"reboot"}))
	}
	var acts []act
	for _, job := range jobs {
		act, err := job(ctx, c)
		if err != nil {
			return err
		}
		acts = append(acts, act)
	}
	return c.do(ctx, acts...)
}

// runSub runs another command of this program without words.
func runSub(ctx context.Context, cmd *cobra.Command) error {
	cmd.SetContext(ctx)
	return cmd.RunE(cmd, nil)
}
