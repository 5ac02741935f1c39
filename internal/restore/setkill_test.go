package restore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// setPhone is a phone reduced to what counts here, written from usbproto/s1/PROTOCOL.md
// §13, and §14.2: an image of a set goes to an alternate;
// a set comes into force with its last image, if all were written within one run of the
// loader; an image in no set is in force when its last packet is acknowledged, and its
// partition is erased before.
type setPhone struct {
	sets   [][]string
	labels map[string]string // partition by the SHA-256 of a file's header
	hello  string

	inForce   map[string]string // file by partition
	alternate map[string]string
	written   map[string]bool // in this run of the loader: in memory
	units     map[uint32][]byte

	packets int    // so far, of all connections
	dieAt   int    // the packet at which the host is killed; 0 never
	image   string // whose data are coming
	spans   []int  // first and last packet of boot images

	watch func(s1.Command) // hears each command, may be nil
}

func (p *setPhone) set(label string) []string {
	for _, s := range p.sets {
		if slices.Contains(s, label) {
			return s
		}
	}
	return nil
}

func (p *setPhone) powerCycle() { p.written, p.image = map[string]bool{}, "" }

// received follows the images; it is called by the sink for each packet.
func (p *setPhone) received(c s1.Command, more bool, data []byte) {
	if p.watch != nil {
		p.watch(c)
	}
	label := ""
	switch c {
	case s1.CmdHeader:
		sum := sha256.Sum256(data)
		p.image = hex.EncodeToString(sum[:])
		label = p.labels[p.image]
	case s1.CmdData:
		label = p.labels[p.image]
		if set := p.set(label); set == nil {
			p.inForce[label] = "" // erased
			if !more {
				p.inForce[label] = p.image
			}
		} else if !more {
			p.alternate[label], p.written[label] = p.image, true
			if !slices.ContainsFunc(set, func(l string) bool { return !p.written[l] }) {
				for _, l := range set {
					p.inForce[l] = p.alternate[l]
					delete(p.written, l)
				}
			}
		}
	}
	if slices.Contains(bootLabels, label) && c == s1.CmdData {
		p.spans = append(p.spans, p.packets)
	}
}

// plug is a new connection. The loader keeps running unless the power was cut.
func (p *setPhone) plug() *mortal {
	k := newSink()
	k.hello, k.units, k.received = p.hello, p.units, p.received
	k.out = nil
	k.say(s1.CmdInfo, []byte(k.hello))
	return &mortal{k, p}
}

// mortal is a host that is killed at a packet: before the phone has it, or after it was
// carried out and before the answer has come.
type mortal struct {
	*sink
	p *setPhone
}

func (m *mortal) Write(ctx context.Context, b []byte) (int, error) {
	if len(m.header) == 0 {
		m.p.packets++
	}
	if m.p.dieAt > 0 && m.p.dieAt == m.p.packets && m.p.packets%2 == 0 {
		return 0, &usbproto.TransferError{Op: "write", Device: "test", Err: usbproto.ErrGone}
	}
	return m.sink.Write(ctx, b)
}

func (m *mortal) Read(ctx context.Context, b []byte) (int, error) {
	if m.p.dieAt > 0 && m.p.dieAt == m.p.packets {
		return 0, &usbproto.TransferError{Op: "read", Device: "test", Err: usbproto.ErrGone}
	}
	return m.sink.Read(ctx, b)
}

// restore is one run, new or continued.
func (p *setPhone) restore(fw *restore.Firmware, store restore.Store, resume bool) error {
	ctx := context.Background()
	s, err := s1.Open(ctx, p.plug(), s1.Options{})
	if err != nil {
		return err
	}
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareRun(store, fw, facts, restore.Request{}, resume)
	if err != nil {
		return err
	}
	for _, step := range plan.Steps {
		if step.Kind == restore.StepImage && len(step.Partitions) > 0 {
			p.labels[step.HeaderSHA256] = step.Partitions[0]
		}
	}
	return restore.Run(ctx, s, plan, restore.RunOptions{Journal: journal})
}

// complete says what the phone lacks of the bundle.
func (p *setPhone) complete() (missing []string) {
	for header, label := range p.labels {
		if p.inForce[label] != header {
			missing = append(missing, label)
		}
	}
	if v := p.units[10100]; len(v) != 1 || v[0] != 0 {
		missing = append(missing, fmt.Sprintf("unit 10100 is %X", v))
	}
	return missing
}

// TestKilledInsideTheBootSet kills a restore at 100 random packets inside the boot set, on
// phones of three kinds, with the phone's power cut after it or not, and every second time
// the run that continues too. The new boot chain is in force then, whole.
func TestKilledInsideTheBootSet(t *testing.T) {
	t.Parallel()
	b := newBench(t, simphone.Options{})
	for name, sets := range map[string][][]string{
		"one of six":   {{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}},
		"four and rpm": {{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}},
		"none":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			hello := loaderHello(t, b)
			fresh := func() *setPhone {
				p := &setPhone{sets: sets, hello: hello, labels: map[string]string{}, inForce: map[string]string{}, alternate: map[string]string{},
					units: map[uint32][]byte{2210: []byte("D5803\x00"), 4900: []byte("SETS\x00"), 2207: []byte("1281-2190_S1_Boot_MSM8974AC_11\x00"), 10100: {0}}}
				p.powerCycle()
				return p
			}
			clean := fresh()
			if err := clean.restore(b.fw, restore.Store{Dir: quickDir(t)}, false); err != nil {
				t.Fatal(err)
			}
			if missing := clean.complete(); len(missing) > 0 {
				t.Fatalf("an undisturbed run leaves out %v", missing)
			}
			first, last := slices.Min(clean.spans)-1, slices.Max(clean.spans)+2 // header and closing included
			rng := rand.New(rand.NewPCG(11, 2026))
			kills := 100
			if testing.Short() {
				kills = 20
			}
			for i := range kills {
				p, store := fresh(), restore.Store{Dir: quickDir(t)}
				at := first + rng.IntN(last-first+1)
				p.dieAt = at
				resume := false
				for round := 0; ; round++ {
					err := p.restore(b.fw, store, resume)
					if err == nil {
						break
					}
					if !errors.Is(err, usbproto.ErrGone) || round > 2 {
						t.Fatalf("killed at packet %d, round %d: %v", at, round, err)
					}
					resume = true
					p.dieAt = 0
					if i%2 == 1 && round == 0 {
						p.dieAt = p.packets + 12 + rng.IntN(last-first+1)
					}
					if i%4 < 2 {
						p.powerCycle()
					}
				}
				if missing := p.complete(); len(missing) > 0 {
					t.Fatalf("run %d, killed at packet %d, Done without %v", i, at, missing)
				}
			}
		})
	}
}

// loaderHello is what the simulated phone says about itself, said by its loader.
func loaderHello(t *testing.T, b *bench) string {
	t.Helper()
	s, err := s1.Open(t.Context(), b.phone.Conn(), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var text strings.Builder
	for _, key := range s.Info().Keys() {
		value, _ := s.Info().Get(key)
		switch key {
		case "TYPE":
			value = "S1_LOADER"
		case "VER":
			value = "MSM8974AB_26"
		}
		fmt.Fprintf(&text, "%s=%q;", key, value)
	}
	return text.String() + "\x00"
}
