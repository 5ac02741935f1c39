package restore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/usbproto/s1"
)

// TestNoFalseDone injects 100 faults at random packets of a whole restore. Whatever the
// phone does, a run that says Done has left a phone that has everything.
func TestNoFalseDone(t *testing.T) {
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, simphone.Options{})
	last, _ := packetsOf(t, b)
	faults := 100
	if testing.Short() {
		faults = 14
	}
	names := []string{"silence", "unplug", "short-read", "corrupt=header", "corrupt=data", "card", "refuse=0017/80090012"}
	rng := rand.New(rand.NewPCG(100, 2026))
	for i := range faults {
		text := fmt.Sprintf("%s@%d", names[i%len(names)], 1+rng.IntN(last))
		f, err := simphone.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		run := &bench{t: t, phone: newPhone(t, simphone.Options{Faults: []simphone.Fault{f}}), fw: b.fw, store: restore.Store{Dir: quickDir(t)}, opt: quick}
		if err := run.attempt(restore.Request{}, false, restore.RunOptions{}); err != nil {
			continue
		}
		run.restored(fw, written...)
		if got := run.unit(10100); !bytes.Equal(got, []byte{0}) {
			t.Errorf("%s: unit 10100 is %X", text, got)
		}
	}
}

// TestEverySignerIsOfferedFirst: a loader that was seen to recover gets one header for each
// signer and issuer before anything is written; a loader nobody has seen gets none.
func TestEverySignerIsOfferedFirst(t *testing.T) {
	b := newBench(t, simphone.Options{})
	hello := loaderHello(t, b)
	for version, offers := range map[string]bool{"MSM8974AB_22": true, "MSM8974AB_26": false} {
		p := &setPhone{hello: strings.Replace(hello, "MSM8974AB_26", version, 1), sets: [][]string{bootLabels}, labels: map[string]string{},
			inForce: map[string]string{}, alternate: map[string]string{},
			units: map[uint32][]byte{2210: []byte("D5803\x00"), 4900: []byte("SETS\x00"), 2207: []byte("1281-2190_S1_Boot_MSM8974AC_11\x00"), 10100: {0}}}
		p.powerCycle()
		var commands []s1.Command
		p.watch = func(c s1.Command) {
			if p.units[10100][0] == 0 && len(p.spans) == 0 {
				commands = append(commands, c)
			}
		}
		if err := p.restore(b.fw, restore.Store{Dir: quickDir(t)}, false); err != nil {
			t.Fatal(err)
		}
		count := 0
		for i, c := range commands {
			if c != s1.CmdHeader {
				continue
			}
			count++
			if i+2 >= len(commands) || !slices.Equal(commands[i:i+3], []s1.Command{s1.CmdHeader, s1.CmdInfo, s1.CmdError}) {
				t.Errorf("%s: header %d is not taken back: %v", version, count, commands)
			}
		}
		if (count >= 2) != offers || !offers && count > 0 {
			t.Errorf("%s: %d headers were offered", version, count)
		}
		if missing := p.complete(); len(missing) > 0 {
			t.Errorf("%s: %v", version, missing)
		}
	}
}
