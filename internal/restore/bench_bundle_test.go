package restore_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"xflash/ftf"
	"xflash/internal/fileio"
	"xflash/internal/phone"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
	"xflash/sin/gpt"
)

// benchFolder is where BenchmarkMakeBundle leaves what the other benchmarks read. They
// are separate runs, because making a bundle takes more memory than flashing it.
func benchFolder(b *testing.B) string {
	b.Helper()
	dir := os.Getenv("XFLASH_BENCH_DIR")
	if dir == "" {
		b.Skip("XFLASH_BENCH_DIR does not name a folder; packaging/bench.sh runs this")
	}
	return dir
}

const (
	benchBundle = "bench.ftf"
	benchRoot   = "root.pem"

	// benchImage is the size in bytes of a system image that packs to a bundle of a
	// little more than 1 GiB.
	benchImage = 768 * imagePeriod
)

// BenchmarkMakeBundle makes a bundle of 1 GiB with one system image, half of whose data
// compress; bytes are those of the image. It is written twice, as SIN and into a stored
// zip.
func BenchmarkMakeBundle(b *testing.B) {
	dir := benchFolder(b)
	b.SetBytes(benchImage)
	for b.Loop() {
		if err := makeBenchBundle(dir); err != nil {
			b.Fatal(err)
		}
	}
	if st, err := os.Stat(filepath.Join(dir, benchBundle)); err != nil || st.Size() < 1<<30 || st.Size() > 1<<30+1<<25 {
		b.Fatalf("the bundle should have a little more than 1 GiB: %+v, %v", st, err)
	}
}

func makeBenchBundle(dir string) error {
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, benchRoot), authority.RootPEM(), 0o644); err != nil {
		return err
	}
	signer, err := authority.Issue("S1_SW", 4)
	if err != nil {
		return err
	}
	family, model, _ := phone.ByModel("D5803")
	system, ok := family.Partition("system")
	if !ok {
		return errors.New("no partition system is known")
	}
	image := mkimage.MapBuilder{HashType: sin.SHA256}
	image.Select(system.GUID)
	source := newBenchImage()
	for at := int64(0); at < benchImage; at += imagePeriod {
		image.Fill(at, textFrom, [4]byte{})
		for in := int64(textFrom); in < noiseFrom; in += mkimage.DefaultChunk {
			image.LZ4(source, at+in, at+in, mkimage.DefaultChunk)
		}
		image.Addr(source, at+noiseFrom, at+noiseFrom, imagePeriod-noiseFrom)
	}
	payload, err := image.Payload()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "system.sin")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = mkimage.Builder{Type: sin.TypeImage, Signer: signer}.Build(f, payload)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = fileio.Write(filepath.Join(dir, benchBundle), 0o644, func(f *os.File) error {
		return ftf.Write(f, ftf.Manifest{Device: model.Code, Version: "1"},
			[]ftf.File{{Name: "system.sin", Open: func() (io.ReadCloser, error) { return os.Open(path) }}})
	})
	return errors.Join(err, os.Remove(path))
}

// BenchmarkMakeImage makes an image of 1 GiB whose every byte is packed by LZ4, for
// packaging/bench-unpack.sh.
func BenchmarkMakeImage(b *testing.B) {
	dir := benchFolder(b)
	b.SetBytes(1 << 30)
	for b.Loop() {
		if err := makePackedImage(filepath.Join(dir, "packed.sin")); err != nil {
			b.Fatal(err)
		}
	}
}

func makePackedImage(path string) error {
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		return err
	}
	signer, err := authority.Issue("S1_SW", 4)
	if err != nil {
		return err
	}
	image := mkimage.MapBuilder{HashType: sin.SHA256}
	image.Select(gpt.GUID{1})
	source, perPeriod := newBenchImage(), int64((noiseFrom-textFrom)/mkimage.DefaultChunk)
	for i := int64(0); i < 1<<30/mkimage.DefaultChunk; i++ {
		from := i/perPeriod*imagePeriod + textFrom + i%perPeriod*mkimage.DefaultChunk
		image.LZ4(source, from, i*mkimage.DefaultChunk, mkimage.DefaultChunk)
	}
	payload, err := image.Payload()
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(mkimage.Builder{Type: sin.TypeImage, Signer: signer}.Build(f, payload), f.Close())
}

// A period of the image has chunks of three kinds: two of zeros, seven of text that
// compresses about one to two with many short matches, as programs do, and seven of
// noise, which does not compress.
const (
	imagePeriod = 16 * mkimage.DefaultChunk
	textFrom    = 2 * mkimage.DefaultChunk
	noiseFrom   = 9 * mkimage.DefaultChunk
)

// periodicImage is an endless image made on the fly out of pools of noise and text.
type periodicImage struct{ noise, text []byte }

func newBenchImage() *periodicImage {
	seed := rand.NewChaCha8([32]byte([]byte("an image for measuring its speed")))
	rnd := rand.New(seed)
	p := &periodicImage{noise: make([]byte, 8<<20)}
	_, _ = seed.Read(p.noise) // never fails
	words := make([][]byte, 2048)
	for i := range words {
		at := rnd.IntN(len(p.noise) - 16)
		words[i] = p.noise[at : at+4+rnd.IntN(8)]
	}
	for len(p.text) < len(p.noise) {
		p.text = append(p.text, words[rnd.IntN(len(words))]...)
	}
	return p
}

// ReadAt gives each period another part of the pools. Nobody reads the zeros.
func (p *periodicImage) ReadAt(b []byte, at int64) (int, error) {
	period, in := at/imagePeriod, at%imagePeriod
	pool := p.noise
	if in < noiseFrom {
		pool = p.text
	}
	for n := 0; n < len(b); {
		n += copy(b[n:], pool[(period*4099+in+int64(n))%int64(len(pool)):])
	}
	return len(b), nil
}
