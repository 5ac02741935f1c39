package fastboot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestGuard sends each command to a loader that takes everything. The witness is what the
// loader heard.
func TestGuard(t *testing.T) {
	const passes, asks, never = "passes", "asks", "never"
	client, l := open(t, nothing)
	for _, c := range []struct {
		command string
		want    string
		hazard  Hazard
	}{
		{"oem device-info", passes, ""},
		{"oem  Device-Info ", passes, ""},
		{"flashing get_unlock_ability", passes, ""},
		{"oem unlock 0x0123456789ABCDEF", asks, HazardUnlock},
		{"oem unlock\t0x0123456789ABCDEF", asks, HazardUnlock},
		{"oem\tunlock 0x0123456789ABCDEF", asks, HazardUnlock},
		{" oem unlock 0x0123456789ABCDEF", asks, HazardUnlock},
		{"oem   UNLOCK   0x0123456789ABCDEF", asks, HazardUnlock},
		{"oem unlock-go", asks, HazardUnlock},
		{"oem asus-unlock", asks, HazardUnlock},
		{"oem bootloader_unlock", asks, HazardUnlock},
		{"flashing unlock", asks, HazardUnlock},
		{"flashing unlock_critical", asks, HazardUnlock},
		{"oem lock", never, HazardLock},
		{"oem\tlock", never, HazardLock},
		{"oem relock 1", never, HazardLock},
		{"oem device-lock", never, HazardLock},
		{"flashing lock", never, HazardLock},
		{"flashing lock_critical", never, HazardLock},
		{"oem lock-state info", passes, ""},
		{"oem erase cache", asks, HazardErase},
		{"oem format", asks, HazardErase},
		{"oem factory-reset", asks, HazardErase},
		{"oem erase TA", never, HazardIdentity},
		{"oem format modemst1", never, HazardIdentity},
		{"oem write frp", never, HazardIdentity},
		{"oem flash-all", asks, HazardWrite},
		{"oem write_imei 1", asks, HazardWrite},
		{"oem block-info", asks, HazardUnknown},
		{"oem device-info unlock", asks, HazardUnlock},
		{"oem something", asks, HazardUnknown},
		{"dance", asks, HazardUnknown},
		{"bootx", asks, HazardUnknown},
		{"delete-logical-partition:system", asks, HazardErase},
		{"getvar:all", passes, ""},
		{"erase:cache", passes, ""},
		{"erase:TA", never, HazardIdentity},
		{"erase: ta", never, HazardIdentity},
		{"flash:modemst2", never, HazardIdentity},
		{"flash:persist_a", never, HazardIdentity},
		{"flash:FRP", never, HazardIdentity},
		{"flash:boot", passes, ""},
		{"reboot", passes, ""},
	} {
		client.agreed, l.heard = nil, nil
		_, err := client.Command(soon(t), c.command)
		var q *Question
		var no *Forbidden
		got, hazard := passes, Hazard("")
		switch {
		case errors.As(err, &q):
			got, hazard = asks, q.Hazard
		case errors.As(err, &no):
			got, hazard = never, no.Hazard
		case err != nil:
			t.Errorf("%q: %v", c.command, err)
		}
		if sent := slices.Contains(l.heard, c.command); got != c.want || hazard != c.hazard || sent != (got == passes) {
			t.Errorf("%q: %s (%s), sent: %t; want %s (%s)", c.command, got, hazard, sent, c.want, c.hazard)
		}
		if q == nil {
			continue
		}
		// The yes is for this command alone, however it is spelt.
		client.Agree(q)
		if _, err := client.Command(soon(t), c.command); err != nil || !slices.Contains(l.heard, c.command) {
			t.Errorf("%q after a yes: %v", c.command, err)
		}
		if _, err := client.Command(soon(t), "oem other"); !errors.As(err, &q) {
			t.Errorf("a yes to %q lets another command pass: %v", c.command, err)
		}
	}
}

// TestCodesMasked looks for an unlock code in everything that can be printed.
func TestCodesMasked(t *testing.T) {
	const code = "0123456789abcdef"
	for name, answer := range map[string][]string{
		"refused":        {"INFOcode 0x" + strings.ToUpper(code) + " is wrong", "FAILno: " + code},
		"odd":            {"DATA" + code},
		"not the answer": {"what " + code},
		"taken":          {"INFO" + code, "OKAY" + code},
	} {
		var told []string
		client, l := open(t, nothing)
		client.opt.Info = func(line string) { told = append(told, line) }
		l.answer = func(string) []string { return answer }
		command := "oem unlock 0x" + code
		var q *Question
		if err := client.guard(command); !errors.As(err, &q) {
			t.Fatal(err)
		}
		told = append(told, q.Error())
		client.Agree(q)
		r, err := client.Command(soon(t), command)
		if err != nil {
			told = append(told, err.Error())
		}
		told = append(told, r.Text)
		told = append(told, r.Info...)
		if text := strings.ToLower(strings.Join(told, "\n")); strings.Contains(text, code) || !strings.Contains(text, "xxxx") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if got := Masked("oem\tunlock 0x" + code); strings.Contains(got, code) {
		t.Error(got)
	}
	if got := Masked("download:00100000"); got != "download:00100000" {
		t.Error(got)
	}
}

// TestLongCommand: a loader that reads 64 bytes would take the rest of a longer command for
// the next one.
func TestLongCommand(t *testing.T) {
	for _, version := range []string{"0.4", "0.5", "1.0"} {
		l := &loader{t: t, answer: func(command string) []string {
			if command == "getvar:version" {
				return []string{"OKAY" + version}
			}
			return usual(command)
		}}
		client, err := Open(soon(t), l, Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.heard = nil
		smuggled := "oem device-info" + strings.Repeat(" ", 49) + "oem unlock 0x0123456789ABCDEF"
		for name, do := range map[string]func(context.Context) error{
			"smuggled": func(ctx context.Context) error { _, err := client.Command(ctx, smuggled); return err },
			"flash": func(ctx context.Context) error {
				return client.Flash(ctx, strings.Repeat("p", 60), strings.NewReader("data"), 4, 0)
			},
			"getvar": func(ctx context.Context) error { _, err := client.Getvar(ctx, strings.Repeat("v", 60)); return err },
		} {
			if err := do(soon(t)); !errors.Is(err, ErrCommandTooLong) || len(l.heard) > 0 {
				t.Errorf("%s to a loader of version %s: %v, heard %q", name, version, err, l.heard)
			}
		}
	}
}

// TestOddCommand: a blank that only looks like one, as in pasted text, must not split a word for
// the guard: such a command is wrong before anybody is asked.
func TestOddCommand(t *testing.T) {
	client, l := open(t, nothing)
	for _, command := range []string{"oem l\u00a0ock", "oem unlo\u200bck 0x0123456789ABCDEF", "oem \uff4cock", "oem lock\u2028", "flash:\u202eta", "oem device-info\n", "oem \x7f"} {
		l.heard = nil
		if err := Judge(command); !errors.Is(err, ErrCommand) {
			t.Errorf("%q: %v", command, err)
		}
		if _, err := client.Command(soon(t), command); !errors.Is(err, ErrCommand) || len(l.heard) > 0 {
			t.Errorf("%q: %v, heard %q", command, err, l.heard)
		}
	}
}

// agreeTo answers the questions of commands with yes.
func agreeTo(t *testing.T, c *Client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		var q *Question
		if err := Judge(command); !errors.As(err, &q) {
			t.Fatalf("%q: %v", command, err)
		}
		c.Agree(q)
	}
}
