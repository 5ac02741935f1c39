package fastboot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a loader on TCP that takes everything and writes down every command, and of
// every download the SHA-256 of its data.
type recorder struct {
	mu    sync.Mutex
	heard []string
}

// serve answers one client after the other until the listener is closed.
func (r *recorder) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r.client(c)
		c.Close()
	}
}

func (r *recorder) client(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	hello := make([]byte, 4)
	if _, err := io.WriteString(c, "FB01"); err != nil {
		return
	}
	if _, err := io.ReadFull(c, hello); err != nil {
		return
	}
	say := func(text string) {
		_, _ = c.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...)) // a client that left is seen by the next read
	}
	want, sum := int64(0), sha256.New()
	for {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint64(head[:]))
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		if want > 0 {
			sum.Write(message)
			if want -= int64(len(message)); want == 0 {
				r.note(fmt.Sprintf("data %x", sum.Sum(nil)[:8]))
				say("OKAY")
			}
			continue
		}
		command := string(message)
		r.note(command)
		switch {
		case command == "getvar:version":
			say("OKAY0.4")
		case command == "getvar:max-download-size":
			say("OKAY0x00400000")
		case strings.HasPrefix(command, "download:"):
			if _, err := fmt.Sscanf(command, "download:%x", &want); err != nil {
				say("FAILno number")
				continue
			}
			sum.Reset()
			say("DATA" + command[9:])
		default:
			say("OKAY")
		}
	}
}

func (r *recorder) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, what)
}

// take returns what was heard since the last time, but for questions: what a client asks
// before it acts is its own business.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := slices.DeleteFunc(r.heard, func(s string) bool { return strings.HasPrefix(s, "getvar:") })
	r.heard = nil
	return said
}

// Test 29 of docs/contributing.md §5: what Debian's client says to a loader, and what ours says
// for the same jobs, are the same commands with the same data, byte for byte.
func TestSameCommandsAsAOSP(t *testing.T) {
	aosp, err := exec.LookPath("fastboot")
	if err != nil {
		t.Skip("fastboot is not installed (Debian package fastboot)")
	}
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noise := make([]byte, 6<<20)
	_, _ = rand.NewChaCha8([32]byte{5}).Read(noise) // never fails
	boot := append([]byte("ANDROID!"), noise[:100<<10]...)
	binary.LittleEndian.PutUint32(boot[36:], 2048)
	clear(boot[8:36]) // sizes and addresses
	clear(boot[40:1632])
	mixed := slices.Concat(noise[:2<<20], make([]byte, 3<<20), bytes.Repeat([]byte("abcd"), 1<<18), noise[2<<20:])
	small, large := file("small.img", noise[:300<<10]), file("large.img", mixed)
	sparse := filepath.Join(dir, "large.simg")
	if tool, err := exec.LookPath("img2simg"); err != nil {
		t.Skip("img2simg is not installed (Debian package android-sdk-libsparse-utils)")
	} else if out, err := exec.Command(tool, large, sparse).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	image := file("boot.img", boot)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	var serving sync.WaitGroup
	serving.Go(func() { r.serve(l) })
	defer serving.Wait()
	defer l.Close()
	addr := l.Addr().String()

	flash := func(path string) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			st, err := f.Stat()
			if err != nil {
				return err
			}
			return c.Flash(ctx, "system", f, st.Size(), 0)
		}
	}
	for name, job := range map[string]struct {
		words []string
		ours  func(context.Context, *Client) error
	}{
		"a raw image that fits":    {[]string{"flash", "system", small}, flash(small)},
		"a sparse image that fits": {[]string{"-S", "64M", "flash", "system", sparse}, func(ctx context.Context, c *Client) error { return flashWith(ctx, c, sparse, 64<<20) }},
		"a sparse image in pieces": {[]string{"flash", "system", sparse}, flash(sparse)},
		"erase":                    {[]string{"erase", "cache"}, func(ctx context.Context, c *Client) error { return c.Erase(ctx, "cache") }},
		"boot": {[]string{"boot", image}, func(ctx context.Context, c *Client) error {
			return c.Boot(ctx, bytes.NewReader(boot), int64(len(boot)))
		}},
		"reboot":                    {[]string{"reboot"}, func(ctx context.Context, c *Client) error { return c.Reboot(ctx, "") }},
		"reboot to the boot loader": {[]string{"reboot-bootloader"}, func(ctx context.Context, c *Client) error { return c.Reboot(ctx, "bootloader") }},
		"a maker's own word":        {[]string{"oem", "device-info"}, func(ctx context.Context, c *Client) error { _, err := c.Command(ctx, "oem device-info"); return err }},
	} {
		r.take()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := exec.CommandContext(ctx, aosp, append([]string{"-s", "tcp:" + addr}, job.words...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		theirs := r.take()
		conn, err := DialTCP(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		client, err := Open(ctx, conn, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := job.ours(ctx, client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if ours := r.take(); !slices.Equal(ours, theirs) || len(ours) == 0 {
			t.Errorf("%s:\nours   %q\ntheirs %q", name, ours, theirs)
		}
	}
}

func flashWith(ctx context.Context, c *Client, path string, limit int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return c.Flash(ctx, "system", f, st.Size(), limit)
}
