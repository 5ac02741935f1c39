package fastboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"xflash/usbproto"
)

// The client against a server that is not ours: U-Boot from Debian's source package, in
// QEMU, with a memory card (make test-uboot). Its server over UDP does everything; the one
// over TCP takes commands that fit one packet, and no downloads.

// uboot is a U-Boot that waits at its prompt.
type uboot struct {
	t     *testing.T
	keys  io.Writer
	said  *screen
	port  string
	disk  string
	start map[string]int64 // of the partitions, in bytes
}

// screen collects what a machine writes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startUBoot starts the machine with a card of the partitions boot, system and cache.
func startUBoot(t *testing.T) *uboot {
	rom := os.Getenv("XFLASH_UBOOT")
	if rom == "" {
		t.Skip("XFLASH_UBOOT does not name a ROM (make test-uboot builds one)")
	}
	u := &uboot{t: t, said: &screen{}, port: freePort(t), disk: filepath.Join(t.TempDir(), "card"),
		start: map[string]int64{"boot": 1 << 20, "system": 9 << 20, "cache": 57 << 20}}
	if err := os.WriteFile(u.disk, bytes.Repeat([]byte{0xA5}, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--clear"}
	for i, name := range []string{"boot", "system", "cache"} {
		size := map[string]string{"boot": "+8M", "system": "+48M", "cache": "+4M"}[name]
		args = append(args, "-n", fmt.Sprintf("%d:%d:%s", i+1, u.start[name]/512, size), "-c", fmt.Sprintf("%d:%s", i+1, name))
	}
	if out, err := exec.CommandContext(t.Context(), "sgdisk", append(args, u.disk)...).CombinedOutput(); err != nil {
		t.Fatalf("sgdisk: %v\n%s", err, out)
	}
	forward := func(network string) string {
		return ",hostfwd=" + network + ":127.0.0.1:" + u.port + "-10.0.2.15:5554"
	}
	qemu := exec.CommandContext(t.Context(), "qemu-system-x86_64", "-accel", "tcg", "-M", "pc", "-m", "512", "-bios", rom,
		"-display", "none", "-monitor", "none", "-serial", "stdio",
		"-drive", "if=none,id=card,format=raw,file="+u.disk, "-device", "sdhci-pci", "-device", "sd-card,drive=card",
		"-nic", "user,model=e1000"+forward("udp")+forward("tcp"))
	qemu.Stdout, qemu.Stderr = u.said, u.said
	keys, err := qemu.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	u.keys = keys
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = qemu.Process.Kill() // it may have ended
		_ = qemu.Wait()         // killed
		if t.Failed() {
			text := u.said.String()
			t.Logf("U-Boot said at last:\n%s", text[max(0, len(text)-2000):])
		}
	})
	u.sees("=> ", 1)
	return u
}

// freePort is a port of which nobody makes use, over TCP or UDP.
func freePort(t *testing.T) string {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close() // it only held the port
		if err == nil {
			_ = c.Close() // as above
			_, port, _ := net.SplitHostPort(l.Addr().String())
			return port
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return ""
}

// sees waits until text was written so many times.
func (u *uboot) sees(text string, times int) {
	u.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.Count(u.said.String(), text) >= times {
			return
		}
	}
	u.t.Fatalf("U-Boot did not write %q within a minute", text)
}

// serve lets it serve one of its transports, and opens a session.
func (u *uboot) serve(ctx context.Context, network string, dial func(context.Context, string) (usbproto.Conn, error)) *Client {
	u.t.Helper()
	listening := strings.Count(u.said.String(), "Listening")
	for _, line := range []string{"setenv ipaddr 10.0.2.15", "setenv serverip 10.0.2.2", "setenv netmask 255.255.255.0", "setenv board aries", "fastboot " + network} {
		if _, err := io.WriteString(u.keys, line+"\n"); err != nil {
			u.t.Fatal(err)
		}
	}
	u.sees("Listening", listening+1)
	// QEMU takes a connection at once and knocks at U-Boot again only after seconds when that
	// was not quite ready, which is longer than a handshake may last.
	var conn usbproto.Conn
	var err error
	for range 8 {
		if conn, err = dial(ctx, "127.0.0.1:"+u.port); err == nil {
			break
		}
		u.t.Logf("dialled once more: %v", err)
	}
	if err != nil {
		u.t.Fatal(err)
	}
	client, err := Open(ctx, conn, Options{Log: func(text string) { u.t.Errorf("odd: %s", text) }})
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = client.Close() }) // some tests have closed it
	return client
}

// read returns the first bytes of a partition on the card.
func (u *uboot) read(partition string, size int) []byte {
	u.t.Helper()
	f, err := os.Open(u.disk)
	if err != nil {
		u.t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, size)
	if _, err := f.ReadAt(got, u.start[partition]); err != nil {
		u.t.Fatal(err)
	}
	return got
}

// erased checks that a partition holds what an erased card holds, of which there are two kinds.
func (u *uboot) erased(partition string, size int) {
	u.t.Helper()
	if got := u.read(partition, size); len(bytes.Trim(got, "\x00")) > 0 && len(bytes.Trim(got, "\xFF")) > 0 {
		u.t.Errorf("%s is not erased: %#x …", partition, got[:16])
	}
}

// holds compares a partition on the card with what it should hold.
func (u *uboot) holds(partition string, want []byte) {
	u.t.Helper()
	got := u.read(partition, len(want))
	if !bytes.Equal(got, want) {
		at := 0
		for got[at] == want[at] {
			at++
		}
		u.t.Errorf("%s differs at byte %d: %#x, want %#x", partition, at, got[at], want[at])
	}
}

// refused checks that a command was refused with this text.
func refused(t *testing.T, err error, text string) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Text != text {
		t.Errorf("%v, want the refusal %q", err, text)
	}
}

func TestUBootUDP(t *testing.T) {
	u := startUBoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := u.serve(ctx, "udp", DialUDP)

	variables, err := c.Variables(ctx)
	if err != nil || len(variables) != 10 {
		t.Errorf("getvar all: %v, %v", variables, err)
	}
	if v, err := c.Getvar(ctx, "product"); err != nil || v != "aries" {
		t.Errorf("product: %q, %v", v, err)
	}
	if n, told, err := c.MaxDownload(ctx); err != nil || !told || n != 16<<20 {
		t.Errorf("max-download-size: %d, %v, %v", n, told, err)
	}
	if n, err := c.PartitionSize(ctx, "system"); err != nil || n != 48<<20 {
		t.Errorf("size of system: %d, %v", n, err)
	}
	agreeTo(t, c, "oem dance")
	_, err = c.Command(ctx, "oem dance")
	refused(t, err, "unrecognized command")
	refused(t, c.Erase(ctx, "recovery"), "invalid partition or device")

	random := rand.NewChaCha8([32]byte{4})
	boot := make([]byte, 3<<20)
	_, _ = random.Read(boot) // never fails
	if err := c.Flash(ctx, "boot", bytes.NewReader(boot), int64(len(boot)), 0); err != nil {
		t.Fatal(err)
	}
	u.holds("boot", boot)
	large := make([]byte, 9<<20)
	refused(t, c.Flash(ctx, "boot", bytes.NewReader(large), int64(len(large)), 0), "too large for partition")
	u.holds("boot", boot)

	// More than one download, with pages of one word and empty ones: four sparse images.
	system := make([]byte, 47<<20)
	for at := 0; at < len(system); at += 4 << 20 {
		_, _ = random.Read(system[at : at+3<<20]) // never fails
		if at%(8<<20) == 0 {
			copy(system[at+3<<20:], bytes.Repeat([]byte("word"), 128<<10))
		}
	}
	if err := c.Flash(ctx, "system", bytes.NewReader(system), int64(len(system)), 0); err != nil {
		t.Fatal(err)
	}
	u.holds("system", system)

	// A sparse image of Debian's img2simg, as it is and in pieces.
	for _, limit := range []int64{0, 2 << 20} {
		_, _ = random.Read(system[:5<<20]) // never fails
		raw, sparse := filepath.Join(t.TempDir(), "raw"), filepath.Join(t.TempDir(), "sparse")
		if err := os.WriteFile(raw, system[:12<<20], 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(ctx, "img2simg", raw, sparse).CombinedOutput(); err != nil {
			t.Fatalf("img2simg: %v\n%s", err, out)
		}
		image, err := os.ReadFile(sparse)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Flash(ctx, "system", bytes.NewReader(image), int64(len(image)), limit); err != nil {
			t.Fatal(err)
		}
		u.holds("system", system)
	}

	u.holds("cache", bytes.Repeat([]byte{0xA5}, 4<<20))
	if err := c.Erase(ctx, "cache"); err != nil {
		t.Fatal(err)
	}
	u.erased("cache", 4<<20)
	u.holds("boot", boot)

	starts := strings.Count(u.said.String(), "Core:")
	if err := c.Reboot(ctx, ""); err != nil {
		t.Fatal(err)
	}
	u.sees("Core:", starts+1)
}

func TestUBootTCP(t *testing.T) {
	u := startUBoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := u.serve(ctx, "tcp", DialTCP)
	if v, err := c.Getvar(ctx, "version"); err != nil || v != "0.4" {
		t.Errorf("version: %q, %v", v, err)
	}
	if v, err := c.Getvar(ctx, "product"); err != nil || v != "aries" {
		t.Errorf("product: %q, %v", v, err)
	}
	if n, err := c.PartitionSize(ctx, "cache"); err != nil || n != 4<<20 {
		t.Errorf("size of cache: %d, %v", n, err)
	}
	agreeTo(t, c, "oem dance")
	_, err := c.Command(ctx, "oem dance")
	refused(t, err, "unrecognized command")
	if err := c.Erase(ctx, "cache"); err != nil {
		t.Fatal(err)
	}
	u.erased("cache", 4<<20)

	// It takes the data of a download for commands, and hangs up or falls silent.
	boot := bytes.Repeat([]byte("boot"), 1<<18)
	short, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	err = c.Flash(short, "boot", bytes.NewReader(boot), int64(len(boot)), 0)
	if !errors.Is(err, usbproto.ErrGone) && !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("a download that the server cannot take: %v", err)
	}
	u.holds("boot", bytes.Repeat([]byte{0xA5}, 8<<20))
}
