package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"xflash/usbproto/command"
)

// Units of PROTOCOL.md §5.6 that a restore writes. Listed here again: a slip in the list must not pass.
var allowed = []uint32{10100, 10021, 2127, 2301, 2212, 2311, 2316, 2330, 2404, 2473, 2486, 2553, 2590, 2171, 2550}

// No other unit is written, whatever its number: nothing is sent.
func TestNoOtherUnitIsWritten(t *testing.T) {
	inSession(t, func(*phone) {}, func(ctx context.Context, t *testing.T, s *command.Session) {
		var edge []uint32
		for n := uint32(0x10000); n != 0; n <<= 1 {
			edge = append(edge, n-1, n, n+1)
		}
		for n := range uint32(70000) {
			edge = append(edge, n)
		}
		refused := 0
		for _, n := range append(edge, 0xffffffff) {
			if slices.Contains(allowed, n) {
				continue
			}
			var f *command.Forbidden
			if err := s.WriteTA(ctx, n, []byte{1}); !errors.As(err, &f) || f.What != fmt.Sprintf("unit %d", n) {
				t.Fatalf("unit %d: %v", n, err)
			}
			refused++
		}
		if refused < 70000-len(allowed) {
			t.Errorf("only %d units were tried", refused)
		}
	})
}

// The units that are the phone's identity are refused for that reason.
func TestIdentityUnits(t *testing.T) {
	for _, n := range []uint32{2003, 2010, 2129, 2210, 2226, 2560, 2564, 2568, 4899, 4900, 4909, 4952, 4970, 66667, 66668, 66671, 66673} {
		words(t, command.CheckUnit(n, nil), "of this one phone")
	}
	for _, n := range []uint32{2493, 4959, 2170, 1, 10026} {
		if command.CheckUnit(n, nil) == nil {
			t.Errorf("unit %d would be written", n)
		}
	}
	for _, n := range allowed {
		if err := command.CheckUnit(n, []byte{0}); err != nil {
			t.Errorf("unit %d: %v", n, err)
		}
	}
}

func TestContentsOfUnits(t *testing.T) {
	for _, c := range []struct {
		unit uint32
		data []byte
		ok   bool
	}{
		{10100, []byte{0}, true}, {10100, []byte{1}, true},
		{10100, []byte{2}, false}, {10100, nil, false}, {10100, []byte{1, 0}, false},
		{2171, []byte("c001526"), true}, {2171, []byte("c001526\x00"), true},
		{2171, []byte("c0015\x01"), false}, {2171, []byte("c0015\xc3\xa4"), false}, {2171, bytes.Repeat([]byte("c"), 33), false},
		{2486, nil, true}, {2127, pattern(0x69), true},
	} {
		if err := command.CheckUnit(c.unit, c.data); (err == nil) != c.ok {
			t.Errorf("unit %d with %x: %v", c.unit, c.data, err)
		}
	}
}

// Partitions of PROTOCOL.md §5.6, and what is not one of them, by any name and spelling.
func TestPartitions(t *testing.T) {
	yes := strings.Fields(`boot vendor_boot init_boot recovery FOTAKernel dtbo vbmeta vbmeta_system super system vendor oem modem bluetooth
		dsp rdimage cache appslog diag ssd Qnovo featenabler pvmfw LTALabel mdtp mdtpsecapp misc bootloader userdata metadata modemst1
		modemst2 fsg fsmetadata mdm1m9kefs1 mdm1m9kefs2 mdm1m9kefs3 spunvm cdt boot_a bootloader_a system_a system_b oem_a oem_b`)
	for _, p := range yes {
		if err := command.CheckPartition(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	no := []string{"TA", "ta", "TA_a", "persist", "persist_a", "persist_b", "Persist", "PERSIST", "persistent", "frp", "config", "devinfo", "keystore",
		"keymaster", "xbl", "abl", "tz", "partition", "boot_b", "bootloader_b", "super_b", "vbmeta_b", "vendor_b", "userdata_b", "system_c", "_a", "_b", "",
		"boot:persist", "boot\npersist", "boot persist", "böot", "boot\x00", "../persist", "Boot", "boot_a_a", "mdm1m9kefs4", strings.Repeat("x", 37)}
	for _, p := range no {
		var f *command.Forbidden
		if err := command.CheckPartition(p); !errors.As(err, &f) {
			t.Errorf("%q: %v", p, err)
		}
	}
	words(t, command.CheckPartition("persist"), "of this one phone")
	words(t, command.CheckPartition("boot_b"), "slot a")
	inSession(t, func(*phone) {}, func(ctx context.Context, t *testing.T, s *command.Session) {
		var f *command.Forbidden
		for _, p := range no {
			if err := s.Erase(ctx, p); !errors.As(err, &f) {
				t.Errorf("erase %q: %v", p, err)
			}
			if err := s.Flash(ctx, p); !errors.As(err, &f) {
				t.Errorf("flash %q: %v", p, err)
			}
		}
	})
}

// Names that could crash a boot loader, or become another command, do not leave.
func TestNames(t *testing.T) {
	inSession(t, func(p *phone) {
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		for _, name := range []string{"", strings.Repeat("x", 37), "a:b", "a b", "a\x00", "ä", "a-b"} {
			if _, err := s.ReadPartition(ctx, name, nil, 1); !errors.Is(err, command.ErrState) {
				t.Errorf("read %q: %v", name, err)
			}
		}
		for _, name := range []string{"", "a b", "a\x00", "a\n", "ä", strings.Repeat("x", 58)} {
			if _, err := s.Var(ctx, name); !errors.Is(err, command.ErrState) {
				t.Errorf("getvar %q: %v", name, err)
			}
		}
		for _, lun := range []int{-1, 8, 1 << 20} {
			if err := s.Repartition(ctx, lun); !errors.Is(err, command.ErrState) {
				t.Errorf("LUN %d: %v", lun, err)
			}
		}
		for _, partition := range []int{0, 3, -1} {
			if _, err := s.ReadTA(ctx, partition, 1); !errors.Is(err, command.ErrState) {
				t.Errorf("partition %d: %v", partition, err)
			}
			if _, err := s.ReadAllTA(ctx, partition); !errors.Is(err, command.ErrState) {
				t.Errorf("partition %d: %v", partition, err)
			}
		}
	})
}

// The order of commands that would harm a phone is refused here: other programs erase after a refused signature, flash a
// chunk twice, and use one signature for another partition.
func TestOrder(t *testing.T) {
	cms, chunk := pattern(30), pattern(10)
	load := func(ctx context.Context, t *testing.T, s *command.Session) {
		no(t, s.Download(ctx, bytes.NewReader(chunk), int64(len(chunk)), nil))
	}
	state := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, command.ErrState) {
			t.Errorf("got %v", err)
		}
	}
	probe := func(p *phone) { p.answer("signature:00000000", "FAILsim: unknown") }
	t.Run("a refused signature erases nothing", func(t *testing.T) {
		inSession(t, func(p *phone) {
			probe(p)
			p.download(cms)
			p.answer("signature", "FAILFailed to verify cms")
			p.download(chunk)
			p.download([]byte{0})
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			var r *command.Refusal
			if err := s.Sign(ctx, cms); !errors.As(err, &r) || r.Command != "signature" {
				t.Errorf("got %v", err)
			}
			load(ctx, t, s)
			state(t, s.Erase(ctx, "super"))
			state(t, s.Flash(ctx, "super"))
			state(t, s.Repartition(ctx, 0))
			// The flag stays as it is, and the phone is not sent away.
			err := s.WriteTA(ctx, command.UnitUpdate, []byte{0})
			state(t, err)
			words(t, err, "Failed to verify cms")
			no(t, s.Download(ctx, bytes.NewReader([]byte{0}), 1, nil))
		})
	})
	t.Run("the second signature replaces the first", func(t *testing.T) {
		inSession(t, func(p *phone) {
			probe(p)
			p.download(cms)
			p.answer("signature", "OKAY")
			p.download(cms)
			p.answer("signature", "FAILFailed to verify cms")
			p.download(chunk)
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			no(t, s.Sign(ctx, cms))
			if s.Sign(ctx, cms) == nil {
				t.Error("accepted")
			}
			load(ctx, t, s)
			state(t, s.Erase(ctx, "super"))
		})
	})
	t.Run("one of each", func(t *testing.T) {
		inSession(t, func(p *phone) {
			probe(p)
			p.download(cms)
			p.answer("signature", "OKAY")
			p.download(chunk)
			p.answer("erase:boot_a", "OKAY")
			p.answer("flash:boot_a", "OKAY")
			p.download(chunk)
			p.answer("flash:boot_a", "OKAY")
			p.download(chunk)
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			no(t, s.Sign(ctx, cms))
			state(t, s.Erase(ctx, "boot_a")) // no chunk yet
			state(t, s.Flash(ctx, "boot_a"))
			load(ctx, t, s)
			state(t, s.Flash(ctx, "boot_a")) // not erased
			no(t, s.Erase(ctx, "boot_a"))
			state(t, s.Erase(ctx, "boot_a"))
			state(t, s.Flash(ctx, "vbmeta_a")) // another partition than was erased
			state(t, s.Repartition(ctx, 0))
			no(t, s.Flash(ctx, "boot_a"))
			state(t, s.Flash(ctx, "boot_a")) // the same chunk again
			load(ctx, t, s)
			no(t, s.Flash(ctx, "boot_a"))
			load(ctx, t, s)
			state(t, s.Erase(ctx, "boot_a")) // again under the same signature
		})
	})
	t.Run("a table needs its own signature", func(t *testing.T) {
		inSession(t, func(p *phone) {
			probe(p)
			p.download(cms)
			p.answer("signature", "OKAY")
			p.download(chunk)
			p.answer("Repartition:0", "OKAY")
			p.download(chunk)
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			no(t, s.Sign(ctx, cms))
			state(t, s.Repartition(ctx, 0))
			load(ctx, t, s)
			no(t, s.Repartition(ctx, 0))
			load(ctx, t, s)
			state(t, s.Repartition(ctx, 1))
			state(t, s.Erase(ctx, "boot_a"))
		})
	})
	t.Run("a unit uses the download up", func(t *testing.T) {
		inSession(t, func(p *phone) {
			probe(p)
			p.download(cms)
			p.answer("signature", "OKAY")
			p.download(chunk)
			p.download(nil)
			p.answer("Write-TA:2:2486", "OKAY")
		}, func(ctx context.Context, t *testing.T, s *command.Session) {
			no(t, s.Sign(ctx, cms))
			load(ctx, t, s)
			no(t, s.WriteTA(ctx, 2486, nil))
			state(t, s.Erase(ctx, "boot_a"))
		})
	})
}

// After any step that failed the update cannot be ended, and the phone is not sent away while the flag is set.
func TestNoEndAfterAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*phone)
		do     func(ctx context.Context, s *command.Session) error
	}{
		"set_active": {func(p *phone) { p.answer("set_active:a", "FAILsim: no") }, func(ctx context.Context, s *command.Session) error { return s.SetActiveA(ctx) }},
		"Sync":       {func(p *phone) { p.answer("Sync", "FAILsim: no") }, func(ctx context.Context, s *command.Session) error { return s.Sync(ctx) }},
		"download": {func(p *phone) { p.answer("download:00000001", "FAILsim: no") }, func(ctx context.Context, s *command.Session) error {
			return s.Download(ctx, bytes.NewReader([]byte{1}), 1, nil)
		}},
		"after the data": {func(p *phone) {
			p.answer("download:00000001", "DATA00000001")
			p.take(1)
			p.send("FAILsim: no")
		}, func(ctx context.Context, s *command.Session) error {
			return s.Download(ctx, bytes.NewReader([]byte{1}), 1, nil)
		}},
		"a unit": {func(p *phone) {
			p.download([]byte{0})
			p.answer("Write-TA:2:2330", "FAILsim: no")
		}, func(ctx context.Context, s *command.Session) error { return s.WriteTA(ctx, 2330, []byte{0}) }},
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, func(p *phone) {
				p.download([]byte{1})
				p.answer("Write-TA:2:10100", "OKAY")
				c.script(p)
				p.answer("Getlog", "DATA00000002", "no", "OKAY")
			}, func(ctx context.Context, t *testing.T, s *command.Session) {
				no(t, s.WriteTA(ctx, command.UnitUpdate, []byte{1}))
				var r *command.Refusal
				if err := c.do(ctx, s); !errors.As(err, &r) || r.Text != "sim: no" {
					t.Errorf("got %v", err)
				}
				if err := s.WriteTA(ctx, command.UnitUpdate, []byte{0}); !errors.Is(err, command.ErrState) {
					t.Errorf("the flag is cleared: %v", err)
				}
				if err := s.End(ctx); !errors.Is(err, command.ErrState) {
					t.Errorf("the phone is sent away: %v", err)
				}
				log, err := s.BootLog(ctx)
				if string(log) != "no" || err != nil {
					t.Errorf("%q, %v", log, err)
				}
			})
		})
	}
	// A variable or a unit that the phone does not have is not a failure.
	inSession(t, func(p *phone) {
		p.answer("getvar:Battery", "FAILBattery not supported")
		p.answer("Read-TA:2:10021", "FAILUnable to read TA unit 10021, error=-22")
		p.answer("signature:00000000", "FAILsim: unknown")
		p.answer("Read-partition:fsg", "FAILsim: no")
		p.download([]byte{0})
		p.answer("Write-TA:2:10100", "OKAY")
		p.answer("powerdown", "OKAY")
	}, func(ctx context.Context, t *testing.T, s *command.Session) {
		var r *command.Refusal
		if _, err := s.Var(ctx, "Battery"); !errors.As(err, &r) || !r.Unsupported() || r.NoUnit() {
			t.Errorf("got %v", err)
		}
		if _, err := s.ReadTA(ctx, 2, 10021); !errors.As(err, &r) || !r.NoUnit() || r.Unsupported() {
			t.Errorf("got %v", err)
		}
		no(t, s.ProbeSignature(ctx))
		if _, err := s.ReadPartition(ctx, "fsg", &bytes.Buffer{}, 1); !errors.As(err, &r) {
			t.Errorf("got %v", err)
		}
		no(t, s.WriteTA(ctx, command.UnitUpdate, []byte{0}))
		no(t, s.End(ctx))
	})
}
