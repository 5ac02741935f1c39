package simphone_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xflash/fastboot"
	"xflash/internal/simphone"
	"xflash/usbproto"
)

func inFastboot(t *testing.T, o simphone.Options) *simphone.Phone {
	t.Helper()
	o.InFastboot = true
	if o.Disk == 0 {
		o.Disk = 4 << 30
	}
	phone, err := simphone.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := phone.Close(); err != nil {
			t.Error(err)
		}
	})
	return phone
}

// exchange sends one message to the loader and gives its answers, up to the last one.
func exchange(t *testing.T, c usbproto.Conn, message string) (answers []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Write(ctx, []byte(message)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for {
		n, err := c.Read(ctx, b)
		if err != nil {
			t.Fatalf("after %q: %v", answers, err)
		}
		answers = append(answers, string(b[:n]))
		if !bytes.HasPrefix(b[:n], []byte("INFO")) && string(b[:n]) != "DATA00000000" {
			return answers
		}
	}
}

// sparseImage writes a sparse image by hand: chunks of (type, blocks, bytes after the header).
func sparseImage(blocks uint32, chunks ...[]any) string {
	le := binary.LittleEndian
	b := append(le.AppendUint32(nil, 0xED26FF3A), 1, 0, 0, 0, 28, 0, 12, 0)
	for _, v := range []uint32{4096, blocks, uint32(len(chunks)), 0} {
		b = le.AppendUint32(b, v)
	}
	for _, c := range chunks {
		data := c[2].(string)
		b = le.AppendUint16(le.AppendUint16(b, uint16(c[0].(int))), 0)
		b = le.AppendUint32(le.AppendUint32(b, uint32(c[1].(int))), uint32(12+len(data)))
		b = append(b, data...)
	}
	return string(b)
}

// The loader's words, as fastboot/PROTOCOL.md §3.2 has them.
func TestAbootAnswers(t *testing.T) {
	block := strings.Repeat("b", 4096)
	for _, c := range []struct {
		aboot, data, command, answer string
		locked                       bool
	}{
		{"2013", "", "getvar:version", "OKAY0.5", false},
		{"2013", "", "getvar:nonsense", "OKAY", false},
		{"2013", "", "getvar:secure", "OKAYno", false},
		{"2013", "", "getvar:secure", "OKAYyes", true},
		{"2013", "", "nonsense", "FAILunknown command", false},
		{"2013", "", "download:04000001", "FAILdata too large", false},
		{"2013", "", "boot", "FAILinvalid bootimage header", false},
		{"2013", "ANDROID!", "boot", "FAILdtb not found", false},
		{"2013", "x", "flash:boot", "FAILimage is not a boot image", false},
		{"2013", "ANDROID!", "flash:boot", "OKAY", false},
		{"2013", "ANDROID!", "flash:recovery", "OKAY", false},
		{"2013", "x", "flash:nosuch", "FAILPartition table doesn't exist\n", false},
		{"2013", "x", "flash:TA", "FAILCommand not allowed", false},
		{"2013", "ANDROID!", "flash:boot", "FAILCommand not allowed", true},
		{"2013", "ANDROID!", "boot", "FAILCommand not allowed", true},
		{"2015", "ANDROID!", "boot", "FAILunlock device to use this command", true},
		{"2013", "", "erase:cache", "OKAY", false},
		{"2013", "", "erase:modemst1", "FAILCommand not allowed", false},
		{"2013", strings.Repeat("x", 2<<20), "flash:DDR", "FAILCommand not allowed", false},
		{"2013", "x", "flash:aboot", "FAILCommand not allowed", false},
		{"2013", "x", "flash:alt_tz", "FAILCommand not allowed", false},
		{"2013", "ANDROID!" + strings.Repeat("x", 20<<20), "flash:boot", "FAILsize too large", false},
		{"2013", sparseImage(3, []any{0xCAC1, 1, block}), "flash:cache", "FAILsparse image write failure", false},
		{"2013", sparseImage(1, []any{0xCAC1, 1, block}, []any{0xCAC4, 0, "1234"}), "flash:cache", "OKAY", false},
		{"2015", sparseImage(2, []any{0xCAC1, 2, block}), "flash:cache", "FAILBogus size for RAW chunk type", false},
		{"2015", sparseImage(2, []any{0xCAC2, 2, "12"}), "flash:cache", "FAILbogus size for chunk FILL type", false},
		{"2015", sparseImage(2, []any{0xCAC3, 2, "12"}), "flash:cache", "FAILbogus size for chunk DONT CARE type", false},
		{"2015", sparseImage(2, []any{0xCAC4, 0, "12"}), "flash:cache", "FAILbogus size for chunk CRC type", false},
		{"2015", sparseImage(2, []any{0xCAC3, 1 << 20, ""}), "flash:cache", "FAILChunk data size exceeds partition size", false},
		{"2013", sparseImage(2, []any{0xCAC1, 2, block}), "flash:cache", "FAILBogus chunk size for chunk type Raw", false},
		{"2013", sparseImage(2, []any{0xCAC2, 2, "12"}), "flash:cache", "FAILBogus chunk size for chunk type FILL", false},
		{"2013", sparseImage(2, []any{0xCAC9, 2, ""}), "flash:cache", "FAILUnknown chunk type", false},
		{"2013", sparseImage(1<<20, []any{0xCAC3, 2, ""}), "flash:cache", "FAILsize too large", false},
		{"2013", sparseImage(2, []any{0xCAC3, 1 << 20, ""}), "flash:cache", "FAILflash write failure", false},
		{"2013", sparseImage(2, []any{0xCAC1, 1, block}, []any{0xCAC2, 1, "abcd"}), "flash:cache", "OKAY", false},
		{"2013", "", "download:00000000", "OKAY", false},
		{"2013", "", "preflash", "OKAY", false},
		{"2013", "", "oem unlock 0123456789ABCDEF", "FAILIncorrect format for unlock data. Should be on the form \"0x.", true}, /* cut at 64 bytes */
		{"2013", "", "oem unlock 0x0123456789ABCDEF", "FAILDevice already unlocked", false},
		{"2013", "", "oem unlock 0x0123", "FAILCommand did not succeed", true},
		{"2013", "", "oem unlock 0x0123456789ABCDEF", "OKAY", true},
	} {
		phone := inFastboot(t, simphone.Options{Aboot: c.aboot, Locked: c.locked})
		conn := phone.Fastboot().Conn()
		if c.data != "" {
			if got := exchange(t, conn, fmt.Sprintf("download:%08x", len(c.data))); len(got) != 1 || got[0] != fmt.Sprintf("DATA%08x", len(c.data)) {
				t.Fatalf("%q", got)
			}
			if got := exchange(t, conn, c.data); len(got) != 1 || got[0] != "OKAY" {
				t.Fatalf("%q", got)
			}
		}
		if got := exchange(t, conn, c.command); len(got) == 0 || got[len(got)-1] != c.answer {
			t.Errorf("%s of %s, locked %t: %q, want %q", c.command, c.aboot, c.locked, got, c.answer)
		}
	}
}

// Raw and sparse data end up at their place in emmc.img, and nothing else changes.
func TestAbootWrites(t *testing.T) {
	phone := inFastboot(t, simphone.Options{})
	before, err := phone.Partition("cache")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.WriteAt(bytes.Repeat([]byte{7}, 5*4096), 0); err != nil {
		t.Fatal(err)
	}
	conn := phone.Fastboot().Conn()
	image := sparseImage(4, []any{0xCAC1, 1, strings.Repeat("r", 4096)}, []any{0xCAC3, 1, ""}, []any{0xCAC2, 2, "abcd"})
	exchange(t, conn, fmt.Sprintf("download:%08x", len(image)))
	exchange(t, conn, image)
	if got := exchange(t, conn, "flash:cache"); len(got) != 1 || got[0] != "OKAY" {
		t.Fatalf("%q", got)
	}
	want := strings.Repeat("r", 4096) + strings.Repeat("\x07", 4096) + strings.Repeat("abcd", 2048) + strings.Repeat("\x07", 4096)
	got := make([]byte, len(want))
	if _, err := before.ReadAt(got, 0); err != nil || string(got) != want {
		t.Errorf("cache holds something else, %v", err)
	}
	if exchange(t, conn, "erase:cache"); true {
		if _, err := before.ReadAt(got, 0); err != nil || !bytes.Equal(got, make([]byte, len(got))) {
			t.Errorf("cache is not erased, %v", err)
		}
	}
}

// After OKAY the phone is gone, and what it left for is known.
func TestAbootLeaves(t *testing.T) {
	for _, command := range []string{"reboot", "reboot-bootloader", "continue"} {
		aboot := inFastboot(t, simphone.Options{}).Fastboot()
		conn := aboot.Conn()
		if got := exchange(t, conn, command); len(got) != 1 || got[0] != "OKAY" || aboot.Started != command {
			t.Errorf("%s: %q, %q", command, got, aboot.Started)
		}
		if _, err := conn.Write(t.Context(), []byte("getvar:version")); !errors.Is(err, usbproto.ErrGone) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// serving runs the phone's network loader and gives its address.
func serving(t *testing.T, phone *simphone.Phone, network string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var addr string
	switch network {
	case "tcp":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr = l.Addr().String()
		go func() { done <- phone.Fastboot().ServeTCP(ctx, l) }()
	case "udp":
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr = c.LocalAddr().String()
		go func() { done <- phone.Fastboot().ServeUDP(ctx, c) }()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return addr
}

// Our client over both networks leaves the bytes of a large image that had to be split.
func TestClientOverNetworks(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		size := int64(80 << 20) // more than one download
		if network == "udp" || testing.Short() {
			size = 3 << 20
		}
		image := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{2}).Read(image) // never fails
		phone := inFastboot(t, simphone.Options{})
		addr := serving(t, phone, network)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dial := map[string]func(context.Context, string) (usbproto.Conn, error){"tcp": fastboot.DialTCP, "udp": fastboot.DialUDP}[network]
		conn, err := dial(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		client, err := fastboot.Open(ctx, conn, fastboot.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := client.Getvar(ctx, "product"); err != nil || v != "D5803" {
			t.Errorf("%s: %q, %v", network, v, err)
		}
		if vars, err := client.Variables(ctx); err != nil || len(vars) < 8 {
			t.Errorf("%s: %v, %v", network, vars, err)
		}
		if err := client.Flash(ctx, "system", bytes.NewReader(image), size, 0); err != nil {
			t.Fatal(err)
		}
		if err := client.Erase(ctx, "cache"); err != nil {
			t.Error(err)
		}
		if err := client.Reboot(ctx, ""); err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		holds(t, phone, "system", bytes.NewReader(image), size)
	}
}

// lateOnce is a network on which the answer to the first read of the host takes longer than
// the host waits.
type lateOnce struct {
	net.PacketConn
	packets int
}

func (l *lateOnce) WriteTo(b []byte, to net.Addr) (int, error) {
	if l.packets++; l.packets == 4 { // query, init, the command, its answer
		time.Sleep(200 * time.Millisecond)
	}
	return l.PacketConn.WriteTo(b, to)
}

// A read that is given up while the phone's answer is on its way swallows neither that
// answer nor the command that follows.
func TestUDPLateAnswer(t *testing.T) {
	phone := inFastboot(t, simphone.Options{})
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- phone.Fastboot().ServeUDP(ctx, &lateOnce{PacketConn: c}) }()
	conn, err := fastboot.DialUDP(ctx, c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	var buf [64]byte
	say := func(command string) {
		t.Helper()
		if _, err := conn.Write(ctx, []byte(command)); err != nil {
			t.Fatal(err)
		}
	}
	say("getvar:product")
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	if n, err := conn.Read(short, buf[:]); !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("the answer came in time: %q, %v", buf[:n], err)
	}
	stop()
	say("getvar:version")
	for _, want := range []string{"OKAYD5803", "OKAY0.5"} {
		if n, err := conn.Read(ctx, buf[:]); err != nil || string(buf[:n]) != want {
			t.Errorf("%q, %v, want %q", buf[:n], err, want)
		}
	}
	say("reboot")
	if n, err := conn.Read(ctx, buf[:]); err != nil || string(buf[:n]) != "OKAY" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// holds compares the beginning of a partition with what it should be.
func holds(t *testing.T, phone *simphone.Phone, label string, want io.Reader, size int64) {
	t.Helper()
	p, err := phone.Partition(label)
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(a)) {
		n := min(int64(len(a)), size-at)
		if _, err := io.ReadFull(want, a[:n]); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ReadAt(b[:n], at); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a[:n], b[:n]) {
			t.Fatalf("%s differs in the MiB at %#x", label, at)
		}
	}
}

// The AOSP client of Debian drives the phone over both networks.
func TestDebianFastboot(t *testing.T) {
	client, err := exec.LookPath("fastboot")
	if err != nil {
		t.Skip("fastboot is not installed (Debian package fastboot)")
	}
	run := func(t *testing.T, want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, client, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("fastboot %v: %v\n%s", args, err, out)
		}
	}
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			size := int64(300 << 20)
			if network == "udp" || testing.Short() {
				size = 8 << 20
			}
			dir := t.TempDir()
			raw := filepath.Join(dir, "system.img")
			image := make([]byte, size)
			_, _ = rand.NewChaCha8([32]byte{3}).Read(image[:size/2]) // the rest stays zero
			if err := os.WriteFile(raw, image, 0o644); err != nil {
				t.Fatal(err)
			}
			file := raw
			if tool, err := exec.LookPath("img2simg"); err == nil {
				file = filepath.Join(dir, "system.simg")
				if out, err := exec.Command(tool, raw, file).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			phone := inFastboot(t, simphone.Options{})
			device := network + ":" + serving(t, phone, network)
			run(t, "product: D5803", "-s", device, "getvar", "product")
			run(t, "partition-size:system:", "-s", device, "getvar", "all")
			run(t, "Finished", "-s", device, "flash", "system", file)
			run(t, "Finished", "-s", device, "erase", "cache")
			holds(t, phone, "system", bytes.NewReader(image), size)
			run(t, "Finished", "-s", device, "reboot")
		})
	}
}
