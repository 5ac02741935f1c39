package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"xflash/fastboot"
	"xflash/internal/bootcheck"
	"xflash/internal/explain"
	"xflash/internal/phone"
	"xflash/internal/simphone"
	"xflash/usbproto"
)

// fastbootConn is a phone in fastboot mode that a command talks to.
type fastbootConn struct {
	*fastboot.Client
	fastbootPhone
	ends []func() error
	// answering keeps the lines that come before OKAY off the screen: they are the answer,
	// and shown with it.
	answering bool
	// then looks at what became of the phone, when nothing is sent any more; nil for most acts.
	then act
}

// do does what was agreed to. A closed terminal does not cut what is sent, but ends what only
// looks afterwards.
func (c *fastbootConn) do(ctx context.Context, acts ...act) error {
	if err := c.send(ctx, acts); err != nil || c.then == nil {
		return err
	}
	return c.then(ctx)
}

func (c *fastbootConn) send(ctx context.Context, acts []act) error {
	defer writing(ctx)()
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// atEnd has something done when the session is over.
func (c *fastbootConn) atEnd(f func() error) { c.ends = append(c.ends, f) }

// fastbootPhone is what is at the other end.
type fastbootPhone struct {
	sim    *simphone.Phone // of a simulated phone, else nil
	aboot  *simphone.Aboot
	device usbproto.Device // of a phone on USB
}

func (c *fastbootConn) Close() error {
	err := c.Client.Close()
	for _, end := range c.ends {
		err = errors.Join(err, end())
	}
	if c.sim != nil {
		err = errors.Join(err, c.sim.Close())
	}
	return err
}

// fastbootMode opens the phone that --device names, in fastboot mode.
func (a *app) fastbootMode(ctx context.Context, opt fastboot.Options) (*fastbootConn, error) {
	conn, phone, err := a.fastbootPipe(ctx)
	if err != nil {
		return nil, err
	}
	if conn, err = a.traced(conn, usbproto.ModeFastboot); err != nil {
		return nil, err
	}
	c := &fastbootConn{fastbootPhone: phone}
	if info := opt.Info; info != nil {
		opt.Info = func(line string) {
			if !c.answering {
				info(line)
			}
		}
	}
	if c.Client, err = fastboot.Open(ctx, conn, opt); err != nil {
		err = errors.Join(err, conn.Close())
		if phone.sim != nil {
			err = errors.Join(err, phone.sim.Close())
		}
		return nil, err
	}
	return c, nil
}

// fastbootPipe opens the messages to and from the phone's loader.
func (a *app) fastbootPipe(ctx context.Context) (conn usbproto.Conn, p fastbootPhone, err error) {
	kind, rest := a.elsewhere()
	switch kind {
	case "sim":
		options, err := simphone.ParseSpec(rest)
		if err != nil {
			return nil, p, usageError{err}
		}
		if !options.InFastboot {
			return nil, p, &failure{exit: exitNoPhone, code: "other-mode", what: "the simulated phone is in flash mode",
				hints: []string{"write --device " + a.device + ",mode=fastboot"}}
		}
		if p.sim, err = a.simulated(rest); err != nil {
			return nil, p, err
		}
		p.aboot = p.sim.Fastboot()
		return p.aboot.Conn(), p, nil
	case "tcp":
		conn, err = fastboot.DialTCP(ctx, rest)
	case "udp":
		conn, err = fastboot.DialUDP(ctx, rest)
	case "replay":
		replay, err := a.replay(rest)
		if err != nil {
			return nil, p, err
		}
		return replay, p, nil
	case "bridge":
		return nil, p, usageError{fmt.Errorf("%s: is a pipe to a phone in flash mode; fastboot needs a phone on USB, a simulated phone, tcp:HOST or udp:HOST", a.device)}
	default:
		conn, p.device, err = a.usb(ctx, usbproto.ModeFastboot)
		return conn, p, err
	}
	if err != nil {
		return nil, p, &failure{exit: exitNoPhone, code: "no-phone", what: "no phone in fastboot mode answers at " + rest, text: wrap(err.Error(), a.ui.width(), "")}
	}
	return conn, p, nil
}

// variable is the value of a variable, "" of one that the loader does not have.
func (c *fastbootConn) variable(ctx context.Context, name string) (string, error) {
	v, err := c.Getvar(ctx, name)
	var refusal *fastboot.Refusal
	if errors.As(err, &refusal) {
		err = nil
	}
	return v, err
}

// facts asks the loader what matters for what may be sent to it.
func (c *fastbootConn) facts(ctx context.Context, model string) (bootcheck.Target, error) {
	values := map[string]string{}
	for _, name := range []string{"product", "version-bootloader", "secure", "unlocked"} {
		v, err := c.variable(ctx, name)
		if err != nil {
			return bootcheck.Target{}, err
		}
		values[name] = v
	}
	product := values["product"]
	if model != "" {
		product = model
	}
	target := targetOf(product)
	target.Loader = values["version-bootloader"]
	target.Locked = values["unlocked"] == "no" || values["unlocked"] == "" && values["secure"] == "yes"
	limit, told, err := c.MaxDownload(ctx)
	if told {
		target.MaxDownload = limit
	}
	return target, err
}

// targetOf finds a phone by its model code or by the name that its loader gives itself.
func targetOf(name string) bootcheck.Target {
	if t, ok := bootcheck.TargetFor(name); ok {
		return t
	}
	for _, f := range phone.Families() {
		for _, m := range f.Models {
			if name != "" && (strings.EqualFold(m.CodeName, name) || strings.EqualFold(m.LinuxName, name)) {
				return bootcheck.Target{Family: f, Model: m}
			}
		}
	}
	return bootcheck.Target{}
}

// forbiddenHints say what to do instead of a command that is never sent.
var forbiddenHints = map[fastboot.Hazard][]string{
	fastboot.HazardLock: {`"xflash restore FILE.ftf" puts Sony's own system back, on an unlocked phone too`},
}

// loaderRefused is a FAIL to a command in either protocol that has one, explained as "xflash
// explain" explains it.
func loaderRefused(what, text, command string) *failure {
	e := explain.BootLoader(text, command)
	return &failure{exit: exitRefused, code: "refused", what: what, text: wrap(e.Sentence(), 80, ""), hints: e.Next}
}

// fastbootFailure makes words of what went wrong in fastboot.
func fastbootFailure(err error) *failure {
	var refusal *fastboot.Refusal
	var odd *fastboot.ProtocolError
	var unmet *fastboot.Unmet
	var forbidden *fastboot.Forbidden
	var question *fastboot.Question
	switch {
	case errors.As(err, &unmet):
		return &failure{exit: exitPolicy, code: "wrong-phone", what: unmet.Error() + "; nothing was written", hints: []string{"get the update for this phone"}}
	case errors.As(err, &forbidden):
		return &failure{exit: exitPolicy, code: "forbidden", what: forbidden.Error(), hints: forbiddenHints[forbidden.Hazard]}
	case errors.As(err, &question):
		return &failure{exit: exitPolicy, code: "not-confirmed", what: question.Error(), hints: []string{"--yes agrees for you"}}
	case errors.As(err, &refusal):
		return loaderRefused(refusal.Error(), refusal.Text, refusal.Command)
	case errors.As(err, &odd):
		return &failure{exit: exitUnknown, code: "protocol", what: odd.Error(),
			hints: []string{"unplug the phone, start fastboot mode again (off, hold Volume Up, plug in), and repeat the command"}}
	case errors.Is(err, fastboot.ErrCommand):
		return &failure{exit: exitUsage, code: "usage", what: err.Error(), hints: []string{"type the command instead of pasting it: a pasted one may hold blanks or quotation marks that only look right"}}
	case errors.Is(err, fastboot.ErrTooLarge), errors.Is(err, fastboot.ErrCommandTooLong):
		return &failure{exit: exitPolicy, code: "too-large", what: err.Error()}
	}
	var broken *fastboot.TransferError
	if errors.As(err, &broken) {
		f := &failure{exit: exitBroken, code: "broken", what: "the connection broke: " + broken.Error(),
			hints: []string{"unplug the phone, start fastboot mode again (off, hold Volume Up, plug in), and repeat the command"}}
		switch {
		case errors.Is(err, context.Canceled):
			f.exit, f.code, f.what = exitInterrupted, "stopped", "stopped at once during "+broken.Command
		case errors.Is(err, usbproto.ErrTimeout):
			f.what = "the phone does not answer: " + broken.Error()
		}
		return f
	}
	return nil
}
