package simphone_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/xperifirm"
	"xflash/usbproto"
)

// The host here knows packets and nothing else: it is written from the worked trace of the
// protocol and shares no code with the client.

// authority signs all firmware of these tests.
var authority = sync.OnceValue(func() *mkimage.Authority {
	a, err := mkimage.NewTestAuthority("S1_Root_command")
	if err != nil {
		panic(err)
	}
	return a
})

// rootFile is its certificate.
func rootFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(name, authority().RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// commandPhone makes a phone that trusts the authority.
func commandPhone(t testing.TB, spec string) *simphone.Phone {
	t.Helper()
	o, err := simphone.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	return openPhone(t, o)
}

func openPhone(t testing.TB, o simphone.Options) *simphone.Phone {
	t.Helper()
	o.RootFiles = append(o.RootFiles, rootFile(t))
	p, err := simphone.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// firmwareFor makes a small folder for the phone.
func firmwareFor(t testing.TB, o xperifirm.Options) *xperifirm.Firmware {
	t.Helper()
	o.Authority = authority()
	fw, err := xperifirm.Make(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return fw
}

// A rawHost sends transfers and reads what comes.
type rawHost struct {
	t    testing.TB
	conn usbproto.Conn
}

func hostOf(t testing.TB, p *simphone.Phone) *rawHost {
	h := &rawHost{t, p.Conn()}
	t.Cleanup(func() { h.conn.Close() })
	return h
}

// patience is for a phone that should answer, quiet for one that should not.
const (
	patience = 20 * time.Second
	quiet    = 60 * time.Millisecond
)

func (h *rawHost) put(b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := h.conn.Write(ctx, b)
	return err
}

// get is one read with room for 4096 bytes, the size that was seen to swallow OKAY.
func (h *rawHost) get(wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	b := make([]byte, 4096)
	n, err := h.conn.Read(ctx, b)
	if errors.Is(err, usbproto.ErrTimeout) && n > 0 {
		err = nil
	}
	return string(b[:n]), err
}

// ask returns a command's one answer.
func (h *rawHost) ask(command string) string {
	h.t.Helper()
	if err := h.put([]byte(command)); err != nil {
		h.t.Fatalf("%s: %v", command, err)
	}
	answer, err := h.get(patience)
	if err != nil {
		h.t.Fatalf("%s: %v", command, err)
	}
	return answer
}

// want fails the test when the answer is another.
func (h *rawHost) want(answer, command string) {
	h.t.Helper()
	if got := h.ask(command); got != answer {
		h.t.Fatalf("%s: %q instead of %q", command, got, answer)
	}
}

// data reads the answer of a command that gives bytes, as a stream.
func (h *rawHost) data(command string) []byte {
	h.t.Helper()
	text := h.ask(command)
	var size int
	if _, err := fmt.Sscanf(text, "DATA%08x", &size); err != nil {
		h.t.Fatalf("%s: %q", command, text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b := make([]byte, size+4+4096)
	n := copy(b, strings.TrimPrefix(text[12:], "\x00"))
	for n < size+4 {
		more, err := h.conn.Read(ctx, b[n:])
		if n += more; err != nil {
			h.t.Fatalf("%s: %d of %d bytes: %v", command, n, size, err)
		}
	}
	if string(b[size:n]) != "OKAY" {
		h.t.Fatalf("%s: %q after the data", command, b[size:n])
	}
	return b[:size]
}

// download puts bytes into the phone's buffer.
func (h *rawHost) download(b []byte) {
	h.t.Helper()
	if len(b) == 0 { // both answers come at once
		if got, err := h.get2("download:00000000"); got != "DATA00000000OKAY" {
			h.t.Fatalf("empty download: %q, %v", got, err)
		}
		return
	}
	h.want(fmt.Sprintf("DATA%08x", len(b)), fmt.Sprintf("download:%08x", len(b)))
	for piece := b; len(piece) > 0; {
		n := min(len(piece), 16<<10)
		if err := h.put(piece[:n]); err != nil {
			h.t.Fatal(err)
		}
		piece = piece[n:]
	}
	if got, err := h.get(patience); err != nil || got != "OKAY" {
		h.t.Fatalf("download of %d bytes: %q, %v", len(b), got, err)
	}
}

// get2 is a command with two answers.
func (h *rawHost) get2(command string) (string, error) {
	first := h.ask(command)
	second, err := h.get(patience)
	return first + second, err
}

// A sinFile is one that was taken apart.
type sinFile struct {
	name   string
	cms    []byte
	chunks [][]byte
}

func readSIN(t testing.TB, path string) (s sinFile) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var r io.Reader = in
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1F, 0x8B}) {
		if r, err = gzip.NewReader(in); err != nil {
			t.Fatal(err)
		}
	}
	for tr := tar.NewReader(r); ; {
		head, err := tr.Next()
		if err == io.EOF {
			return s
		}
		if err != nil {
			t.Fatal(path, err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		name, ext, _ := strings.Cut(head.Name, ".")
		if ext == "cms" {
			s.name, s.cms = name, data
		} else {
			s.chunks = append(s.chunks, data)
		}
	}
}

// oneFile finds the SIN of a folder whose name starts so.
func oneFile(t testing.TB, folder, start string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, start+"*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %d files, %v", start, folder, len(found), err)
	}
	return found[0]
}

// session is a host that has found out what it needs.
type session struct {
	*rawHost
	fw      *xperifirm.Firmware
	newForm bool
	slots   bool
}

func start(h *rawHost, fw *xperifirm.Firmware) *session {
	s := &session{rawHost: h, fw: fw}
	answer := h.ask("signature:00000000")
	if s.newForm = strings.HasPrefix(answer, "FAIL"); !s.newForm {
		if ok, err := h.get(patience); answer != "DATA00000000" || ok != "OKAY" {
			h.t.Fatalf("probe: %q, %q, %v", answer, ok, err)
		}
	}
	s.slots = h.ask("getvar:slot-count") == "OKAY2"
	return s
}

// sign sends a container and gives the phone's word about it.
func (s *session) sign(cms []byte) string {
	s.t.Helper()
	if s.newForm {
		s.download(cms)
		return s.ask("signature")
	}
	s.want(fmt.Sprintf("DATA%08x", len(cms)), fmt.Sprintf("signature:%08x", len(cms)))
	if err := s.put(cms); err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.get(patience)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s *session) mustSign(cms []byte) {
	s.t.Helper()
	if got := s.sign(cms); got != "OKAY" {
		s.t.Fatalf("signature: %q", got)
	}
}

// image sends one: signature, first chunk, erase, the rest.
func (s *session) image(path, slot string) {
	s.t.Helper()
	img := readSIN(s.t, path)
	s.mustSign(img.cms)
	label := img.name
	for i, chunk := range img.chunks {
		s.download(chunk)
		if i == 0 {
			if s.slots && s.ask("getvar:has-slot:"+img.name) == "OKAYyes" {
				label += "_" + slot
			}
			s.want("OKAY", "erase:"+label)
		}
		s.want("OKAY", "flash:"+label)
	}
}

func (s *session) unit(number uint32, data []byte) {
	s.t.Helper()
	s.download(data)
	s.want("OKAY", fmt.Sprintf("Write-TA:2:%d", number))
}

func (s *session) table(unit int, path string) {
	s.t.Helper()
	img := readSIN(s.t, path)
	s.mustSign(img.cms)
	s.download(img.chunks[0])
	s.want("OKAY", fmt.Sprintf("Repartition:%d", unit))
}

// tableFile is the partition image of a unit that fits the phone.
func (s *session) tableFile(unit int) string {
	kib := s.fw.Facts.LUNs[unit]
	folder := filepath.Join(s.fw.Folder, "partition")
	for _, start := range []string{fmt.Sprintf("partition-image-LUN%d_%d_", unit, kib), fmt.Sprintf("partition-image-LUN%d_X", unit),
		fmt.Sprintf("partition-image_%d_", kib), "partition-image_X"} {
		if found, _ := filepath.Glob(filepath.Join(folder, start+"*")); len(found) == 1 {
			return found[0]
		}
	}
	s.t.Fatalf("no table for unit %d", unit)
	return ""
}

// bootLoader is the commercial one's file.
func (s *session) bootLoader() string {
	return oneFile(s.t, filepath.Join(s.fw.Folder, "boot"), "bootloader_X-FLASH-ALL-"+s.fw.Facts.Suffix)
}

// restore is a whole session in the order of Sony's own tool.
func (s *session) restore() {
	s.t.Helper()
	s.unit(10100, []byte{1})
	for unit := range s.fw.Facts.LUNs {
		s.table(unit, s.tableFile(unit))
	}
	s.image(s.bootLoader(), "a")
	files, err := filepath.Glob(filepath.Join(s.fw.Folder, "*.sin"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		switch name := filepath.Base(file); {
		case strings.HasPrefix(name, "persist"):
		case strings.Contains(name, "_other"):
			s.image(file, "b")
		default:
			s.image(file, "a")
		}
	}
	for number, data := range s.fw.Units {
		s.unit(number, data)
	}
	if s.slots {
		s.want("OKAY", "set_active:a")
	}
	s.unit(10021, append([]byte("2026-11-28 12:00:00"), 0))
	s.unit(10100, []byte{0})
	s.want("OKAY", "Sync")
	s.want("OKAY", "powerdown")
}
