package usbsim

import (
	"bytes"
	"testing"
	"time"

	"xflash/internal/simphone"
)

// On the bus a phone of 2017 or later is 0fce:b00b with the interface of fastboot, "Google
// Android" and without a serial number.
func TestFlash2017Descriptors(t *testing.T) {
	id := Flash2017()
	device := id.device()
	if want := []byte{0xce, 0x0f, 0x0b, 0xb0, 0x00, 0x01, 1, 2, 0, 1}; !bytes.Equal(device[8:], want) {
		t.Errorf("device % x", device)
	}
	c := id.configuration()
	if !bytes.Equal(c[9+4:9+8], []byte{2, 0xff, 0x42, 0x03}) || c[18+2] != 0x81 || c[25+2] != 0x01 {
		t.Errorf("configuration % x", c)
	}
	for index, want := range map[byte]string{1: "Google", 2: "Android"} {
		text, ok := id.text(index)
		if !ok || string(bytes.ReplaceAll(text[2:], []byte{0}, nil)) != want {
			t.Errorf("text %d: %q", index, text)
		}
	}
	if _, ok := id.text(3); ok {
		t.Error("it has a serial number")
	}
}

// The packets of such a phone: an answer ends a request, data of whole packets run into
// what follows, and a request that is exactly as long as data with a glued answer overflows.
func TestFlash2017Packets(t *testing.T) {
	ask := func(d *Device, command string, room int) (got []byte, s status) {
		for _, r := range []*request{{size: len(command), data: []byte(command)}, {size: room}} {
			e := d.out
			if r.data == nil {
				e = d.in
			}
			done := make(chan status, 1)
			r.done = func(s status, _ int) { done <- s }
			e.announce()
			e.submit(r)
			select {
			case s = <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("the request does not end")
			}
			got = r.data
		}
		return got, s
	}
	for _, c := range []struct {
		spec, first, command string
		room                 int
		want                 string
		status               status
	}{
		{"1", "", "getvar:product", 64, "OKAYJ9110", completed},
		{"1,storage=emmc", "DATA00000200", "Get-emmc-info", 4096, "", completed},
		{"1,fault=glued@*", "DATA00000007", "Read-TA:2:2171", 7, "c001526", overflowed},
	} {
		o, err := simphone.ParseSpec(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		p, err := simphone.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		d := New(Flash2017(), p.Conn(), Watch{})
		room := c.room
		if c.first != "" {
			room = 4096
		}
		got, s := ask(d, c.command, room)
		if c.first != "" {
			if string(got) != c.first {
				t.Errorf("%s: %q", c.command, got)
			}
			r := &request{size: c.room}
			done := make(chan status, 1)
			r.done = func(s status, _ int) { done <- s }
			d.in.announce()
			d.in.submit(r)
			s = <-done
			got = r.data
		}
		if s != c.status || c.want != "" && string(got) != c.want || c.want == "" && (len(got) != 516 || string(got[512:]) != "OKAY") {
			t.Errorf("%s: status %d, %q", c.command, s, got)
		}
		p.Unplug()
		select {
		case <-d.Done():
		case <-time.After(20 * time.Second):
			t.Error("it stays on the bus")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
