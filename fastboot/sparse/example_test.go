package sparse_test

import (
	"bytes"
	"fmt"
	"io"

	"xflash/fastboot/sparse"
)

// FromRaw makes a sparse image of a raw one, in pieces that a phone can take.
func ExampleFromRaw() {
	raw := make([]byte, 1<<20)
	image, err := sparse.FromRaw(bytes.NewReader(raw), int64(len(raw)), sparse.RawOptions{})
	if err != nil {
		panic(err)
	}
	pieces, err := image.Split(0)
	if err != nil {
		panic(err)
	}
	n, err := io.Copy(io.Discard, pieces[0].Reader())
	fmt.Println(len(pieces), n < 100, err)
	// Output: 1 true <nil>
}
