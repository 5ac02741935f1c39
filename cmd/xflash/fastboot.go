package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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

// A fastbootJob looks at what a word asks for, and asks the owner where that is needed,
// without changing the phone. act does it; nil for what is done already.
type fastbootJob func(ctx context.Context, c *fastbootConn) (act func(context.Context) error, err error)

// fastbootLine is a command line in the grammar of Android's client.
type fastbootLine struct {
	*app
	flags   *pflag.FlagSet // the global flags of this program
	options flashOptions
	wipe    bool
	help    bool
	version bool

	words []string // that are not read yet
	jobs  []fastbootJob
	last  fastbootJob // after which the phone is gone
	since string      // the word that asked for last
	// restart is what an update adds: the phone starts again unless another word says how it
	// leaves.
	restart bool
	alone   func(context.Context) error
}

// next is the next word; it must be there.
func (l *fastbootLine) next(of, what string) (string, error) {
	if len(l.words) == 0 {
		return "", fmt.Errorf("%s needs %s", of, what)
	}
	word := l.words[0]
	l.words = l.words[1:]
	return word, nil
}

// upTo takes up to n words, whatever they are, as Android's client does.
func (l *fastbootLine) upTo(n int) []string {
	n = min(n, len(l.words))
	words := l.words[:n]
	l.words = l.words[n:]
	return words
}

// read makes jobs of the words, the whole line before anything is done, so that a slip in
// the third word does not leave the phone half-way.
func (l *fastbootLine) read(words []string) error {
	if l.device == "" {
		l.device = cmp.Or(os.Getenv("ANDROID_SERIAL"), os.Getenv("FASTBOOT_DEVICE"))
	}
	l.words = words
	for len(l.words) > 0 {
		word, _ := l.next("", "")
		if err := l.readWord(word); err != nil {
			return err
		}
	}
	if l.alone != nil && (len(l.jobs) > 0 || l.last != nil || l.wipe) {
		return errors.New("devices cannot be combined with other words")
	}
	if l.wipe {
		for _, partition := range []string{"userdata", "cache"} {
			l.jobs = append(l.jobs, func(ctx context.Context, c *fastbootConn) (func(context.Context) error, error) {
				return l.prepareWipe(ctx, c, partition, l.options)
			})
		}
	}
	return nil
}

func (l *fastbootLine) readWord(word string) error {
	for i := range fastbootWords {
		w := &fastbootWords[i]
		name, rest, _ := strings.Cut(word, ":")
		if word != w.name && !(w.joined && name == w.name && rest != "") {
			continue
		}
		if w.why != "" {
			return fmt.Errorf("%s: %s", word, w.why)
		}
		job, err := w.read(l, word)
		switch {
		case err != nil:
			return err
		case job == nil:
		case !w.leaves:
			l.jobs = append(l.jobs, job)
		case l.last != nil:
			return fmt.Errorf("the phone leaves fastboot after %s, so %s cannot follow it; run two commands", l.since, word)
		default:
			l.last, l.since = job, word
		}
		return nil
	}
	return fmt.Errorf("xflash knows no fastboot word %q; \"xflash fastboot help\" lists them", word)
}

// run looks at everything the line asks for in one session with the phone, then does it.
// What makes the phone leave comes last.
func (l *fastbootLine) run(ctx context.Context) (err error) {
	if l.alone != nil {
		return l.alone(ctx)
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
		jobs = append(jobs, okay(l, "reboot", func(ctx context.Context, c *fastbootConn) error { return c.Reboot(ctx, "") }))
	}
	var acts []func(context.Context) error
	for _, job := range jobs {
		act, err := job(ctx, c)
		if err != nil {
			return err
		}
		acts = append(acts, act)
	}
	defer writing(ctx)()
	for _, act := range acts {
		if act == nil {
			continue
		}
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runSub runs another command of this program without words.
func runSub(ctx context.Context, cmd *cobra.Command) error {
	cmd.SetContext(ctx)
	return cmd.RunE(cmd, nil)
}
