package vmtest

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
)

// places is at how many places of a restore each fault is tried.
const places = 20

// A place is a moment of a conversation: when the host starts to send its packet with this
// number, or starts to wait for the answer to it. Packet 0 is the phone's greeting.
type place struct {
	packet int
	answer bool
}

// A follower knows at which place of the conversation each transfer is: it reads the packet
// headers in the stream to the phone (usbproto/s1/PROTOCOL.md §2.1).
type follower struct {
	packet  int    // number of the packet that the stream is in, or that was sent last
	left    int    // bytes of it that are still to come
	header  []byte // of a packet whose header is not complete
	command uint32
	more    bool // more packets of the same thing follow (§2.4)
}

const (
	headerSize  = 13
	trailerSize = 4
)

// at returns the place of a transfer, and reads on in the stream.
func (f *follower) at(t usbsim.Transfer) place {
	if t.In {
		return place{f.packet, true}
	}
	p := place{f.packet, false}
	if f.left == 0 && len(f.header) == 0 {
		p.packet++
	}
	for data := t.Data; len(data) > 0; {
		if f.left > 0 {
			n := min(f.left, len(data))
			f.left, data = f.left-n, data[n:]
			continue
		}
		n := min(headerSize-len(f.header), len(data))
		f.header, data = append(f.header, data[:n]...), data[n:]
		if len(f.header) == headerSize {
			f.packet++
			f.command, f.more = binary.BigEndian.Uint32(f.header), f.header[7]&4 != 0
			f.left = int(binary.BigEndian.Uint32(f.header[8:])) + trailerSize
			f.header = nil
		}
	}
	return p
}

// patienceAt is how long xflash may wait at a place: usbproto/s1/PROTOCOL.md §1.5, and one second
// more for the question for details.
func (f *follower) patienceAt(p place) time.Duration {
	switch {
	case p.packet == 0:
		return (3 + 5 + 1) * time.Second // then it asks
	case f.command == 6 && f.more:
		return (60 + 1) * time.Second
	case f.command == 5 || f.command == 6:
		return (600 + 1) * time.Second // too long for this test
	}
	return (5 + 1) * time.Second
}

// conversation is a whole restore without faults: every place in it, and the patience there.
func conversation(t *testing.T, b *bench) (found []place, patience map[place]time.Duration) {
	t.Helper()
	var f follower
	patience = map[place]time.Duration{}
	b.spoil()
	b.plug(usbsim.Watch{Before: func(t usbsim.Transfer) usbsim.Fault {
		p := f.at(t)
		if _, known := patience[p]; !known {
			found = append(found, p)
		}
		patience[p] = f.patienceAt(p)
		return usbsim.Pass
	}})
	b.xflash(nil, restoreWords(Small)...).want(t, 0)
	b.gone()
	b.restored(Small, wiped)
	if len(found) < 4*places {
		t.Fatalf("a restore has only %d places", len(found))
	}
	return found, patience
}

// choose takes places evenly from a conversation, but for its end: after the last answer
// nothing can break.
func choose(found []place) []place {
	var chosen []place
	last := len(found) - 3
	for i := range places {
		chosen = append(chosen, found[i*last/(places-1)])
	}
	return chosen
}

// A trigger does something at a place and at everything after it.
type trigger struct {
	place place
	fault usbsim.Fault
	hit   chan struct{} // closed when it starts

	follower follower
	begun    time.Time // after hit
}

func (g *trigger) before(t usbsim.Transfer) usbsim.Fault {
	if g.follower.at(t) == g.place && g.begun.IsZero() {
		g.begun = time.Now()
		close(g.hit)
	}
	if g.begun.IsZero() {
		return usbsim.Pass
	}
	return g.fault
}

// The cable goes, an endpoint halts, or the phone falls silent, at places all over a
// restore. The program must end in time, with the exit code of a broken connection, and
// --resume must complete what was started. With -short each place has one of the faults.
func TestFaults(t *testing.T) {
	b := newBench(t, simphone.Options{})
	found, patience := conversation(t, b)
	var short []place // where silence can be waited for
	for _, p := range found {
		if patience[p] < 600*time.Second {
			short = append(short, p)
		}
	}
	atWork := make(chan struct{}, runtime.NumCPU()) // who waits for the end of a silence is not
	for first, kind := range []struct {
		name   string
		fault  usbsim.Fault
		places []place
	}{
		{"silence", usbsim.Silence, choose(short)},
		{"unplug", usbsim.Unplug, choose(found)},
		{"stall", usbsim.Stall, choose(found)},
	} {
		for i, p := range kind.places {
			if testing.Short() && i%3 != first {
				continue
			}
			t.Run(fmt.Sprintf("%s packet %d answer %t", kind.name, p.packet, p.answer), func(t *testing.T) {
				t.Parallel()
				limit := time.Duration(0)
				if kind.fault == usbsim.Silence {
					limit = patience[p]
				}
				breakAndResume(t, &trigger{place: p, fault: kind.fault, hit: make(chan struct{})}, limit, atWork)
			})
		}
	}
}

func breakAndResume(t *testing.T, g *trigger, limit time.Duration, atWork chan struct{}) {
	atWork <- struct{}{}
	b := newBench(t, simphone.Options{})
	b.spoil()
	b.plug(usbsim.Watch{Before: g.before})
	ended := make(chan outcome)
	go func() { ended <- b.xflash(nil, restoreWords(Small)...) }()
	select {
	case <-g.hit:
	case o := <-ended:
		<-atWork
		t.Fatalf("the restore never came to this place; it ended with %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	<-atWork
	o := <-ended
	atWork <- struct{}{}
	defer func() { <-atWork }()
	o.want(t, 9)
	if took := o.ended.Sub(g.begun); took > limit+2*time.Second {
		t.Errorf("it took %v to end after the fault; the limit there is %v", took, limit)
	}
	if strings.Contains(o.stdout, "Done") {
		t.Errorf("it claims to be done:\n%s", o.stdout)
	}
	words := restoreWords(Small)
	if strings.Contains(o.stderr, "--resume") {
		words = append(words, "--resume")
	}
	// The owner switches the phone off and on again into flash mode.
	b.unplug()
	b.phone.FlashMode()
	b.plug(usbsim.Watch{})
	b.xflash(nil, words...).want(t, 0)
	b.gone()
	b.restored(Small, wiped)
}
