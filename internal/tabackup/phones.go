package tabackup

import (
	"cmp"
	"context"
	"errors"

	"xflash/internal/text"
	"xflash/usbproto/command"
	"xflash/usbproto/s1"
)

// noReason stands for a refusal without words.
const noReason = "it gives no reason"

const missingS1 = "the DRM keys and the lock state (units from 0x10000 on), which flash mode does not show. " +
	"This backup does not replace a dump of the partition made before the boot loader was unlocked."

// Take reads a phone of 2010 to 2016 through a session whose loader runs.
func Take(ctx context.Context, s *s1.Session, progress func(doing string)) (*Backup, error) {
	b := &Backup{Hello: map[string]string{}, Missing: missingS1}
	for _, key := range s.Info().Keys() {
		value, _ := s.Info().Get(key)
		if s1.Secret(key) {
			value = text.Mask(value)
		}
		b.Hello[key] = value
	}
	return b.take(ctx, s1Phone{s}, progress)
}

type s1Phone struct{ *s1.Session }

func (s1Phone) refused(err error) string {
	var r *s1.Refusal
	if !errors.As(err, &r) || r.Fatal() {
		return ""
	}
	return cmp.Or(r.Raw, noReason)
}

const missingCommand = "the device key, which flash mode shows only to Sony's service tools. " +
	"This backup does not replace a dump of the partition made before the boot loader was unlocked."

// greeting are the variables that say which phone it is, and in which state.
var greeting = []string{"product", "version-bootloader", "Loader-version", "version-baseband", "serialno", "Phone-id", "Device-id", "Platform-id",
	"secure", "Rooting-status", "Default-security", "Keystore-counter", "S1-root", "Sake-root", "Security-state"}

// TakeCommand reads a phone of 2017 or later.
func TakeCommand(ctx context.Context, s *command.Session, progress func(doing string)) (*Backup, error) {
	b := &Backup{Hello: map[string]string{}, Missing: missingCommand}
	for _, name := range greeting {
		value, err := s.Var(ctx, name)
		if (commandPhone{}).refused(err) != "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if command.Secret(name) {
			value = text.Mask(value)
		}
		b.Hello[name] = value
	}
	return b.take(ctx, &commandPhone{Session: s}, progress)
}

// commandPhone needs no partition to be opened: each command names it.
type commandPhone struct {
	*command.Session
	partition int
}

func (p *commandPhone) OpenTA(_ context.Context, partition int) error {
	p.partition = partition
	return nil
}
func (*commandPhone) CloseTA(context.Context) error { return nil }
func (p *commandPhone) ReadAll(ctx context.Context) ([]byte, error) {
	return p.ReadAllTA(ctx, p.partition)
}
func (p *commandPhone) ReadUnit(ctx context.Context, number uint32) ([]byte, error) {
	return p.ReadTA(ctx, p.partition, number)
}

func (commandPhone) refused(err error) string {
	var r *command.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	return cmp.Or(r.Text, noReason)
}
