package restore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// madeBundle is a bundle whose maker knows everything of every file.
type madeBundle struct {
	*kit
	t        *testing.T
	members  []*made
	delivery bool     // boot_delivery.xml
	set      []string // base names in it
	otherTZ  string   // its tz in the boot set of other phones, "" when they share one
	bootBad  string   // why the boot set cannot be written, "" when it can
	changes  []string
}

// made is one file.
type made struct {
	name, short string // in the bundle; by which planners call it
	image       string // what it is an image of, by its first name; "" none that is known
	class       string // loader table plain wipe modem boot never unknown units
	boot        bool   // lies in boot/
	data        []byte
	units       map[uint32][]byte // of .ta files: what may be written
	bad         string            // why it must not be sent, "" when it may
	odd         bool              // it stays behind for the way it is signed, and nothing is refused
	vile        bool              // aims at what is never written: nothing of the bundle may be sent, unless --skip names it
}

func (m *made) base() string { return strings.TrimSuffix(path.Base(m.name), "b") }

// thing is what a selector names.
func (m *made) thing() string {
	if m.boot {
		return "boot"
	}
	return m.name
}

const bootUnits = "Aries_S1BootConfig_MiscTA.ta"

func newMadeBundle(t *testing.T) *madeBundle { return newMadeBundleFor(t, "z3c") }

// newMadeBundleFor makes a sound bundle in the form of that phone's family.
func newMadeBundleFor(t *testing.T, phone string) *madeBundle {
	b := &madeBundle{kit: kitOf(t, phone), t: t, delivery: true, set: []string{bootUnits}}
	b.add(&made{name: "loader.sin", short: "loader", image: "loader", class: "loader", data: b.loaderFile(t)})
	b.add(&made{name: "partition-image.sin", short: "partition-image", image: "partition-image", class: "table", data: b.tableFile(t, "")})
	for _, r := range b.recipe {
		m := &made{name: r.short + ".sin", short: r.short, image: r.short, class: r.class, data: b.imageFile(t, good, r.signer, r.label, 1)}
		if r.class == "boot" {
			m.boot, m.name = true, "boot/"+r.short+"_S1_Boot.sin"
			b.set = append(b.set, path.Base(m.name))
		}
		b.add(m)
	}
	b.add(&made{name: "boot/" + bootUnits + "b", short: strings.TrimSuffix(bootUnits, ".ta"), class: "units", boot: true,
		data: []byte("02\n0000084F 0002 01 02\n\n000008FD 0001 00\n"), units: map[uint32][]byte{2127: {1, 2}, 2301: {0}}})
	b.add(&made{name: "fota-reset.ta", short: "fota-reset", class: "units", data: []byte("02\n00000964 0001 00\n"), units: map[uint32][]byte{2404: {0}}})
	return b
}

func (b *madeBundle) add(m *made) { b.members = append(b.members, m) }

func (b *madeBundle) find(short string) *made {
	for _, m := range b.members {
		if m.short == short {
			return m
		}
	}
	return nil
}

func (b *madeBundle) hasBoot() bool {
	return b.delivery || slices.ContainsFunc(b.members, func(m *made) bool { return m.boot })
}

// completeCore says whether kernel, system and layout are there, each once.
func (b *madeBundle) completeCore() bool {
	count := func(image string) (n int) {
		for _, m := range b.members {
			if m.image == image && !m.boot {
				n++
			}
		}
		return n
	}
	for _, image := range []string{"kernel", "system", "partition-image"} {
		if count(image) != 1 {
			return false
		}
	}
	return true
}

// completeFirmware says whether the modem's own files may go along.
func (b *madeBundle) completeFirmware(wanted func(*made) bool) bool {
	for _, short := range b.modem() {
		if m := b.find(short); m == nil || m.odd || !wanted(m) {
			return false
		}
	}
	return b.completeCore() && b.delivery && b.bootBad == ""
}

func (b *madeBundle) deliveryText() string {
	var s strings.Builder
	s.WriteString(`<BOOT_DELIVERY FORMAT="1" PRODUCT="Aries" SPACE_ID="1281-2190" VERSION="1281-2190_S1_Boot_MSM8974AC_12">`)
	for _, c := range []struct{ name, id string }{{"COMMERCIAL_OTHER", "007B10E1"}, {"COMMERCIAL", "007B00E1"}} {
		fmt.Fprintf(&s, `<CONFIGURATION NAME="%s"><BOOT_CONFIG><FILE PATH="%s"/></BOOT_CONFIG><BOOT_IMAGES>`, c.name, b.set[0])
		for _, f := range b.set[1:] {
			if c.name == "COMMERCIAL_OTHER" && b.otherTZ != "" && strings.HasPrefix(f, "tz") {
				f = b.otherTZ
			}
			fmt.Fprintf(&s, `<FILE PATH="%s"/>`, f)
		}
		fmt.Fprintf(&s, `</BOOT_IMAGES><ATTRIBUTES VALUE='OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="01000400";IDCODE_1="%s"'/></CONFIGURATION>`, c.id)
	}
	s.WriteString("</BOOT_DELIVERY>")
	return s.String()
}

// Who signs: the root that the test trusts, one of another family, one nobody knows.
const (
	good    = "S1_Root_cafe"
	foreign = "S1_Root_6732"
	unknown = "S1_Root_beef"
)

var (
	signersMutex sync.Mutex
	authorities  = map[string]*mkimage.Authority{}
	signers      = map[string]*mkimage.Signer{}
	imageFiles   = map[string][]byte{}
)

func signerOf(t *testing.T, root, role string) *mkimage.Signer {
	t.Helper()
	key := root + role
	if s := signers[key]; s != nil {
		return s
	}
	a := authorities[root]
	if root == good {
		a = authority()
	}
	if a == nil {
		var err error
		if a, err = mkimage.NewTestAuthority(root); err != nil {
			t.Fatal(err)
		}
		authorities[root] = a
	}
	s, err := a.Issue(role, 4)
	if err != nil {
		t.Fatal(err)
	}
	signers[key] = s
	return s
}

func trusted(t *testing.T) *sin.RootSet {
	t.Helper()
	roots := &sin.RootSet{}
	if err := roots.Add(authority().Root); err != nil {
		t.Fatal(err)
	}
	return roots
}

func build(t *testing.T, root, role string, kind sin.PayloadType, p mkimage.Payload) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := (mkimage.Builder{Type: kind, Signer: signerOf(t, root, role)}).Build(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func cachedFile(key string, make func() []byte) []byte {
	signersMutex.Lock()
	defer signersMutex.Unlock()
	if imageFiles[key] == nil {
		imageFiles[key] = make()
	}
	return slices.Clone(imageFiles[key])
}

// any picks a SIN file of the bundle.
func (b *madeBundle) any(rng *rand.Rand, fits func(*made) bool) *made {
	var all []*made
	for _, m := range b.members {
		if m.image != "" && fits(m) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return &made{}
	}
	return all[rng.IntN(len(all))]
}

func (b *madeBundle) isImage(m *made) bool { l, _ := b.target(m.image); return l != "" }
func (b *madeBundle) plain(m *made) bool   { return b.isImage(m) && !m.boot }

// spoil makes a file unfit to be sent.
func (m *made) spoil(why string, data []byte) {
	if m.bad, m.data = why, data; m.data == nil {
		m.bad = ""
	}
}

type bundleChange struct {
	name string
	make func(b *madeBundle, rng *rand.Rand)
}

// extra is a file more.
func extra(name, class string, file func(*madeBundle) []byte, set ...func(*made)) func(*madeBundle, *rand.Rand) {
	return func(b *madeBundle, _ *rand.Rand) {
		base := path.Base(name)
		m := &made{name: name, short: strings.TrimSuffix(base, path.Ext(base)), class: class, data: file(b)}
		if slices.ContainsFunc(b.members, func(o *made) bool { return strings.EqualFold(o.name, name) }) {
			return
		}
		for _, f := range set {
			f(m)
		}
		b.add(m)
	}
}

func vile(m *made) { m.vile = true }

// table is a layout like that of the bundle, with other bytes.
func table(copy string) func(*madeBundle) []byte {
	return func(b *madeBundle) []byte { return b.tableFile(b.t, copy) }
}

func imageOf(image string) func(*made) { return func(m *made) { m.image = image } }

func writes(units map[uint32][]byte) func(*made) { return func(m *made) { m.units = units } }

func text(s string) func(*madeBundle) []byte { return func(*madeBundle) []byte { return []byte(s) } }

func aimed(label string) func(*madeBundle) []byte {
	return func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_SW", label, 2) }
}

// bundleChanges are the ways in which a bundle can be hostile, damaged or merely odd.
var bundleChanges = []bundleChange{
	{"a damaged block", func(b *madeBundle, rng *rand.Rand) {
		if m := b.any(rng, b.isImage); m.data != nil {
			m.spoil("damaged", flip(m.data, len(m.data)-100))
		}
	}},
	{"a truncated file", func(b *madeBundle, rng *rand.Rand) {
		if m := b.any(rng, b.isImage); m.data != nil {
			m.spoil("truncated", m.data[:len(m.data)-1])
		}
	}},
	{"a file cut in its header", func(b *madeBundle, rng *rand.Rand) {
		if m := b.any(rng, b.isImage); m.data != nil {
			m.spoil("cut", m.data[:100])
			m.vile = true // it is unclear what it aims at
		}
	}},
	{"units that cannot be read", extra("extra.ta", "units", text("02\n0000"), vile)},
	{"another boot set with its own file", func(b *madeBundle, rng *rand.Rand) {
		if tz := b.find("tz"); tz != nil && tz.boot && b.otherTZ == "" {
			otherBootSet(b)
		}
	}},
	{"a file signed for another family", func(b *madeBundle, rng *rand.Rand) { b.resign(rng, foreign, "", b.isImage) }},
	{"a file of a root nobody knows", func(b *madeBundle, rng *rand.Rand) { b.resign(rng, unknown, "", b.isImage) }},
	{"a file of another signer", func(b *madeBundle, rng *rand.Rand) {
		b.resign(rng, good, "S1_Cust", func(m *made) bool {
			return m.boot && b.isImage(m) || m.image == "kernel" || m.image == "system" || m.class == "modem"
		})
	}},
	{"a file aimed at the trim area", func(b *madeBundle, rng *rand.Rand) { b.retarget(rng, "TA") }},
	{"a file aimed at modem settings", func(b *madeBundle, rng *rand.Rand) { b.retarget(rng, "modemst1") }},
	{"a file aimed at tz", func(b *madeBundle, rng *rand.Rand) { b.retarget(rng, "tz") }},
	{"a file aimed at a second copy", func(b *madeBundle, rng *rand.Rand) { b.retarget(rng, "alt_aboot") }},
	{"a file aimed at another harmless partition", func(b *madeBundle, rng *rand.Rand) { b.retarget(rng, "cache") }},
	{"a file that ends past its partition", func(b *madeBundle, rng *rand.Rand) {
		if m := b.any(rng, b.plain); m.data != nil && m.bad == "" && !m.vile {
			label, role := b.target(m.image)
			m.spoil("too long", b.imageFile(b.t, good, role, label, tooLong))
		}
	}},
	{"a second file in a folder", func(b *madeBundle, rng *rand.Rand) {
		m := b.any(rng, b.plain)
		if label, role := b.target(m.image); label != "" {
			extra("sub/"+m.image+".sin", m.class, func(b *madeBundle) []byte { return b.imageFile(b.t, good, role, label, 3) }, imageOf(m.image))(b, rng)
		}
	}},
	{"a protected twin aimed at tz", func(b *madeBundle, rng *rand.Rand) {
		m := b.any(rng, b.plain)
		extra(m.image+".sinb", m.class, aimed("tz"), imageOf(m.image), vile)(b, rng)
		if o := b.members[len(b.members)-1]; o.image == m.image {
			o.short = m.image
		}
	}},
	{"only a protected twin, aimed at tz", func(b *madeBundle, rng *rand.Rand) {
		if m := b.any(rng, b.plain); m.data != nil && !slices.ContainsFunc(b.members, func(o *made) bool { return o.name == m.image+".sinb" }) {
			m.name, m.data, m.vile = m.image+".sinb", b.imageFile(b.t, good, "S1_SW", "tz", 2), true
		}
	}},
	{"ta.sin", extra("ta.sin", "never", aimed("TA"), vile)},
	{"alt_sbl1.sin", extra("alt_sbl1.sin", "unknown", aimed("alt_sbl1"), vile)},
	{"a stranger aimed at boot", extra("foo.sin", "unknown", aimed("boot"), vile)},
	{"a stranger for an unknown place", extra("foo.sin", "unknown", aimed("nowhere"))},
	{"persist.sin", extra("persist.sin", "never", aimed("persist"), imageOf("persist"))},
	{"frp.sin", extra("frp.sin", "never", aimed("frp"), imageOf("frp"))},
	{"nvram.sin", extra("nvram.sin", "never", aimed("nvram"), imageOf("nvram"))},
	{"proinfo.sin", extra("proinfo.sin", "never", aimed("proinfo"), imageOf("proinfo"))},
	{"tz.sin beside the boot set", extra("tz.sin", "boot", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_Boot", "tz", 4) }, imageOf("tz"), vile)},
	{"hwconf.sin", extra("hwconf.sin", "unknown", func(b *madeBundle) []byte {
		return cachedFile("hwconf", func() []byte {
			return build(b.t, good, "S1_HWConf", sin.TypeHWConf, mkimage.BytesPayload(make([]byte, 64)))
		})
	}, vile)},
	{"a second partition table", extra("partition_1.sin", "unknown", table("copy"))},
	{"a partition table in a folder", extra("sub/partition.sin", "table", table("copy"), imageOf("partition-image"))},
	{"a kernel that is a loader", func(b *madeBundle, rng *rand.Rand) {
		if m := b.find("kernel"); m != nil && m.bad == "" && !m.vile {
			m.spoil("a loader", b.loaderFile(b.t))
		}
	}},
	{"a loader that is an image", func(b *madeBundle, rng *rand.Rand) {
		if m := b.find("loader"); m != nil {
			m.bad, m.vile, m.data = "an image", true, b.imageFile(b.t, good, "S1_Loader", "system", 5)
		}
	}},
	{"no loader", func(b *madeBundle, _ *rand.Rand) { b.remove("loader") }},
	{"no kernel", func(b *madeBundle, _ *rand.Rand) { b.remove("kernel") }},
	{"no system", func(b *madeBundle, _ *rand.Rand) { b.remove("system") }},
	{"no amss_fs_2", func(b *madeBundle, _ *rand.Rand) { b.remove("amss_fs_2") }},
	{"no tz in the boot set's folder", func(b *madeBundle, _ *rand.Rand) { b.remove("tz"); b.bootBad = "tz is missing" }},
	{"no tz in the delivery", func(b *madeBundle, _ *rand.Rand) {
		b.set = slices.DeleteFunc(b.set, func(f string) bool { return strings.HasPrefix(f, "tz") })
		b.remove("tz")
		b.bootBad = "it lacks tz"
	}},
	{"no boot delivery", func(b *madeBundle, _ *rand.Rand) { b.delivery = false }},
	{"two boot files of one name", func(b *madeBundle, rng *rand.Rand) {
		if b.find("tz") == nil {
			return // it would be the only one
		}
		extra("old/boot/tz_S1_Boot.sin", "boot", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_Boot", "tz", 6) }, func(m *made) {
			m.boot, m.image, m.short = true, "tz", "tz"
		})(b, rng)
		b.bootBad = "two files are called tz"
	}},
	{"two boot files for one partition", func(b *madeBundle, rng *rand.Rand) {
		extra("boot/sbl1_AID_2.sin", "boot", func(b *madeBundle) []byte { return b.imageFile(b.t, good, "S1_Boot", "sbl1", 6) }, func(m *made) {
			m.boot, m.image, m.short = true, "sbl1", "sbl1"
		})(b, rng)
		if !slices.Contains(b.set, "sbl1_AID_2.sin") {
			b.set = append(b.set, "sbl1_AID_2.sin")
		}
		b.bootBad = "two files are for sbl1"
	}},
	{"simlock.ta", extra("simlock.ta", "units", text("02\n000007DA 0001 00\n"), vile)},
	{"unit 2003", extra("extra.ta", "units", text("02\n000007D3 0001 00\n"), vile)},
	{"a unit of partition 1", extra("extra.ta", "units", text("01\n00000962 0001 00\n"), vile)},
	{"a unit of partition 1 in a folder", extra("sub/extra.ta", "units", text("01\n00000962 0001 00\n"), vile)},
	{"a harmless unit", extra("extra.ta", "units", text("02\n00000962 0001 00\n"), writes(map[uint32][]byte{2402: {0}}))},
	{"a harmless unit in a folder", extra("sub/extra.ta", "units", text("02\n00000962 0001 01\n"), writes(map[uint32][]byte{2402: {1}}))},
	{"osv-restriction.ta", extra("osv-restriction.ta", "units", text("02\n0000091A 0001 05\n"))},
	{"another fota-reset", extra("sub/fota-reset.ta", "units", text("02\n00000964 0001 01\n"), writes(map[uint32][]byte{2404: {1}}))},
}

func (b *madeBundle) remove(short string) {
	b.members = slices.DeleteFunc(b.members, func(m *made) bool { return m.short == short })
}

// resign signs one file again.
func (b *madeBundle) resign(rng *rand.Rand, root, role string, fits func(*made) bool) {
	m := b.any(rng, fits)
	label, usual := b.target(m.image)
	if label == "" || m.bad != "" || m.vile {
		return
	}
	if role == "" {
		role = usual
	}
	m.spoil("signed by "+role+" of "+root, b.imageFile(b.t, root, role, label, 7))
	if m.class == "modem" && root == good {
		m.bad, m.odd = "", true
	}
}

// retarget aims one file at another partition.
func (b *madeBundle) retarget(rng *rand.Rand, label string) {
	m := b.any(rng, b.isImage)
	if own, role := b.target(m.image); own != "" && own != label {
		m.data, m.vile = b.imageFile(b.t, good, role, label, 8), true
	}
}
