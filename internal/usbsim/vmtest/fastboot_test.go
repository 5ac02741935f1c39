package vmtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/fastboot/sparse"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/usbsim"
)

// debian is the fastboot client of Debian.
const debian = "/rig/fastboot"

// fastbootPhone is a phone whose loader is of 2014.
var fastbootPhone = simphone.Options{InFastboot: true, Aboot: simphone.Aboot2014, Serial: "CB5A25SIM1"}

// bootImage is a small image that this phone starts.
func bootImage(t testing.TB) string {
	t.Helper()
	code := mkimage.Kernel{Banner: "Linux version 3.4.0", Config: "CONFIG_ARCH_MSM8974=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n"}.Bytes()
	table, err := bootimg.BuildQCDT(2, 2048, []bootimg.Tree{{
		DTB: mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard),
		IDs: []bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x10000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	image := &bootimg.Image{PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x02000000, SecondAddr: 0xF00000, TagsAddr: 0x01E00000,
		Cmdline: "androidboot.hardware=qcom", DT: table,
		Kernel:  mkimage.ZImage(mkimage.Pack(code, unpack.Gzip), unpack.Gzip, len(code)),
		Ramdisk: mkimage.Pack(mkimage.Ramdisk("init.rc"), unpack.Gzip)}
	image.ID = image.ComputeID()
	data, err := image.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder(t), "boot.img")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// folder is a temporary one that everybody may read.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "images-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fileSystem is what an ext4 file system of size bytes starts with, and noise.
func fileSystem(size int64) io.Reader {
	head := make([]byte, 4096)
	copy(head[0x438:], "\x53\xef") // where ext4 has its magic number, and the number of its blocks of 1 KiB
	binary.LittleEndian.PutUint32(head[0x404:], uint32(size>>10))
	return io.MultiReader(bytes.NewReader(head), io.LimitReader(rand.NewChaCha8([32]byte{7}), size-int64(len(head))))
}

const systemSize = 256 << 20

// sparseSystem is a sparse image of 256 MiB that do not compress.
func sparseSystem(t testing.TB) string {
	t.Helper()
	dir := folder(t)
	raw, err := os.Create(filepath.Join(dir, "system.raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.Copy(raw, fileSystem(systemSize)); err != nil {
		t.Fatal(err)
	}
	image, err := sparse.FromRaw(raw, systemSize, sparse.RawOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := image.Split(0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "system.simg"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, pieces[0].Reader())
	if err := errors.Join(err, out.Close(), os.Remove(raw.Name())); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// holds compares the beginning of a partition with what was to be written.
func (b *bench) holds(label string, want io.Reader) {
	b.t.Helper()
	p, err := b.phone.Partition(label)
	if err != nil {
		b.t.Fatal(err)
	}
	got, expected := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(got)) {
		n, err := io.ReadFull(want, expected)
		if n == 0 {
			return
		}
		if _, err := p.ReadAt(got[:n], at); err != nil {
			b.t.Fatal(err)
		}
		if !bytes.Equal(got[:n], expected[:n]) {
			b.t.Fatalf("%s differs within the MiB at %d", label, at)
		}
		if err != nil {
			return
		}
	}
}

// Everything a person does with fastboot, over libusb; as an ordinary user with the rights
// that the udev rule gives.
func TestFastboot(t *testing.T) {
	needVM(t)
	boot, system := bootImage(t), sparseSystem(t)
	b := newBench(t, fastbootPhone)
	var y tally
	aboot := b.plugFastboot(y.watch())
	b.allow(user)
	contains(t, b.xflash(user, "devices").want(t, 0).stdout, "0fce:0dde", "fastboot")
	contains(t, b.xflash(user, "fastboot", "getvar", "product").want(t, 0).stdout, "D5803")
	contains(t, b.xflash(user, "flash", "system", system).want(t, 0).stdout, "system is written")
	b.holds("system", fileSystem(systemSize))
	requests, bytes, all, deepest := y.large()
	t.Logf("%d bytes to the phone, of them %d in %d requests of 256 KiB and more, up to %d at once", all, bytes, requests, deepest)
	if bytes < all*99/100 || deepest < 2 {
		t.Errorf("of %d bytes only %d are in requests of 256 KiB and more; %d at once", all, bytes, deepest)
	}

	ended := make(chan outcome)
	at := "usb:" + b.port
	go func() { ended <- run(b.home, user, program, "boot", boot, "--device", at) }()
	b.gone()
	// What was started comes onto the bus, at the same port.
	b.plugConn(usbsim.Android(b.phone.Serial()), usbsim.Idle(), usbsim.Watch{})
	contains(t, (<-ended).want(t, 0).stdout, "The phone accepted the image", "It runs")
	b.unplug()
	if aboot.Started != "boot" || aboot.Outcome != simphone.OutcomeRuns {
		t.Errorf("the phone does %q: %s", aboot.Started, aboot.Outcome)
	}
}

// Debian's client and the same phone: what ours does is what it does.
func TestDebianFastboot(t *testing.T) {
	needVM(t)
	boot, system := bootImage(t), sparseSystem(t)
	b := newBench(t, fastbootPhone)
	aboot := b.plugFastboot(usbsim.Watch{})
	client := func(words ...string) outcome { return run(b.home, nil, debian, words...).want(t, 0) }
	contains(t, client("devices").stdout, "CB5A25SIM1", "fastboot")
	contains(t, client("getvar", "product").stderr, "D5803")
	client("flash", "system", system)
	b.holds("system", fileSystem(systemSize))
	client("erase", "cache")
	client("flash", "boot", boot)
	image, err := os.Open(boot)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	b.holds("boot", image)
	client("boot", boot)
	b.gone()
	if aboot.Started != "boot" || aboot.Outcome != simphone.OutcomeRuns {
		t.Errorf("the phone does %q: %s", aboot.Started, aboot.Outcome)
	}
	aboot = b.plugFastboot(usbsim.Watch{})
	client("reboot")
	b.gone()
	if aboot.Started != "reboot" {
		t.Errorf("the phone does %q", aboot.Started)
	}
}

// A phone changes its mode and is found again: nothing, flash mode, fastboot, fastboot
// again after a reboot into it.
func TestWaitAcrossModes(t *testing.T) {
	b := newBench(t, simphone.Options{Serial: "CB5A25SIM1"})
	contains(t, b.xflash(nil, "wait", "fastboot", "--timeout", "1s").want(t, 3).stderr, "after 1s: no phone is plugged in", "Volume Up")
	waiting := func(mode string) chan outcome {
		ended := make(chan outcome)
		go func() { ended <- run(b.home, nil, program, "wait", mode, "--timeout", "60s") }()
		time.Sleep(time.Second) // it waits now, most likely; when not, it finds the phone at once
		return ended
	}
	wait := waiting("flashmode")
	b.plug(usbsim.Watch{})
	contains(t, (<-wait).want(t, 0).stdout, b.port)

	wait = waiting("fastboot") // the phone is in another mode, then off
	b.unplug()
	aboot := b.plugFastboot(usbsim.Watch{})
	contains(t, (<-wait).want(t, 0).stdout, b.port)
	b.xflash(nil, "fastboot", "reboot", "bootloader").want(t, 0)
	b.gone()
	if aboot.Started != "reboot-bootloader" {
		t.Errorf("the phone does %q", aboot.Started)
	}
	wait = waiting("fastboot")
	b.plugFastboot(usbsim.Watch{})
	(<-wait).want(t, 0)
	contains(t, b.xflash(nil, "fastboot", "getvar", "serialno", "--show-ids").want(t, 0).stdout, "CB5A25SIM1")
}

// The program itself plugs a simulated phone in, and the program finds it: in flash mode, and
// in fastboot, from where it comes back after a restart into it, and starts an image.
func TestSimOnTheBus(t *testing.T) {
	b := newBench(t, simphone.Options{})
	for _, tt := range []struct{ spec, mode string }{{"z3c", "flashmode"}, {"z3c,mode=fastboot,aboot=2014", "fastboot"}} {
		sim := exec.Command(program, "sim", tt.spec, "--usb")
		sim.Env = append(os.Environ(), "HOME="+b.home)
		if err := sim.Start(); err != nil {
			t.Fatal(err)
		}
		wait := func(mode string) { run(b.home, nil, program, "wait", mode, "--timeout", "60s").want(t, 0) }
		wait(tt.mode)
		if tt.mode == "fastboot" {
			run(b.home, nil, program, "fastboot", "reboot", "bootloader").want(t, 0)
			b.until("the phone has left to start again", func() bool { return len(busIDs(t)) == 0 })
			wait("fastboot")
			contains(t, run(b.home, nil, program, "boot", bootImage(t)).want(t, 0).stdout, "It runs")
			wait("adb")
		} else {
			contains(t, run(b.home, nil, program, "info").want(t, 0).stdout, "D5803")
		}
		if err := sim.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = sim.Wait() // it ends by the signal, or by itself
		b.until("the phone is off the bus", func() bool { return len(busIDs(t)) == 0 })
	}
}

// BenchmarkFlash flashes the same 256 MiB with both clients, in turn, and compares them.
func BenchmarkFlash(b *testing.B) {
	if os.Getenv("XFLASH_VM") == "" {
		b.Skip("this runs in the virtual machine of make bench-usb")
	}
	system := sparseSystem(b)
	clients := []struct {
		name  string
		words []string
	}{{program, []string{"flash", "system", system, "--quiet"}}, {debian, []string{"flash", "system", system}}}
	var wall, cpu [2]time.Duration
	for b.Loop() {
		for i, c := range clients {
			phone := newBench(b, fastbootPhone)
			var y tally
			phone.plugFastboot(y.watch())
			o := run(phone.home, nil, c.name, c.words...).want(b, 0)
			phone.holds("system", fileSystem(systemSize))
			phone.unplug()
			wall[i] += o.took
			cpu[i] += o.cpu
			requests, bytes, _, deepest := y.large()
			b.Logf("%-13s %6.2f s, %5.2f s of processor; %d requests of 256 KiB and more with %d bytes, up to %d at once",
				c.name, o.took.Seconds(), o.cpu.Seconds(), requests, bytes, deepest)
		}
	}
	b.ReportMetric(wall[1].Seconds()/wall[0].Seconds(), "times-faster")
	b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "processor-ratio")
}
