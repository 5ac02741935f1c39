package unpack_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"xflash/fastboot/bootimg/unpack"
)

// A kernel says by its first bytes how it is compressed; no more than the limit comes out.
func ExampleNewReader() {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "Linux version 3.4.0")
	_ = z.Close()
	format := unpack.Detect(packed.Bytes())
	for _, limit := range []int64{1 << 20, 5} {
		r, err := unpack.NewReader(bytes.NewReader(packed.Bytes()), format, limit)
		if err != nil {
			fmt.Println(err)
			return
		}
		data, err := io.ReadAll(r)
		fmt.Printf("%s: %q %v\n", format, data, err)
	}
	// Output:
	// gzip: "Linux version 3.4.0" <nil>
	// gzip: "Linux" gzip: expands beyond the limit (input offset 0x23)
}
