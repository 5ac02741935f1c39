package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"xflash/fastboot/sparse"
)

// drainLoader is a fastboot loader on TCP with a system partition of 5 GiB, which counts what
// it is sent and keeps nothing.
type drainLoader struct {
	net.Listener
	bytes, flashed atomic.Int64
}

func startDrain(t *testing.T) *drainLoader {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &drainLoader{Listener: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return d
}

func (d *drainLoader) serve(c net.Conn) {
	r := bufio.NewReader(c)
	say := func(text string) {
		_, _ = c.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...)) // a client that left is seen by the next read
	}
	if _, err := c.Write([]byte("FB01")); err != nil {
		return
	}
	if _, err := r.Discard(4); err != nil {
		return
	}
	variables := map[string]string{"version": "0.5", "product": "D5803", "unlocked": "yes", "max-download-size": "0x20000000", "partition-size:system": "0x140000000"}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		command := make([]byte, min(binary.BigEndian.Uint64(head[:]), 64))
		if _, err := io.ReadFull(r, command); err != nil {
			return
		}
		word, rest, _ := strings.Cut(string(command), ":")
		switch word {
		case "getvar":
			say("OKAY" + variables[rest])
		case "download":
			size, err := strconv.ParseInt(rest, 16, 64)
			if err != nil {
				return
			}
			say("DATA" + rest)
			for size > 0 {
				if _, err := io.ReadFull(r, head[:]); err != nil {
					return
				}
				n, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint64(head[:])))
				if d.bytes.Add(n); err != nil {
					return
				}
				size -= n
			}
			say("OKAY")
		case "flash":
			d.flashed.Add(1)
			say("OKAY")
		default:
			say("FAILunknown command")
		}
	}
}

// A file system of 4 GiB is flashed in little memory, be it raw or sparse. The files are holes
// for the most part; the sparse one says of all of them that they are data, so that all 4 GiB
// are sent.
func TestMemoryOfFlash(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 4 GiB")
	}
	if _, err := os.Stat("/usr/bin/time"); err != nil {
		t.Skip("the program that measures memory is missing (Debian package time)")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mke2fs", "-q", "-t", "ext4", filepath.Join(dir, "raw.img"), "4G").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	raw, err := os.OpenFile(filepath.Join(dir, "raw.img"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	scattered := make([]byte, 1<<20)
	for i := range scattered {
		scattered[i] = byte(i>>8 ^ i) // not of one word, which would be a fill
	}
	for at := int64(1 << 30); at < 4<<30; at += 16 << 20 {
		if _, err := raw.WriteAt(scattered, at); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "sparse.img"))
	if err != nil {
		t.Fatal(err)
	}
	const chunks = 4
	le := binary.LittleEndian
	head := append(le.AppendUint32(nil, sparse.Magic), 1, 0, 0, 0, 28, 0, 12, 0)
	for _, v := range []uint32{4096, 1 << 20, chunks, 0} {
		head = le.AppendUint32(head, v)
	}
	at := int64(0)
	put := func(b []byte) {
		t.Helper()
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
		at += int64(len(b))
	}
	put(head)
	for range chunks {
		c := le.AppendUint32(nil, uint32(sparse.Raw))
		c = le.AppendUint32(c, 1<<18)
		put(le.AppendUint32(c, 1<<30+12))
		at += 1 << 30
	}
	if err := f.Truncate(at); err != nil {
		t.Fatal(err)
	}
	start := make([]byte, 4096) // with the superblock, which flash looks for
	if _, err := raw.ReadAt(start, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(start, int64(len(head))+12); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		file string
		sent int64 // at least
	}{{"raw.img", 192 << 20}, {"sparse.img", 4 << 30}} {
		d := startDrain(t)
		used, exit := peak(t, dir, "flash", "system", c.file, "--device", "tcp:"+d.Addr().String())
		if exit != exitOK || used > mostMemory {
			t.Errorf("%s: exit code %d, %.1f MiB", c.file, exit, float64(used)/(1<<20))
		}
		if d.bytes.Load() < c.sent || d.bytes.Load() > c.sent+c.sent/8 || d.flashed.Load() == 0 {
			t.Errorf("%s: %d bytes in %d images were sent", c.file, d.bytes.Load(), d.flashed.Load())
		}
		t.Logf("%s: %.1f MiB of memory for %d bytes in %d images", c.file, float64(used)/(1<<20), d.bytes.Load(), d.flashed.Load())
	}
}
