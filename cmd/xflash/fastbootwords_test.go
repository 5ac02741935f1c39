package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

// wordRecorder is a loader on TCP that accepts everything, writes down every command but
// questions, and leaves after a command that makes a phone leave.
type wordRecorder struct {
	mu    sync.Mutex
	heard []string
}

var recorderVariables = map[string]string{
	"version": "0.4", "product": "D5803", "unlocked": "yes", "max-download-size": "0x04000000",
	"partition-type:userdata": "raw", "partition-size:userdata": "0x1000000", "partition-type:cache": "raw", "partition-size:cache": "0x800000",
}

func (r *wordRecorder) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		r.client(c)
		c.Close()
	}
}

func (r *wordRecorder) client(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "FB01"); err != nil {
		return
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		return
	}
	say := func(text string) {
		_, _ = c.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...)) // a client that left is seen by the next read
	}
	for want := int64(0); ; {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		message := make([]byte, min(binary.BigEndian.Uint64(head[:]), 64<<20))
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		command := string(message)
		if want > 0 {
			if want -= int64(len(message)); want == 0 {
				say("OKAY")
			}
			continue
		}
		if name, ok := strings.CutPrefix(command, "getvar:"); ok {
			if value, ok := recorderVariables[name]; ok {
				say("OKAY" + value)
			} else {
				say("FAILunknown variable")
			}
			continue
		}
		r.mu.Lock()
		r.heard = append(r.heard, command)
		r.mu.Unlock()
		if hex, ok := strings.CutPrefix(command, "download:"); ok {
			_, _ = fmt.Sscanf(hex, "%x", &want) // a client that sends none is answered with what it sent
			say("DATA" + hex)
			continue
		}
		say("OKAY")
		if command == "boot" || command == "continue" || strings.HasPrefix(command, "reboot") {
			return
		}
	}
}

func (r *wordRecorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.heard
	r.heard = nil
	return said
}

// goodImage is a boot image for a Z3 Compact as its loaders start it.
func goodImage(t *testing.T, tree []byte) []byte {
	t.Helper()
	code := mkimage.Kernel{Banner: "Linux version 3.4.0", Config: "CONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n"}.Bytes()
	m := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x02000000, TagsAddr: 0x01E00000, Cmdline: "androidboot.hardware=qcom",
		Kernel:  append(mkimage.ZImage(mkimage.Pack(code, unpack.Gzip), unpack.Gzip, len(code)), tree...),
		Ramdisk: mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.Gzip)}
	m.ID = m.ComputeID()
	b, err := m.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWordsOfDebian: for every word of Android's help that these phones know, Debian's client
// and ours say the same commands in the same order. Questions are each client's own business.
func TestWordsOfDebian(t *testing.T) {
	theirs, err := exec.LookPath("fastboot")
	if err != nil {
		t.Skip("fastboot is not installed (Debian package fastboot)")
	}
	dir := t.TempDir()
	image := goodImage(t, mkimage.OnePieceDTB("SoMC Aries ROW", "somc,aries-row", 194, 8, 0x10000))
	system := filepath.Join(dir, "system.img")
	mke2fs := exec.Command("/sbin/mke2fs", "-q", "-t", "ext4", system, "2M")
	if out, err := mke2fs.CombinedOutput(); err != nil {
		t.Skipf("mke2fs: %v\n%s", err, out)
	}
	ext, err := os.ReadFile(system)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	files := map[string][]byte{"android-info.txt": []byte("require board=D5803\n"), "boot.img": image, "recovery.img": image, "system.img": ext}
	for name, data := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	files["update.zip"] = archive.Bytes()
	parts, err := bootimg.Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	files["kernel"], files["ramdisk"] = parts.Kernel, parts.Ramdisk
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &wordRecorder{}
	var serving sync.WaitGroup
	serving.Go(func() { r.serve(l) })
	defer serving.Wait()
	defer l.Close()
	device := "tcp:" + l.Addr().String()

	for _, line := range []string{
		"erase cache", "erase cache reboot-bootloader", "reboot", "reboot bootloader", "reboot-bootloader", "reboot recovery",
		"continue", "flash boot boot.img", "flash recovery recovery.img reboot", "flash system system.img", "flash boot", "stage boot.img",
		"boot boot.img", "oem device-info", "flashing get_unlock_ability", "flash boot boot.img flash system system.img reboot",
		"update update.zip", "--skip-reboot update update.zip", "flashall", "-S 1M flash system system.img", "getvar product",
		"reboot-recovery", "flash:raw boot kernel ramdisk", "--cmdline androidboot.hardware=qcom flash:raw boot kernel ramdisk",
		"-w flash recovery recovery.img",
		"-w reboot", "reboot -w", "-w update update.zip", "-w",
	} {
		words := strings.Fields(line)
		run := func(name string, more ...string) []string {
			r.take()
			cmd := exec.CommandContext(t.Context(), theirs, append([]string{"-s", device}, words...)...)
			if name != theirs {
				cmd = program(t, dir, append(append([]string{"fastboot", "-s", device}, more...), words...)...)
			}
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "ANDROID_PRODUCT_OUT="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s %s: %v\n%s", filepath.Base(name), line, err, out)
			}
			return r.take()
		}
		want := run(theirs)
		got := run("xflash", "--yes")
		if strings.Contains(line, "-w") {
			// Debian's client has no program that makes file systems, so it erases only. Ours
			// makes one right after each erase.
			for _, p := range []string{"userdata", "cache"} {
				i := slices.Index(got, "erase:"+p)
				if i < 0 || len(got) < i+3 || !strings.HasPrefix(got[i+1], "download:") || got[i+2] != "flash:"+p {
					t.Errorf("%s: no file system for %s: %q", line, p, got)
					continue
				}
				got = slices.Delete(got, i+1, i+3)
			}
		}
		if !slices.Equal(got, want) || len(want) == 0 && line != "getvar product" {
			t.Errorf("%s:\nours   %q\ntheirs %q", line, got, want)
		}
	}
}

// TestOptionsLikeGetopt: letters may be joined with each other and with their value, also one
// that holds "=", and an error names the option as it was given.
func TestOptionsLikeGetopt(t *testing.T) {
	read := func(line ...string) (*fastbootLine, []string, error) {
		a := &app{ui: &terminal{}}
		l := &fastbootLine{app: a, flags: newRootCommand(a).PersistentFlags()}
		words, err := l.takeOptions(line)
		return l, words, err
	}
	l, words, err := read("-wv", "-ssim:z3c,mode=fastboot", "flash", "-S", "16K", "boot", "--base=0x80", "-ca=b", "--json", "--", "-x")
	if err != nil || !l.wipe || l.device != "sim:z3c,mode=fastboot" || l.options.limit != 16<<10 || l.options.raw.base != 0x80 || l.options.raw.cmdline != "a=b" ||
		!l.ui.json || strings.Join(words, " ") != "flash boot -x" {
		t.Errorf("%+v, %q, %v", l, words, err)
	}
	for option, want := range map[string]string{"-s": "-s needs a device", "--trace": "--trace needs a value", "--frob": "option --frob", "-frob": "option -frob",
		"--os-version": "--os-version is for phones of 2016", "-p": "-p chose", "--base=x": `--base: "x" is not a 32-bit number`, "-S0": `-S: "0" is not a size`, "-wipe": `-i: "pe" is not a vendor id`} {
		if _, _, err := read(option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", option, err)
		}
	}
}
