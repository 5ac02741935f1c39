package command_test

import (
	"bytes"
	"context"
	"testing"

	"xflash/usbproto/command"
)

// A whole session in the order of PROTOCOL.md §3.7, in both forms of the signature.
func TestSession(t *testing.T) {
	cms := pattern(0x53c)
	for name, form := range map[string]func(p *phone, cms []byte){
		"2017": func(p *phone, cms []byte) {
			p.answer("signature:0000053c", "DATA0000053c")
			p.take(len(cms))
			p.send("OKAY")
		},
		"2021": func(p *phone, cms []byte) {
			p.download(cms)
			p.answer("signature", "OKAY")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				if name == "2017" {
					p.answer("signature:00000000", "DATA00000000", "OKAY")
				} else {
					p.answer("signature:00000000", "FAILsim: unknown command")
				}
				p.download([]byte{1})
				p.answer("Write-TA:2:10100", "OKAY")
				form(p, cms)
				p.download(pattern(0x6000))
				p.answer("Repartition:0", "OKAY")
				form(p, cms)
				p.download(pattern(3 << 20))
				p.answer("erase:system_a", "OKAY")
				p.answer("flash:system_a", "OKAY")
				p.download(pattern(512))
				p.answer("flash:system_a", "OKAY")
				p.answer("set_active:a", "OKAY")
				p.download([]byte{0})
				p.answer("Write-TA:2:10100", "OKAY")
				p.answer("Sync", "OKAY")
				p.answer("powerdown", "OKAY")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				err := s.ProbeSignature(ctx)
				no(t, err)
				no(t, s.WriteTA(ctx, command.UnitUpdate, []byte{1}))
				no(t, s.Sign(ctx, cms))
				no(t, s.Download(ctx, bytes.NewReader(pattern(0x6000)), 0x6000, nil))
				no(t, s.Repartition(ctx, 0))
				no(t, s.Sign(ctx, cms))
				no(t, s.Download(ctx, bytes.NewReader(pattern(3<<20)), 3<<20, nil))
				no(t, s.Erase(ctx, "system_a"))
				no(t, s.Flash(ctx, "system_a"))
				no(t, s.Download(ctx, bytes.NewReader(pattern(512)), 512, nil))
				no(t, s.Flash(ctx, "system_a"))
				no(t, s.SetActiveA(ctx))
				no(t, s.WriteTA(ctx, command.UnitUpdate, []byte{0}))
				no(t, s.Sync(ctx))
				no(t, s.End(ctx))
			})
		})
	}
}
