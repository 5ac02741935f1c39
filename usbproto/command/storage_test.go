package command_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"xflash/usbproto/command"
)

// descriptors makes those of a phone: each unit has the number, log2 of the block size and blocks (PROTOCOL.md §5.3).
func descriptors(units ...[3]uint64) []byte {
	raw := make([]byte, 0x40)
	raw[0], raw[6] = 0x40, byte(len(units))
	for _, u := range units {
		d := make([]byte, 0x23)
		d[0], d[1], d[2], d[3], d[10] = 0x23, 2, byte(u[0]), 1, byte(u[1])
		binary.BigEndian.PutUint64(d[11:], u[2])
		binary.BigEndian.PutUint64(d[24:], u[2]/2) // the physical count, which other programs take
		raw = append(raw, d...)
	}
	return raw
}

func TestUFS(t *testing.T) {
	xz2c := descriptors([3]uint64{0, 12, 15620096}, [3]uint64{1, 12, 1024}, [3]uint64{2, 12, 1024})
	if len(xz2c) != 169 {
		t.Fatalf("%d bytes", len(xz2c))
	}
	inSession(t, func(p *phone) {
		p.answer("Get-ufs-info", "DATA000000a9", string(xz2c), "OKAY")
		p.answer("Get-emmc-info", "FAILEmmc-info not supported")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		u, err := s.UFSInfo(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(u) != 3 || u[0].Size() != 62480384<<10 || u[1].Size() != 4096<<10 || u[2].Number != 2 {
			t.Errorf("%+v", u)
		}
		var r *command.Refusal
		if _, err := s.EMMCInfo(ctx); !errors.As(err, &r) {
			t.Errorf("got %v", err)
		}
	})
	// Above 32 bits of blocks, and of bytes.
	u, err := command.ParseUFS(descriptors([3]uint64{0, 12, 1 << 33}))
	if err != nil || u[0].Size() != 1<<45 {
		t.Errorf("%+v, %v", u, err)
	}
	for name, raw := range map[string][]byte{
		"empty":              nil,
		"short":              xz2c[:6],
		"cut in the device":  xz2c[:0x3f],
		"cut in a unit":      xz2c[:168],
		"a unit missing":     xz2c[:0x40+2*0x23],
		"a length of 0":      append(bytes.Clone(xz2c[:0x40]), make([]byte, 0x23*3)...),
		"a unit twice":       descriptors([3]uint64{0, 12, 5}, [3]uint64{0, 12, 5}),
		"too many bytes":     descriptors([3]uint64{0, 12, 1 << 62}),
		"a block of 2^200":   descriptors([3]uint64{0, 200, 1}),
		"device of 0 length": append([]byte{0}, xz2c[1:]...),
	} {
		if u, err := command.ParseUFS(raw); err == nil {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

func TestEMMC(t *testing.T) {
	raw := make([]byte, 512)
	binary.LittleEndian.PutUint32(raw[0xd4:], 244277248)
	inSession(t, func(p *phone) {
		p.answer("Get-ufs-info", "FAILUfs-info not supported")
		p.answer("Get-emmc-info", "DATA00000200", string(raw), "OKAY")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		kind, units, err := s.Storage(ctx)
		if err != nil || kind != "emmc" || len(units) != 1 || !units[0].Enabled || units[0].Size()/1024 != 122138624 {
			t.Errorf("%s, %+v, %v", kind, units, err)
		}
	})
	if e, _ := command.ParseEMMC(bytes.Repeat([]byte{0xff}, 512)); len(e) != 1 || e[0].Size() != 0xffffffff*512 {
		t.Errorf("%+v", e)
	}
	for _, n := range []int{0, 511, 513} {
		if _, err := command.ParseEMMC(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are a register", n)
		}
	}
}

func TestSlots(t *testing.T) {
	for name, c := range map[string]struct {
		count, current string
		want           command.Slots
	}{
		"2017":              {"FAILslot-count not supported", "FAILcurrent-slot not supported", command.Slots{}},
		"slot a":            {"OKAY2", "OKAYa", command.Slots{Count: 2, Current: "a"}},
		"slot b":            {"OKAY2", "OKAYb", command.Slots{Count: 2, Current: "b"}},
		"no current slot":   {"OKAY2", "OKAY", command.Slots{Count: 2}},
		"refused current":   {"OKAY2", "FAILsim: no", command.Slots{Count: 2}},
		"another slot":      {"OKAY2", "OKAY_a", command.Slots{Count: 2}},
		"a count of 0":      {"OKAY0", "OKAYa", command.Slots{Current: "a"}},
		"a count of nobody": {"OKAYtwo", "OKAY" + strings.Repeat("a", 100), command.Slots{}},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.answer("getvar:slot-count", c.count)
				p.answer("getvar:current-slot", c.current)
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				if got, err := s.Slots(ctx); got != c.want || err != nil {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		})
	}
}
