package restore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/restore"
	"xflash/usbproto/s1"
)

// TestOnlyWhatMayBeSentIsSent is the test that decides about this package: over bundles,
// requests and phones made by chance, it reads off the wire what a phone got. What a phone
// may get is computed by the generator, which knows of every file whether it is sound, who
// signed it and what it is aimed at. It never looks at a plan or at what Check found.
//
// XFLASH_SEED=N repeats one case. Layer: make check.
func TestOnlyWhatMayBeSentIsSent(t *testing.T) {
	t.Parallel()
	first, cases := uint64(1), uint64(400)
	if !testing.Short() {
		cases = 3000
	}
	if seed, err := strconv.ParseUint(os.Getenv("XFLASH_SEED"), 10, 64); err == nil {
		first, cases = seed, 1
	}
	names, complete := []string{"z3c", "z1", "zr", "z5c", "e3"}, 0
	for seed := first; seed < first+cases; seed++ {
		c := newCase(t, seed, names[seed%uint64(len(names))])
		wire, err := c.flash(t)
		if err == nil {
			complete++
		}
		if why := c.judge(wire, err); why != "" {
			t.Errorf("seed %d: %s\n%s\nthe restore ended with: %v", seed, why, c, err)
		}
		if t.Failed() {
			return
		}
	}
	if cases > 1 && uint64(complete) < cases/10 {
		t.Errorf("only %d of %d restores were complete: the cases show too little", complete, cases)
	}
}

// A propertyCase is a bundle, a request and a phone.
type propertyCase struct {
	bundle  *madeBundle
	request restore.Request
	phone   phoneKind
	store   *restore.Store // of journals; nil: a new one
	resume  bool
}

// phoneKind is what the phone says of itself.
type phoneKind struct {
	loaderRuns  bool
	sameBoot    bool // it has the boot version of the bundle
	strangeFuse bool // no boot set of the bundle is for it
}

func newCase(t *testing.T, seed uint64, phone string) *propertyCase {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	c := &propertyCase{bundle: newMadeBundleFor(t, phone)}
	for range rng.IntN(3) {
		change := bundleChanges[rng.IntN(len(bundleChanges))]
		c.bundle.changes = append(c.bundle.changes, change.name)
		change.make(c.bundle, rng)
	}
	pool := []string{"boot", "partition", "cust-reset", "fota-reset", "sytem", "tz", "loader", "KERNEL"}
	for _, m := range c.bundle.members {
		pool = append(pool, m.name, m.base(), m.short)
	}
	some := func(n int) (list []string) {
		for range n {
			list = append(list, pool[rng.IntN(len(pool))])
		}
		return list
	}
	switch rng.IntN(5) {
	case 0:
		c.request.Only = some(1 + rng.IntN(3))
	case 1, 2:
		c.request.Skip = some(1 + rng.IntN(2))
	}
	c.request.Wipe = rng.IntN(3) == 0
	c.phone = phoneKind{loaderRuns: rng.IntN(2) == 0, sameBoot: rng.IntN(3) == 0, strangeFuse: rng.IntN(6) == 0}
	return c
}

func (c *propertyCase) String() string {
	var names []string
	for _, m := range c.bundle.members {
		names = append(names, m.name)
	}
	return fmt.Sprintf("%s, changes %q, --only %q --skip %q wipe %v, phone %+v\nmembers: %s", c.bundle.facts.Model, c.bundle.changes, c.request.Only, c.request.Skip, c.request.Wipe,
		c.phone, strings.Join(names, " "))
}

// flash does what the program does, against a phone that agrees to everything.
func (c *propertyCase) flash(t *testing.T) (*recorder, error) {
	t.Helper()
	wire := newRecorder(c.bundle.kit, c.phone)
	return wire, c.flashTo(t, wire)
}

func (c *propertyCase) flashTo(t *testing.T, wire *recorder) error {
	t.Helper()
	path := c.bundle.write(t)
	defer os.Remove(path)
	bundle, err := ftf.Open(path)
	if err != nil {
		return err
	}
	defer bundle.Close()
	fw, err := restore.Check(t.Context(), bundle, restore.CheckOptions{Request: c.request, Roots: trusted(t)})
	if err == nil && !c.resume {
		_, err = restore.Build(fw, nil, c.request)
	}
	if err != nil {
		return err
	}
	s, err := s1.Open(t.Context(), wire, s1.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	facts, err := restore.ReadFacts(t.Context(), s)
	if err != nil {
		return err
	}
	if c.store == nil {
		c.store = &restore.Store{Dir: quickDir(t)}
	}
	plan, journal, err := restore.PrepareRun(*c.store, fw, facts, c.request, c.resume)
	if err != nil {
		return err
	}
	return restore.Run(t.Context(), s, plan, restore.RunOptions{Journal: journal})
}

// judge compares what went over the wire with what the generator allows.
func (c *propertyCase) judge(wire *recorder, err error) string {
	may := c.may()
	for _, sent := range wire.images {
		name := c.bundle.nameOf(sent)
		if _, ok := may.images[name]; !ok {
			return fmt.Sprintf("%q was sent and must not be", name)
		}
	}
	for _, header := range wire.offered {
		if name := c.bundle.nameOfHeader(header); !slices.Contains(slices.Collect(maps.Keys(may.images)), name) {
			return fmt.Sprintf("the header of %q was offered and must not be", name)
		}
	}
	for _, u := range wire.written {
		if u.partition != 2 || !may.unit(u.unit, u.value) {
			return fmt.Sprintf("trim-area partition %d, unit %d was written with %X", u.partition, u.unit, u.value)
		}
	}
	if err != nil {
		return ""
	}
	for name, must := range may.images {
		if must && !slices.ContainsFunc(wire.images, func(sent []byte) bool { return c.bundle.nameOf(sent) == name }) {
			return fmt.Sprintf("the restore is complete without %q", name)
		}
	}
	for u, values := range may.units {
		if !slices.ContainsFunc(wire.written, func(w writtenUnit) bool { return w.unit == u && slices.Contains(values, hex.EncodeToString(w.value)) }) {
			return fmt.Sprintf("the restore is complete without unit %d", u)
		}
	}
	return ""
}

// permission is what a phone may get; empty when it may get nothing.
type permission struct {
	images map[string]bool     // members; true: a complete restore must send it
	units  map[uint32][]string // values in hexadecimal
}

func (p permission) unit(n uint32, value []byte) bool {
	if len(p.images) == 0 && len(p.units) == 0 {
		return false
	}
	return n == 10021 || n == 10100 && len(value) == 1 && value[0] < 2 || slices.Contains(p.units[n], hex.EncodeToString(value))
}

// may computes what the phone may get.
func (c *propertyCase) may() permission {
	none, b := permission{}, c.bundle
	only, okOnly := c.meant(c.request.Only, true)
	skip, okSkip := c.meant(c.request.Skip, false)
	if !okOnly || !okSkip {
		return none
	}
	named := func(m *made) bool { return len(c.request.Only) == 0 || slices.Contains(only, m.thing()) }
	wanted := func(m *made) bool {
		switch {
		case slices.Contains(skip, m.thing()), m.class == "never", m.class == "unknown":
			return false
		case m.class == "loader":
			return true
		case m.class == "wipe" && !c.request.Wipe:
			return false
		case m.boot && !b.delivery:
			return false
		}
		return named(m)
	}
	p := permission{images: map[string]bool{}, units: map[uint32][]string{}}
	for _, m := range b.members {
		if m.vile && !slices.Contains(skip, m.thing()) {
			return none
		}
		if wanted(m) && m.bad != "" {
			return none
		}
		for _, other := range b.members {
			if m == other || !wanted(m) || !wanted(other) || m.boot || other.boot {
				continue
			}
			if m.image != "" && m.image == other.image {
				return none
			}
			for n, value := range m.units {
				if v, ok := other.units[n]; ok && !bytes.Equal(v, value) {
					return none
				}
			}
		}
	}
	bootWanted := b.delivery && !slices.Contains(skip, "boot") && (len(c.request.Only) == 0 || slices.Contains(only, "boot"))
	bootSent := bootWanted && !c.phone.sameBoot
	if bootSent && (c.phone.strangeFuse || b.bootBad != "") {
		return none
	}
	for _, m := range b.members {
		switch {
		case !wanted(m), m.boot && !bootSent, b.otherTZ != "" && m.base() == b.otherTZ:
		case m.class == "modem":
			// Together, as part of a complete firmware, or not at all.
			if len(c.request.Only) == 0 && b.completeFirmware(wanted) {
				p.images[m.name] = true
			}
		case m.class == "top level":
			// One file of the boot chain beside the boot set, as some families have it.
			if len(c.request.Only) == 0 && b.completeCore() {
				p.images[m.name] = true
			}
		case m.class == "loader":
			p.images[m.name] = !c.phone.loaderRuns
		case m.units != nil:
			for n, value := range m.units {
				p.units[n] = append(p.units[n], hex.EncodeToString(value))
			}
		case m.class != "units":
			p.images[m.name] = true
		}
	}
	for name, unit := range map[string]uint32{"cust-reset": 2212, "fota-reset": 2404} {
		added := !slices.Contains(skip, "+"+name) && (len(c.request.Only) == 0 || slices.Contains(only, "+"+name))
		if added && !slices.ContainsFunc(b.members, func(m *made) bool { _, ok := m.units[unit]; return ok }) {
			p.units[unit] = []string{"00"}
		}
	}
	if !slices.ContainsFunc(b.members, func(m *made) bool { return m.class == "loader" && wanted(m) }) {
		return none
	}
	return p
}

// meant resolves selectors; false when one fits nothing or several things.
func (c *propertyCase) meant(selectors []string, only bool) (things []string, ok bool) {
	for _, s := range selectors {
		var found []string
		part := false
		if strings.EqualFold(s, "boot") && c.bundle.hasBoot() {
			found = []string{"boot"}
		} else {
			if strings.EqualFold(s, "partition") {
				s = "partition-image"
			}
			for _, m := range c.bundle.members {
				if strings.EqualFold(s, m.name) || strings.EqualFold(s, m.base()) || strings.EqualFold(s, m.short) || m.image != "" && strings.EqualFold(s, m.image) {
					part = part || m.boot
					if !slices.Contains(found, m.thing()) {
						found = append(found, m.thing())
					}
				}
			}
		}
		if len(found) == 0 && (strings.EqualFold(s, "cust-reset") || strings.EqualFold(s, "fota-reset")) {
			found = []string{"+" + strings.ToLower(s)}
		}
		if len(found) != 1 || part && only {
			return nil, false
		}
		things = append(things, found[0])
	}
	return things, true
}

// write makes the archive.
func (b *madeBundle) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(quickDir(t), "made.ftf")
	var files []ftf.File
	add := func(name string, data []byte) {
		files = append(files, ftf.File{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
	}
	for _, m := range b.members {
		add(m.name, m.data)
	}
	if b.delivery {
		add("boot_delivery.xml", []byte(b.deliveryText()))
	}
	m := ftf.Manifest{Device: b.facts.Model, Version: "23.5.A.1.291", Branding: "Test"}
	if err := fileio.Write(path, 0o644, func(f *os.File) error { return ftf.Write(f, m, files) }); err != nil {
		t.Fatal(errors.Join(err, fmt.Errorf("%v", b.changes)))
	}
	return path
}

// nameOf finds the member whose bytes were sent.
func (b *madeBundle) nameOf(sent []byte) string {
	for _, m := range b.members {
		if bytes.Equal(m.data, sent) {
			return m.name
		}
	}
	return fmt.Sprintf("%d bytes of no member (%x)", len(sent), sha256.Sum256(sent))
}

func (b *madeBundle) nameOfHeader(header []byte) string {
	for _, m := range b.members {
		if bytes.HasPrefix(m.data, header) {
			return m.name
		}
	}
	return fmt.Sprintf("%d bytes of no member", len(header))
}
