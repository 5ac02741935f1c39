package bootimg_test

import (
	"fmt"

	"xflash/fastboot/bootimg"
)

// Parse takes an Android boot image apart.
func ExampleParse() {
	data, err := (&bootimg.Image{PageSize: 2048, Kernel: []byte("kernel"), Ramdisk: []byte("ramdisk"), Cmdline: "console=ttyHSL0"}).Build()
	if err != nil {
		panic(err)
	}
	image, err := bootimg.Parse(data)
	fmt.Println(err, len(data), image.PageSize, string(image.Kernel), image.Cmdline)
	// Output: <nil> 6144 2048 kernel console=ttyHSL0
}
