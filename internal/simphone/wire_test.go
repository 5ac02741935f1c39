package simphone

import (
	"bytes"
	"testing"
)

// The vectors of usbproto/s1/PROTOCOL.md §2.6, as they are there, sent to a phone and
// compared with what it sends. Where a reply depends on the phone, the phone is
// made to fit.
func TestVectorsOfTheReference(t *testing.T) {
	const (
		ackOpen  = "00000009 00000001 00000000 0F 00000000"
		ackClose = "0000000A 00000001 00000000 12 00000000"
	)
	p := openPhone(t, Options{})
	for _, test := range []struct {
		name    string
		prepare func(p *Phone, h *host)
		send    string
		want    string
		loader  bool
	}{
		{name: "open TA 2", send: "00000009 00000003 00000001 12 02 EE0E612C", want: ackOpen},
		{name: "open TA 1", send: "00000009 00000003 00000001 12 01 77073096", want: ackOpen},
		{name: "read TA 2210", prepare: openTA2,
			send: "0000000C 00000003 00000004 12 000008A2 F00148CC",
			want: "0000000C 00000001 00000006 12 443538303300 18972F62"},
		{name: "read TA 2210 of an X10", prepare: func(p *Phone, h *host) { setUnit(h.t, p, 2210, "X10a\x00"); openTA2(p, h) },
			send: "0000000C 00000003 00000004 12 000008A2 F00148CC",
			want: "0000000C 00000001 00000005 0F 5831306100 1879A4B8"},
		{name: "read absent TA 4900", prepare: func(p *Phone, h *host) { setUnit(h.t, p, 4900, ""); openTA2(p, h) },
			send: "0000000C 00000003 00000004 12 00001324 5DECA543",
			want: "0000000C 00000000 00000000 13 00000000"},
		{name: "write 10100=01", prepare: openTA2, loader: true,
			send: "0000000D 00000003 00000009 0E 00002774 00000001 01 F4B54912",
			want: "0000000D 00000001 00000000 13 00000000"},
		{name: "write 10100=00", prepare: openTA2, loader: true,
			send: "0000000D 00000003 00000009 0E 00002774 00000001 00 83B27984",
			want: "0000000D 00000001 00000000 13 00000000"},
		{name: "close TA", prepare: openTA2, send: "0000000A 00000003 00000000 10 00000000", want: ackClose},
		{name: "set config ..01", loader: true,
			send: "00000019 00000003 00000006 23 000100000001 4A671926",
			want: "00000019 00000001 00000000 1F 00000000"},
		{name: "end session (01)", send: "00000004 00000003 00000001 0D 01 77073096",
			want: "00000004 00000001 00000000 0C 00000000"},
		{name: "end session (none)", send: "00000004 00000003 00000000 0E 00000000",
			want: "00000004 00000001 00000000 0C 00000000"},
		{name: "get error, none", send: "00000007 00000003 00000000 0B 00000000",
			want: "00000007 00000001 00000034 39" +
				hexOf(`ERR_SEVERITY="NONE";ERR_CODE="0000";ERR_DYNAMIC="";`) + "00 A2BEE792"},
		{name: "get error, after a refused read", prepare: func(p *Phone, h *host) {
			openTA2(p, h)
			h.ask(12, 3, []byte{0, 0, 0, 1})
		},
			send: "00000007 00000003 00000000 0B 00000000",
			want: "00000007 00000001 0000003D 42" +
				hexOf(`ERR_SEVERITY="MINOR";ERR_CODE="0025";ERR_DYNAMIC="00000000";`) + "00 B5AD74FC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			setUnit(t, p, 2210, "D5803\x00")
			p.FlashMode()
			h := connect(t, p)
			if test.loader {
				h.startLoader(testLoader(t, 4, ""))
			} else {
				h.expectHello()
			}
			if test.prepare != nil {
				test.prepare(p, h)
			}
			h.write(unhex(t, test.send))
			want := unhex(t, test.want)
			got, err := h.readFull(len(want), answerTime)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got  % X\nwant % X\n%v", got, want, err)
			}
		})
	}
}

// The vectors with a reply that is too long for the document.
func TestVectorsWithLongReplies(t *testing.T) {
	p, h := openLoader(t, Options{})
	h.write(unhex(t, "00000001 00000003 00000000 09 00000000"))
	if r := h.read(); r.command != 1 || r.flags != 1 || parseInfo(t, r.data)["TYPE"] != "S1_LOADER" {
		t.Errorf("get info: %+v", r)
	}
	openTA2(p, h)
	h.write(unhex(t, "00000012 00000003 00000000 18 00000000"))
	if r := h.read(); r.command != 18 || r.flags&1 == 0 || len(r.data) == 0 {
		t.Errorf("read all TA: %+v", r)
	}
}

// usbproto/s1/PROTOCOL.md §2.3: check value of the CRC.
func TestCRCCheckValue(t *testing.T) {
	for text, want := range map[string]uint32{"123456789": 0x2DFD2D88, "": 0} {
		if got := dataCRC([]byte(text)); got != want {
			t.Errorf("CRC of %q is %08X, want %08X", text, got, want)
		}
	}
}

// Any way of cutting the host's bytes into transfers is the same to the phone
// (usbproto/s1/PROTOCOL.md §1.5).
func TestHostBytesAreAStream(t *testing.T) {
	stream := bytes.Join([][]byte{packet(9, 3, []byte{2}), packet(12, 3, []byte{0, 0, 8, 0xA2}), packet(10, 3, nil)}, nil)
	p := openPhone(t, Options{})
	for _, size := range []int{1, 5, 13, 17, len(stream)} {
		p.FlashMode()
		h := connect(t, p)
		h.expectHello()
		for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			h.write(rest[:min(size, len(rest))])
		}
		for _, want := range []struct {
			command uint32
			data    string
		}{{9, ""}, {12, "D5803\x00"}, {10, ""}} {
			if r := h.read(); r.command != want.command || r.flags != 1 || string(r.data) != want.data {
				t.Errorf("transfers of %d bytes: got %+v, want %+v", size, r, want)
			}
		}
	}
}

func openTA2(_ *Phone, h *host) { h.ok(9, 2) }

// setUnit changes a unit of trim area 2; an empty text deletes it.
func setUnit(t testing.TB, p *Phone, unit uint32, text string) {
	t.Helper()
	var data []byte
	if text != "" {
		data = []byte(text)
	}
	if err := p.SetUnit(2, unit, data); err != nil {
		t.Fatal(err)
	}
}

func hexOf(s string) string {
	const digits = "0123456789ABCDEF"
	var b []byte
	for _, c := range []byte(s) {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(b)
}
