package simphone

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"xflash/internal/samples"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/taimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// Packet sequences of a real loader: the first line is the state of the phone
// before every sequence, every other line one sequence with all bytes in both
// directions. testdata/answers.jsonl has the same form and is written by hand from
// the text of the documents.

// bytesOf is bytes as {"hex": …} or {"zlib": base64, "len": n}.
type bytesOf []byte

func (b *bytesOf) UnmarshalJSON(text []byte) error {
	var form struct {
		Hex  string
		Zlib []byte
		Len  int
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	if form.Zlib == nil {
		var err error
		*b, err = hex.DecodeString(form.Hex)
		return err
	}
	r, err := zlib.NewReader(bytes.NewReader(form.Zlib))
	if err != nil {
		return err
	}
	*b = make([]byte, form.Len)
	_, err = io.ReadFull(r, *b)
	return err
}

// A recordedState is the phone before every sequence.
type recordedState struct {
	Hello   bytesOf
	Root    []byte `json:"root_der"`
	Units   unitList
	GPT     bytesOf
	Sectors int64
	Fuses   struct {
		IDCode     string `json:"IDCODE_1"`
		UniqueID   string `json:"UNIQUE_DEV_ID_1"`
		MinimumAID uint64 `json:"minimum_AID"`
	}

	made sync.Once
	trim []byte // made of Units
}

// A unitList is an object of units whose order counts: it is that in the trim area.
type unitList []struct {
	number uint32
	data   bytesOf
}

func (l *unitList) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		number, err := strconv.ParseUint(fmt.Sprint(key), 10, 32)
		if err != nil {
			return err
		}
		*l = append(*l, struct {
			number uint32
			data   bytesOf
		}{number: uint32(number)})
		if err := d.Decode(&(*l)[len(*l)-1].data); err != nil {
			return err
		}
	}
	return nil
}

// A recordedSequence is one conversation.
type recordedSequence struct {
	Name string
	Wire []struct{ Host, Phone *bytesOf }
	// After are places on the disk at the end.
	After []struct {
		Partition string
		Offset    int64
		Len       int
		SHA256    string
	}
}

func TestAnswersOfTheRealLoader(t *testing.T) {
	replayFile(t, samples.Reference(t, "loader-answers.jsonl"))
}

// incomparable are sequences in which this phone may differ, with the reason.
var incomparable = map[string]string{}

func replayFile(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	var first struct{ State recordedState }
	if !lines.Scan() {
		t.Fatal("no state")
	}
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil {
		t.Fatal(err)
	}
	count := 0
	for lines.Scan() {
		var s recordedSequence
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		count++
		t.Run(s.Name, func(t *testing.T) {
			if why, ok := incomparable[s.Name]; ok {
				t.Skip(why)
			}
			t.Parallel()
			s.replay(t, first.State.phone(t))
		})
	}
	if err := lines.Err(); err != nil || count == 0 {
		t.Fatal(count, err)
	}
}

// phone is a phone in that state with its loader running and its hello read.
func (s *recordedState) phone(t *testing.T) *Phone {
	t.Helper()
	dir := t.TempDir()
	var roots []*sin.Certificate
	var err error
	if len(s.Root) > 0 {
		root, err := sin.ParseCertificate(s.Root)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, root)
	}
	s.made.Do(func() {
		trim := taimage.New()
		for _, u := range s.Units {
			if err := trim.Set(2, u.number, u.data); err != nil {
				t.Error(err)
			}
		}
		s.trim = trim.Encode()
	})
	p := &Phone{dir: dir, kind: phones["z3c"], options: Options{FuseAID: s.Fuses.MinimumAID}}
	if err := os.WriteFile(p.TrimArea(), s.trim, 0o600); err != nil {
		t.Fatal(err)
	}
	writeDisk(t, p.EMMC(), s.GPT, s.Sectors*gpt.SectorSize)
	hello := parseInfo(t, s.Hello)
	p.settings = settings{
		OTPLock: hello["OTP_LOCK_STATUS_1"], OTPData: hello["OTP_DATA_1"], IDCode: s.Fuses.IDCode,
		PlatformRoot: hello["PLF_ROOT_1"], UniqueID: s.Fuses.UniqueID,
	}
	if p.disk, err = openDisk(p.EMMC()); err != nil {
		t.Fatal(err)
	}
	p.cable, p.done = newCable(), make(chan struct{})
	p.run = &flashRun{hello: HelloNone}
	loader := p.loaderSession(p.cable, &loaderFacts{
		version: p.kind.loader.version, product: p.kind.loader.product, aid: p.kind.loader.aid,
		tags: p.kind.loader.tags, live: roots,
	})
	if loader == nil {
		t.Fatal("the loader is too old for the phone")
	}
	go func() {
		defer close(p.done)
		defer p.cable.unplug()
		if next, err := loader.run(); err == nil {
			p.cable.leave(next)
		}
	}()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// writeDisk makes a disk from the first sectors of one, whose backup table is its own.
func writeDisk(t *testing.T, path string, start []byte, size int64) {
	t.Helper()
	table := &gpt.Table{DiskGUID: gpt.GUID(start[gpt.SectorSize+56:]), Sectors: uint64(size / gpt.SectorSize)}
	for raw := range slices.Chunk(start[2*gpt.SectorSize:], gpt.EntrySize) {
		if e, err := gpt.ParseEntry(raw); err != nil {
			t.Fatal(err)
		} else if e.Used() {
			table.Entries = append(table.Entries, e)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Truncate(size), mkimage.WriteGPT(f, table)); err != nil {
		t.Fatal(err)
	}
}

// replay sends what the host sent and wants the phone's bytes.
func (s *recordedSequence) replay(t *testing.T, p *Phone) {
	h := connect(t, p)
	for i, piece := range s.Wire {
		if piece.Host != nil {
			ctx, cancel := context.WithTimeout(context.Background(), answerTime)
			_, err := h.conn.Write(ctx, *piece.Host)
			cancel()
			if err != nil {
				t.Fatalf("piece %d: %v", i, err)
			}
			continue
		}
		got, err := h.readFull(len(*piece.Phone), answerTime/4)
		if err != nil || !bytes.Equal(got, *piece.Phone) {
			t.Fatalf("piece %d of %d: %v\n got %s\nwant %s", i+1, len(s.Wire), err, spell(got), spell(*piece.Phone))
		}
	}
	if b, err := h.readFull(1, 20*time.Millisecond); err == nil {
		t.Fatalf("the phone says more: %x", b)
	}
	for _, place := range s.After {
		sum := sha256.Sum256(content(t, p, place.Partition, place.Offset, place.Len))
		if hex.EncodeToString(sum[:]) != place.SHA256 {
			t.Errorf("%s at %d differs", place.Partition, place.Offset)
		}
	}
}

// spell is bytes of a phone for a person.
func spell(b []byte) string {
	if i := bytes.Index(b, []byte(`="`)); i > 0 {
		return fmt.Sprintf("%d bytes: %q", len(b), b[13:])
	}
	return fmt.Sprintf("%d bytes: %x", len(b), b[:min(len(b), 200)])
}

// The same form, without a real loader: every line says what the documents say.
func TestAnswersOfTheReference(t *testing.T) {
	replayFile(t, filepath.Join("testdata", "answers.jsonl"))
}
