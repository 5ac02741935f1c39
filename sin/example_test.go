package sin_test

import (
	"bytes"
	"context"
	"fmt"

	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// Check reads an image to its last byte and says what is wrong and what is proven.
func ExampleCheck() {
	authority, err := mkimage.NewTestAuthority("S1_Root_0001")
	if err != nil {
		panic(err)
	}
	signer, err := authority.Issue("S1_SW", 1)
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if err := (mkimage.Builder{Type: sin.TypeRaw, Signer: signer}).Build(&file, mkimage.BytesPayload(make([]byte, 10))); err != nil {
		panic(err)
	}
	roots := &sin.RootSet{}
	if err := roots.Add(authority.Root); err != nil {
		panic(err)
	}
	report, err := sin.Check(context.Background(), &file, int64(file.Len()), sin.CheckOptions{Roots: roots})
	fmt.Println(err, report.Header.Signer(), report.Trust.State)
	// Output: <nil> S1_SW proven by a supplied root
}
