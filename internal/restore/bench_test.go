package restore_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pierrec/lz4/v4"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// BenchmarkCheckAndSend does what a restore of the bundle does on the computer: check
// every byte of it, then read, hash and send it again, to a phone that accepts everything
// at once. All rates are bytes of the bundle.
func BenchmarkCheckAndSend(b *testing.B) {
	ctx := context.Background()
	bundle, roots := openBench(b)
	size := systemOf(b, bundle).Size
	var checking, sending time.Duration
	before := processorTime(b)
	b.SetBytes(size)
	for b.Loop() {
		start := time.Now()
		fw, err := restore.Check(ctx, bundle, restore.CheckOptions{Roots: roots})
		if err != nil {
			b.Fatal(err)
		}
		checked := time.Now()
		taken, err := sendAll(ctx, fw, restore.Store{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		if taken != size {
			b.Fatalf("the phone got %d bytes of %d", taken, size)
		}
		checking, sending = checking+checked.Sub(start), sending+time.Since(checked)
	}
	total := float64(size) * float64(b.N)
	b.ReportMetric(total/(checking+sending).Seconds()/1e9, "GB/s")
	b.ReportMetric(total/checking.Seconds()/1e9, "check-GB/s")
	b.ReportMetric(total/sending.Seconds()/1e9, "send-GB/s")
	b.ReportMetric((processorTime(b)-before).Seconds()/total*(1<<30), "cpu-s/GiB")
}

// yardstick is how many bytes the two benchmarks below read at a time. Reading is not
// timed; the timed stretches are long enough to meet what else the machine has to do.
const yardstick = 16 << 20

// BenchmarkSHA256 hashes the bundle on one processor, without the time to read it.
func BenchmarkSHA256(b *testing.B) {
	bundle, _ := openBench(b)
	buf := make([]byte, yardstick)
	hashed := 0
	for b.Loop() {
		file := openSystem(b, bundle)
		sum := sha256.New()
		for more := true; more; {
			b.StopTimer()
			n, err := io.ReadFull(file, buf)
			if more = err == nil; err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				b.Fatal(err)
			}
			b.StartTimer()
			sum.Write(buf[:n])
			hashed += n
		}
		if err := file.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(hashed)/b.Elapsed().Seconds()/1e9, "GB/s")
}

// BenchmarkLZ4 unpacks the LZ4 blocks of the bundle on one processor, without the time
// to read them. The rate is that of unpacked bytes.
func BenchmarkLZ4(b *testing.B) {
	bundle, _ := openBench(b)
	buf, out := make([]byte, 0, yardstick), make([]byte, mkimage.DefaultChunk)
	var blocks [][]byte // in buf
	unpacked := int64(0)
	decode := func() {
		b.StartTimer()
		for _, block := range blocks {
			n, err := lz4.UncompressBlock(block, out)
			if err != nil || n != len(out) {
				b.Fatal(n, err)
			}
			unpacked += int64(n)
		}
		b.StopTimer()
		buf, blocks = buf[:0], blocks[:0]
	}
	for b.Loop() {
		b.StopTimer()
		file := openSystem(b, bundle)
		header, err := sin.ReadHeader(file, systemOf(b, bundle).Size)
		if err != nil {
			b.Fatal(err)
		}
		image, err := header.ReadMap(file)
		if err != nil {
			b.Fatal(err)
		}
		for tag := range image.Tags() {
			if tag.Kind != sin.TagLZ4A {
				if _, err := io.CopyN(io.Discard, file, tag.DataLen); err != nil {
					b.Fatal(err)
				}
				continue
			}
			if int64(cap(buf)-len(buf)) < tag.DataLen {
				decode()
			}
			block := buf[len(buf) : len(buf)+int(tag.DataLen)]
			if _, err := io.ReadFull(file, block); err != nil {
				b.Fatal(err)
			}
			buf, blocks = buf[:len(buf)+len(block)], append(blocks, block)
		}
		decode()
		if err := file.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(unpacked)/b.Elapsed().Seconds()/1e9, "GB/s")
}

// openBench opens the bundle of BenchmarkMakeBundle, and gives the root that signed it.
func openBench(b *testing.B) (*ftf.Bundle, *sin.RootSet) {
	b.Helper()
	dir := benchFolder(b)
	root, err := os.ReadFile(filepath.Join(dir, benchRoot))
	if err != nil {
		b.Fatal(err)
	}
	roots := &sin.RootSet{}
	if err := roots.AddPEM(root); err != nil {
		b.Fatal(err)
	}
	bundle, err := ftf.Open(filepath.Join(dir, benchBundle))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := bundle.Close(); err != nil {
			b.Error(err)
		}
	})
	return bundle, roots
}

// systemOf is the only image of the bundle.
func systemOf(b *testing.B, bundle *ftf.Bundle) *ftf.Member {
	b.Helper()
	i := slices.IndexFunc(bundle.Members, func(m *ftf.Member) bool { return m.Name == "system.sin" })
	if i < 0 {
		b.Fatal("the bundle has no system.sin")
	}
	return bundle.Members[i]
}

func openSystem(b *testing.B, bundle *ftf.Bundle) io.ReadCloser {
	b.Helper()
	file, err := systemOf(b, bundle).Open()
	if err != nil {
		b.Fatal(err)
	}
	return file
}

// processorTime is what this process has used so far, in the program and in the kernel.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// sendAll restores a sink, and gives the bytes of images that it got.
func sendAll(ctx context.Context, fw *restore.Firmware, store restore.Store) (int64, error) {
	phone := newSink()
	s, err := s1.Open(ctx, phone, s1.Options{})
	if err != nil {
		return 0, err
	}
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		return 0, err
	}
	plan, journal, err := restore.PrepareRun(store, fw, facts, restore.Request{}, false)
	if err != nil {
		return 0, err
	}
	if err := restore.Run(ctx, s, plan, restore.RunOptions{Journal: journal}); err != nil {
		return 0, err
	}
	return phone.taken, s.Close()
}

// sink is a phone with a running loader that agrees to everything and keeps nothing but
// trim-area units. It costs next to nothing, so what is measured is the computer's side.
type sink struct {
	hello  string
	header []byte // of the packet that is coming in
	data   []byte // of it, unless it belongs to an image
	left   int    // bytes of data and CRC still to come
	out    []byte // answers not read yet
	taken  int64  // bytes of images, headers included
	begun  bool   // a header was accepted and no data have followed
	// received is called with each packet that has come in, before it is answered; the data
	// of images are left out.
	received func(c s1.Command, more bool, data []byte)
	units    map[uint32][]byte
	reason   string // code of the next answer to command 7
}

func newSink() *sink {
	k := &sink{units: map[uint32][]byte{2210: []byte("D5803\x00"), 4900: []byte("BENCH\x00")}}
	k.hello = `TYPE="S1_LOADER";VER="MSM8974AB_22";PROT_VER="04";MAX_PKT_SZ="00080000";S1_ROOT="S1_Root_cafe";` + "\x00"
	k.say(s1.CmdInfo, []byte(k.hello))
	return k
}

const packetHeader = 13 // bytes (usbproto/s1/PROTOCOL.md §2.1)

func (k *sink) Write(_ context.Context, p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if missing := packetHeader - len(k.header); missing > 0 {
			n := min(missing, len(rest))
			k.header, rest = append(k.header, rest[:n]...), rest[n:]
			if len(k.header) == packetHeader {
				k.left = int(binary.BigEndian.Uint32(k.header[8:])) + 4
			}
			continue
		}
		n := min(k.left, len(rest))
		if !k.image() {
			k.data = append(k.data, rest[:n]...)
		}
		k.left, rest = k.left-n, rest[n:]
		if k.left == 0 {
			k.answer()
			k.header, k.data = k.header[:0], k.data[:0]
		}
	}
	return len(p), nil
}

func (k *sink) command() s1.Command { return s1.Command(binary.BigEndian.Uint32(k.header)) }

func (k *sink) image() bool { return k.command() == s1.CmdData }

// answer answers the packet that has come in.
func (k *sink) answer() {
	if k.received != nil {
		k.received(k.command(), k.header[7]&4 != 0, k.data[:max(len(k.data)-4, 0)])
	}
	refused := k.begun && k.command() != s1.CmdHeader && k.command() != s1.CmdData
	k.begun = k.command() == s1.CmdHeader
	if refused { // usbproto/s1/PROTOCOL.md §3.2, command 5: it takes the header back
		k.out = s1.Packet{Command: k.command()}.Append(k.out)
		k.reason = "005C"
		return
	}
	switch k.command() {
	case s1.CmdHeader, s1.CmdData:
		k.taken += int64(binary.BigEndian.Uint32(k.header[8:]))
		k.say(k.command(), nil)
	case s1.CmdReadUnit:
		unit, ok := k.units[binary.BigEndian.Uint32(k.data)]
		if !ok {
			k.out = s1.Packet{Command: s1.CmdReadUnit}.Append(k.out)
			return
		}
		k.say(s1.CmdReadUnit, unit)
	case s1.CmdWriteUnit:
		k.units[binary.BigEndian.Uint32(k.data)] = bytes.Clone(k.data[8 : len(k.data)-4])
		k.say(s1.CmdWriteUnit, nil)
	case s1.CmdError:
		k.say(s1.CmdError, []byte(`ERR_SEVERITY="MINOR";ERR_CODE="`+cmp.Or(k.reason, "0025")+`";ERR_DYNAMIC="80110002";`+"\x00"))
		k.reason = ""
	case s1.CmdInfo:
		k.say(s1.CmdInfo, []byte(k.hello))
	case 21:
		k.out = s1.Packet{Command: 21}.Append(k.out) // it has no table to tell
	default:
		k.say(k.command(), nil)
	}
}

func (k *sink) say(c s1.Command, data []byte) {
	k.out = s1.Packet{Command: c, Flags: 1, Data: data}.Append(k.out)
}

func (k *sink) Read(_ context.Context, p []byte) (int, error) {
	if len(k.out) == 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "the sink", Err: errors.New("it has nothing to say")}
	}
	n := copy(p, k.out)
	k.out = append(k.out[:0], k.out[n:]...)
	return n, nil
}

func (k *sink) Close() error { return nil }
