package fastboot

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"xflash/usbproto"
)

// DefaultDownload is the limit that is assumed of a loader that does not tell its own,
// bytes: boot images of S1 phones fit into it (PROTOCOL.md §5).
const DefaultDownload = 32 << 20

// Variable is a variable of the loader and its value.
type Variable struct{ Name, Value string }

// Getvar asks for a variable. Loaders answer an unknown one with an empty value or with
// FAIL; the latter is a *Refusal.
func (c *Client) Getvar(ctx context.Context, name string) (string, error) {
	r, err := c.Command(ctx, "getvar:"+name)
	return strings.TrimRight(r.Text, "\x00 \r\n"), err
}

// variable is Getvar for what a loader need not know.
func (c *Client) variable(ctx context.Context, name string) (string, error) {
	v, err := c.Getvar(ctx, name)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return "", nil
	}
	return v, err
}

// Variables asks for all variables. A loader that does not know "all" gives none.
func (c *Client) Variables(ctx context.Context) ([]Variable, error) {
	r, err := c.Command(ctx, "getvar:all")
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Variable
	for _, line := range r.Info {
		// Names may hold colons themselves, as in "partition-size:system: 0x9f400000".
		i := strings.LastIndexByte(line, ':')
		if i < 0 {
			continue
		}
		all = append(all, Variable{strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])})
	}
	return all, nil
}

// MaxDownload is how many bytes the loader accepts in one download. told is false when it
// did not say, and DefaultDownload is assumed.
func (c *Client) MaxDownload(ctx context.Context) (limit int64, told bool, err error) {
	text, err := c.variable(ctx, "max-download-size")
	if err != nil {
		return 0, false, err
	}
	if n, ok := parseSize(text); ok && n > 0 {
		return n, true, nil
	}
	return DefaultDownload, false, nil
}

// parseSize reads a number as loaders write it: 0x and hexadecimal, or decimal; without
// 0x, hexadecimal when it has letters.
func parseSize(text string) (int64, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		n, err := strconv.ParseInt(hex, 16, 64)
		return n, err == nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, n >= 0
	}
	n, err := strconv.ParseInt(text, 16, 64)
	return n, err == nil && n >= 0
}

// PartitionSize is the size of a partition in bytes, 0 when the loader does not tell.
func (c *Client) PartitionSize(ctx context.Context, partition string) (int64, error) {
	text, err := c.variable(ctx, "partition-size:"+partition)
	n, _ := parseSize(text)
	return n, err
}

// HasSlots tells whether a partition exists twice, as "boot_a" and "boot_b".
func (c *Client) HasSlots(ctx context.Context, partition string) (bool, error) {
	text, err := c.variable(ctx, "has-slot:"+partition)
	return text == "yes", err
}

// CurrentSlot is the slot that the phone starts from, "a" or "b", empty without slots.
func (c *Client) CurrentSlot(ctx context.Context) (string, error) {
	text, err := c.variable(ctx, "current-slot")
	return strings.TrimPrefix(text, "_"), err
}

// Erase erases a partition.
func (c *Client) Erase(ctx context.Context, partition string) error {
	_, err := c.commandWithin(ctx, "erase:"+partition, workTime)
	return err
}

// SetActive makes a slot the one that the phone starts from.
func (c *Client) SetActive(ctx context.Context, slot string) error {
	_, err := c.Command(ctx, "set_active:"+slot)
	return err
}

// Continue lets the phone start its system.
func (c *Client) Continue(ctx context.Context) error { return c.leave(ctx, "continue") }

// Reboot starts the phone again; target is empty, "bootloader", "recovery" or "fastboot".
func (c *Client) Reboot(ctx context.Context, target string) error {
	command := "reboot"
	if target != "" {
		command += "-" + target
	}
	return c.leave(ctx, command)
}

// leave sends a command after which the phone is gone. A phone that leaves so fast that
// its OKAY is lost has done what it was told (docs/contributing.md §5 row 24).
func (c *Client) leave(ctx context.Context, command string) error {
	if err := c.send(ctx, command); err != nil {
		return err
	}
	_, _, err := c.answer(ctx, command, answerTime)
	if errors.Is(err, usbproto.ErrGone) {
		c.log("the phone left before its answer came")
		return nil
	}
	return err
}
