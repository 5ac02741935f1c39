package s1_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"

	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
	"xflash/usbproto/s1"
)

// tableAnswer is the answer to command 21 for these partitions.
func tableAnswer(t *testing.T, entries ...gpt.Entry) []byte {
	t.Helper()
	out := binary.LittleEndian.AppendUint32([]byte{5, 0, 0, 0}, uint32(len(entries)))
	for _, e := range entries {
		var err error
		if out, err = mkimage.AppendEntry(out, e); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func partition(n byte, first, last uint64, name string) gpt.Entry {
	return gpt.Entry{Type: gpt.GUID{0xA2}, Unique: gpt.GUID{n}, First: first, Last: last, Name: name}
}

// The table comes whole or in parts, as the older loaders send it.
func TestReadTable(t *testing.T) {
	want := []gpt.Entry{partition(1, 256, 4351, "TA"), partition(2, 4352, 9999, "boot")}
	answer := tableAnswer(t, want...)
	for name, parts := range map[string][]int{"whole": {len(answer)}, "in parts": {8, 100, len(answer) - 108}} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				rest := answer
				for i, n := range parts {
					flags := uint32(5)
					if i == len(parts)-1 {
						flags = 1
					}
					p.expect(21, 3, nil)
					p.send(21, flags, rest[:n])
					rest = rest[n:]
				}
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				got, err := s.ReadTable(ctx)
				if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

// An answer that is inconsistent is refused, and the session continues.
func TestReadTableDamaged(t *testing.T) {
	good := tableAnswer(t, partition(1, 256, 4351, "TA"))
	change := func(at int, b byte) []byte {
		out := bytes.Clone(good)
		out[at] = b
		return out
	}
	for name, answer := range map[string][]byte{
		"empty": nil, "short": good[:7], "another kind": change(0, 6), "entry cut": good[:len(good)-1],
		"count too large": change(4, 2), "huge count": change(7, 0xFF), "more than announced": append(bytes.Clone(good), 0),
		"no range": change(8+32+1, 0xFF), "overlap": tableAnswer(t, partition(1, 256, 400, "TA"), partition(2, 400, 500, "boot")),
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				p.answer(21, nil, answer)
				p.answer(1, nil, []byte(loaderText))
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				if got, err := s.ReadTable(ctx); !errors.Is(err, s1.ErrTable) {
					t.Errorf("%v, %+v", err, got)
				}
				if _, err := s.Refresh(ctx); err != nil {
					t.Errorf("the session is over: %v", err)
				}
			})
		})
	}
}

func TestReadTableRefused(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.refuse(21, 3, nil, reason("MINOR", "0076", "80110002"))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		var r *s1.Refusal
		if _, err := s.ReadTable(ctx); !errors.As(err, &r) || r.Code != "0076" {
			t.Errorf("%v", err)
		}
	})
}

// The boot stage is not asked.
func TestReadTableInBootStage(t *testing.T) {
	inBoot(t, bootText, func(*phone) {}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if _, err := s.ReadTable(ctx); !errors.Is(err, s1.ErrState) {
			t.Errorf("%v", err)
		}
	})
}

func TestSectors(t *testing.T) {
	for text, want := range map[string]uint64{
		`MEMDEVS="03:00:0015:0100:0000:01D5A000:00000400:00000200";`: 0x1D5A000,
		`MEMDEVS="03:00:0015:0100:0000:01D5A000:00000400:00001000";`: 0, // not in sectors of 512 bytes
		`MEMDEVS="EMMC";`: 0,
		`MEMDEVS="03:00:0015:0100:0000:XX:00000400:00000200";`: 0,
		`VER="A";`: 0,
	} {
		if got := s1.ParseInfo([]byte(text)).Sectors(); got != want {
			t.Errorf("%s: %#x", text, got)
		}
	}
}

// The Z3 Compact's loader, executed: its answer is the table at the start of its storage,
// and its MEMDEVS is the size of it.
func TestRecordedTable(t *testing.T) {
	f, err := os.Open(samples.Reference(t, "loader-answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	var state struct {
		State struct {
			Hello   recorded `json:"hello"`
			GPT     recorded `json:"gpt"`
			Sectors uint64   `json:"sectors"`
		} `json:"state"`
	}
	var answer []byte
	for first := true; lines.Scan(); first = false {
		if first {
			if err := json.Unmarshal(lines.Bytes(), &state); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var line struct {
			Name string                `json:"name"`
			Wire []map[string]recorded `json:"wire"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Name == "service 21 " {
			packet := line.Wire[1]["phone"].bytes(t)
			answer = packet[13 : 13+binary.BigEndian.Uint32(packet[8:])]
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	hello := string(state.State.Hello.bytes(t))
	if got := s1.ParseInfo([]byte(hello)).Sectors(); got != state.State.Sectors {
		t.Errorf("%d sectors, the storage has %d", got, state.State.Sectors)
	}
	inBoot(t, hello, func(p *phone) {
		p.answer(21, nil, answer)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		entries, err := s.ReadTable(ctx)
		if err != nil || len(entries) != 27 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		var all []byte
		for _, e := range entries {
			if all, err = mkimage.AppendEntry(all, e); err != nil {
				t.Fatal(err)
			}
		}
		if onDisk := state.State.GPT.bytes(t)[1024:]; !bytes.Equal(all, onDisk[:len(all)]) {
			t.Error("the answer is not what is on the storage")
		}
	})
}

// recorded is bytes in loader-answers.jsonl.
type recorded struct{ Hex, Zlib string }

func (r recorded) bytes(t *testing.T) []byte {
	t.Helper()
	if r.Zlib == "" {
		b, err := hex.DecodeString(r.Hex)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	packed, err := base64.StdEncoding.DecodeString(r.Zlib)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
