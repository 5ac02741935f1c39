package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xflash/fastboot"
	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/usbproto"
)

// TestOnlyWhatMayBeSentIsSentThroughFastboot is the same promise where the phone checks
// nothing: what a phone was told to flash and to erase is read off the wire, over bundles
// and requests made by chance. Layer: make check.
func TestOnlyWhatMayBeSentIsSentThroughFastboot(t *testing.T) {
	t.Parallel()
	cases := uint64(250)
	if !testing.Short() {
		cases = 1500
	}
	names, complete := []string{"z3c", "z1", "zr", "z5c", "e3"}, uint64(0)
	for seed := range cases {
		c := newCase(t, 1e6+seed, names[seed%uint64(len(names))])
		c.request.Route = restore.RouteFastboot
		wire := &fastbootRecorder{}
		err := c.throughFastboot(t, wire)
		if err == nil {
			complete++
		}
		if why := c.judgeFastboot(wire, err); why != "" {
			t.Fatalf("seed %d: %s\n%s\nthe restore ended with: %v", seed, why, c, fullText(err))
		}
	}
	if complete < cases/20 {
		t.Errorf("only %d of %d restores were complete: the cases show too little", complete, cases)
	}
}

// fastbootImages are the images that fastboot writes, and its names for their partitions.
var fastbootImages = map[string]string{"kernel": "boot", "fotakernel": "recovery", "system": "system", "cache": "cache", "userdata": "userdata"}

func (c *propertyCase) throughFastboot(t *testing.T, wire *fastbootRecorder) error {
	t.Helper()
	bundle, err := ftf.Open(c.bundle.write(t))
	if err != nil {
		return err
	}
	defer bundle.Close()
	fw, err := restore.Check(t.Context(), bundle, restore.CheckOptions{Request: c.request, Roots: trusted(t)})
	if err != nil {
		return err
	}
	client, err := fastboot.Open(t.Context(), wire, fastboot.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	// Android images of the kernels, which here are what the files hold.
	boots := map[string]restore.BootImage{}
	for _, short := range []string{"kernel", "fotakernel"} {
		if m := c.bundle.find(short); m != nil && len(m.data) > 4096 {
			boots[short] = restore.BootImage{Data: m.data[len(m.data)-4096:]}
		}
	}
	facts := &restore.FastbootFacts{Product: c.bundle.facts.Model, Identity: strings.Repeat("5e", 32)}
	plan, journal, err := restore.PrepareFastbootRun(restore.Store{Dir: quickDir(t)}, fw, facts, boots, c.request, false)
	if err != nil {
		return err
	}
	return restore.RunFastboot(t.Context(), client, plan, restore.FastbootOptions{RunOptions: restore.RunOptions{Journal: journal},
		Dir: t.TempDir(), Limit: 64 << 20})
}

func (c *propertyCase) judgeFastboot(wire *fastbootRecorder, err error) string {
	may := c.mayFastboot()
	for _, f := range wire.flashed {
		i := slices.IndexFunc(c.bundle.members, func(m *made) bool { return bytes.Contains(m.data, f.data) })
		if i < 0 {
			return fmt.Sprintf("%d bytes of no member were flashed to %s", len(f.data), f.partition)
		}
		if m := c.bundle.members[i]; may[m.name] != f.partition {
			return fmt.Sprintf("%q was flashed to %s and must not be", m.name, f.partition)
		}
	}
	for _, p := range wire.erased {
		inBundle := slices.ContainsFunc(c.bundle.members, func(m *made) bool { return m.image == p && !m.boot })
		if p != "cache" && (p != "userdata" || !c.request.Wipe) || inBundle {
			return p + " was erased and must not be"
		}
	}
	if err != nil {
		return ""
	}
	if may == nil {
		return "the restore is complete and had to be refused"
	}
	for name, partition := range may {
		if !slices.ContainsFunc(wire.flashed, func(f flashed) bool { return f.partition == partition }) {
			return fmt.Sprintf("the restore is complete without %q", name)
		}
	}
	return ""
}

// mayFastboot computes what may be flashed, and where; nil when nothing may be.
func (c *propertyCase) mayFastboot() map[string]string {
	only, okOnly := c.meant(c.request.Only, true)
	skip, okSkip := c.meant(c.request.Skip, false)
	if !okOnly || !okSkip {
		return nil
	}
	wanted := func(m *made) bool {
		return fastbootImages[m.image] != "" && !m.boot && m.class != "never" && (m.class != "wipe" || c.request.Wipe) &&
			!slices.Contains(skip, m.thing()) && (len(c.request.Only) == 0 || slices.Contains(only, m.thing()))
	}
	may := map[string]string{}
	for _, m := range c.bundle.members {
		if m.vile && !slices.Contains(skip, m.thing()) || wanted(m) && m.bad != "" {
			return nil
		}
		if !wanted(m) {
			continue
		}
		for _, other := range may {
			if other == fastbootImages[m.image] {
				return nil // two files for one partition
			}
		}
		may[m.name] = fastbootImages[m.image]
	}
	return may
}

// fastbootRecorder is a boot loader that agrees to everything.
type fastbootRecorder struct {
	answers []string
	missing int // bytes of a download still to come
	data    []byte
	flashed []flashed
	erased  []string
}

type flashed struct {
	partition string
	data      []byte
}

func (r *fastbootRecorder) Write(_ context.Context, p []byte) (int, error) {
	if r.missing > 0 {
		r.data, r.missing = append(r.data, p...), r.missing-len(p)
		if r.missing == 0 {
			r.answers = append(r.answers, "OKAY")
		}
		return len(p), nil
	}
	word, rest, _ := strings.Cut(string(p), ":")
	answer := "OKAY"
	switch word {
	case "download":
		n, err := strconv.ParseUint(rest, 16, 32)
		if err != nil {
			return 0, err
		}
		r.missing, r.data, answer = int(n), nil, "DATA"+rest
	case "flash":
		r.flashed = append(r.flashed, flashed{rest, r.data})
	case "erase":
		r.erased = append(r.erased, rest)
	}
	r.answers = append(r.answers, answer)
	return len(p), nil
}

func (r *fastbootRecorder) Read(_ context.Context, p []byte) (int, error) {
	if len(r.answers) == 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "the recorder", Err: usbproto.ErrTimeout}
	}
	n := copy(p, r.answers[0])
	r.answers = r.answers[1:]
	return n, nil
}

func (r *fastbootRecorder) Close() error { return nil }

// What fastboot cannot write is refused without a phone, not after the plan was agreed to. Layer:
// make check.
func TestFastbootPlanKnowsFileSystems(t *testing.T) {
	t.Parallel()
	c := &propertyCase{bundle: newMadeBundle(t), request: restore.Request{Route: restore.RouteFastboot}}
	content := bytes.Repeat([]byte{0xA5}, 4096)
	b := mkimage.MapBuilder{HashType: sin.SHA256}
	b.Select(c.bundle.entry("system").Unique)
	b.Addr(bytes.NewReader(content), 0, 0, int64(len(content)))
	p, err := b.Payload()
	if err != nil {
		t.Fatal(err)
	}
	c.bundle.find("system").data = build(t, good, "S1_SW", sin.TypeImage, p)
	bundle, err := ftf.Open(c.bundle.write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	fw, err := restore.Check(t.Context(), bundle, restore.CheckOptions{Request: c.request, Roots: trusted(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := restore.BuildFastboot(fw, nil, nil, c.request); !refusedFor(err, "instead of an ext4 file system") {
		t.Errorf("got %v", err)
	}
	wire := &fastbootRecorder{}
	if err := c.throughFastboot(t, wire); err == nil || len(wire.flashed) > 0 {
		t.Errorf("%v, %d images sent", err, len(wire.flashed))
	}
}
