package simphone

import (
	"bytes"
	"slices"
	"testing"
)

// sendBoot sends the image of a boot partition and returns its content.
func sendBoot(t *testing.T, p *Phone, h *host, label string) []byte {
	t.Helper()
	data := pattern(3000, "\x7fELF new "+label)
	payload := mmcf(data, tagGPTP(guidOf(t, p, label)), tagADDR(0, uint64(len(data)), 0, data))
	h.sendSIN(sinFile{kind: 0x27, role: "S1_Boot", aid: 4, payload: payload}.build(t), 0x80000)
	return data
}

// wantBoot compares what the phone would start with what was sent, or with the old.
func wantBoot(t *testing.T, p *Phone, fresh bool, labels ...string) {
	t.Helper()
	for _, label := range labels {
		part, err := p.InForce(label)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.HasPrefix(part.start(), []byte("\x7fELF new "+label)); got != fresh {
			t.Errorf("%s is new: %v, want %v", label, got, fresh)
		}
	}
}

// usbproto/s1/PROTOCOL.md §13: in force when all six were
// written in one run, in any order, with repeats and other things in between.
func TestBootSetOfSix(t *testing.T) {
	p, h := openLoader(t, Options{})
	six := []string{"tz", "dbi", "sbl1", "rpm", "s1sbl", "aboot"}
	for _, label := range six[:5] {
		sendBoot(t, p, h, label)
	}
	wantBoot(t, p, false, six...)
	h.ok(9, 2)
	sendBoot(t, p, h, "tz")
	h.sendSIN(imageFor(t, p, "cache", pattern(100, "x")), 0x80000)
	h.ok(10)
	damaged := imageOf(t, mmcf(nil, tagGPTP(guidOf(t, p, "aboot"))))
	if got := h.trySIN(damaged, 1000); got == "" {
		t.Error("S1_SW wrote aboot")
	}
	wantBoot(t, p, false, six...)
	data := sendBoot(t, p, h, "aboot")
	wantBoot(t, p, true, six...)
	if !bytes.Equal(content(t, p, "aboot", 0, len(data)), data) || !bytes.Equal(content(t, p, "alt_aboot", 0, len(data)), data) {
		t.Error("aboot was not copied")
	}
	if got := p.PowerOn(); got.Mode != ModeAndroid {
		t.Error(got)
	}
}

// Five in one run and the sixth in the next: acknowledged, and never in force.
func TestBootSetOverTwoRuns(t *testing.T) {
	p, h := openLoader(t, Options{})
	for _, label := range chainShinano[:5] {
		sendBoot(t, p, h, label)
	}
	h = restart(t, p)
	sendBoot(t, p, h, chainShinano[5])
	wantBoot(t, p, false, chainShinano...)
	for _, label := range chainShinano[:5] {
		sendBoot(t, p, h, label)
	}
	wantBoot(t, p, true, chainShinano...)
}

// A power cut between the steps of the final copy: one whole set is in force.
func TestBootSetCutDuringTheCopy(t *testing.T) {
	p, h := openLoader(t, Options{})
	for _, label := range chainShinano[:5] {
		sendBoot(t, p, h, label)
	}
	if !p.disk.setTypes(p.kind.loader, chainShinano, true) {
		t.Fatal("types")
	}
	sbl1, err := p.Partition("sbl1")
	if err != nil {
		t.Fatal(err)
	}
	if err := sbl1.fill(0, 0, uint64(sbl1.Size())); err != nil {
		t.Fatal(err)
	}
	wantBoot(t, p, true, chainShinano[:5]...)
	p.disk.setTypes(p.kind.loader, chainShinano, false)
	if part, _ := p.InForce("sbl1"); !part.blank() {
		t.Error("the primary is in force again, and is not what InForce opens")
	}
}

// usbproto/s1/PROTOCOL.md §14.2: the sets of the other loaders; dbi of the older ones and sdi are
// written in place.
func TestBootSetsOfOtherLoaders(t *testing.T) {
	for name, test := range map[string]struct{ atOnce, set []string }{
		"z1":  {[]string{"dbi", "rpm"}, []string{"sbl1", "s1sbl", "aboot", "tz"}},
		"zr":  {[]string{"rpm"}, []string{"sbl1", "sbl2", "s1sbl2", "sbl3", "aboot", "tz"}},
		"z":   {[]string{"sbl1", "sbl2", "s1sbl2", "sbl3", "aboot", "tz", "rpm"}, nil},
		"m4":  {nil, []string{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp"}},
		"z5c": {[]string{"sdi"}, []string{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp", "pmic"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := openOther(t, name)
			for _, label := range test.atOnce {
				sendBoot(t, p, h, label)
				wantBoot(t, p, true, label)
			}
			for i, label := range test.set {
				wantBoot(t, p, false, test.set...)
				sendBoot(t, p, h, label)
				if i == 0 { // again, instead of the others
					sendBoot(t, p, h, label)
				}
			}
			wantBoot(t, p, true, slices.Concat(test.atOnce, test.set)...)
		})
	}
}

// openOther opens one of the phones and starts its own loader.
func openOther(t *testing.T, name string, faults ...Fault) (*Phone, *host) {
	t.Helper()
	p := openPhone(t, Options{Name: name, Faults: faults})
	h := connect(t, p)
	h.startLoader(otherLoader(t, p.kind))
	return p, h
}

func otherLoader(t *testing.T, k *phoneKind) []byte {
	t.Helper()
	payload := "\x7fELF" + k.loader.product + "\x00" + k.loader.version + "\x00"
	for _, tag := range k.loader.tags {
		payload += tag + "\x00"
	}
	return sinFile{kind: 0x20, role: "S1_Loader", aid: int64(k.loader.aid), payload: []byte(payload)}.build(t)
}
