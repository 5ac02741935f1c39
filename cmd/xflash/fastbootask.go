package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"

	"xflash/fastboot"
)

// getvar shows a variable, or all.
func (a *app) getvar(ctx context.Context, c *fastbootConn, name string) error {
	type row struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	c.answering = true
	defer func() { c.answering = false }()
	var rows []row
	add := func(name, value string) {
		if strings.HasPrefix(name, "serial") || strings.EqualFold(name, "imei") {
			value = a.masked(value)
		}
		rows = append(rows, row{name, value})
	}
	if name == "all" {
		all, err := c.Variables(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			a.ui.warn("this loader does not list its variables; ask for one at a time, such as version-bootloader, product or max-download-size")
		}
		for _, v := range all {
			add(v.Name, v.Value)
		}
	} else {
		v, err := c.Getvar(ctx, name)
		if err != nil {
			return err
		}
		add(name, v)
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "variables", "variables": rows})
	}
	for _, r := range rows {
		a.ui.result("%s: %s\n", printable(r.Name), printable(cmp.Or(r.Value, "(empty)")))
	}
	return nil
}

// prepareMaker asks what must be asked before a command of the maker's own, or "flashing",
// is sent.
func (a *app) prepareMaker(ctx context.Context, c *fastbootConn, word, rest string, yes bool) (act, error) {
	command := word + " " + rest
	if err := a.agree(ctx, c, command, yes); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		c.answering = true
		defer func() { c.answering = false }()
		r, err := c.Command(ctx, command)
		if err != nil {
			return err
		}
		if a.ui.json {
			return a.ui.resultJSON(map[string]any{"type": "answer", "text": r.Text, "info": append([]string{}, r.Info...)})
		}
		for _, line := range append(r.Info, r.Text) {
			if line = strings.TrimSpace(line); line != "" {
				a.ui.result("%s\n", printable(line))
			}
		}
		return a.done(word + ": OKAY")
	}, nil
}

// prepareLogical refuses a word of userspace fastboot on a phone that is not in it: a boot
// loader knows none of them.
func (a *app) prepareLogical(ctx context.Context, c *fastbootConn, word, command string, yes bool) (act, error) {
	userspace, err := c.variable(ctx, "is-userspace")
	if err != nil {
		return nil, err
	}
	if userspace != "yes" {
		return nil, &failure{exit: exitPolicy, code: "no-logical-partitions", what: word + " is for userspace fastboot on phones of 2019 and later, which have dynamic partitions; this phone is not in that mode, and nothing was sent",
			hints: []string{"leave it out: the partitions of this phone have fixed sizes"}}
	}
	return a.prepareCommand(ctx, c, command, word+": OKAY", yes)
}

// prepareCommand asks what must be asked before a command is sent; done is printed after it.
func (a *app) prepareCommand(ctx context.Context, c *fastbootConn, command, done string, yes bool) (act, error) {
	if err := a.agree(ctx, c, command, yes); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if _, err := c.Command(ctx, command); err != nil {
			return err
		}
		return a.done(done)
	}, nil
}

// agree asks the owner where the client does not send a command without a yes.
func (a *app) agree(ctx context.Context, c *fastbootConn, command string, yes bool) error {
	err := fastboot.Judge(command)
	var q *fastboot.Question
	if !errors.As(err, &q) {
		return err
	}
	if q.Hazard == fastboot.HazardUnlock {
		if err := a.confirmUnlock(ctx, yes); err != nil {
			return err
		}
	} else if !yes {
		if err := a.confirm(ctx, q.Command+": "+q.Why, "Send it?", "--yes sends it anyway"); err != nil {
			return err
		}
	}
	c.Agree(q)
	return nil
}

// saved makes a new file of what write gives; a half-written one does not stay.
func saved(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err != nil {
		_ = os.Remove(path) // the failure before it matters
	}
	return err
}
