package main

import (
	"context"
	"strings"

	"xflash/internal/fileio"
	"xflash/internal/inspect"
	"xflash/sin"
)

// wrongFile says of a file that cannot be what was asked for what it is, and what can be done
// with it. bootImage says that a boot image was asked for, else a file system was. is is "" of
// one that xflash does not know, and of one that is of the right kind and has another fault.
func wrongFile(ctx context.Context, path string, bootImage bool) (is string, hints []string, err error) {
	kind, title, err := inspect.Identify(ctx, path)
	if err != nil {
		return "", nil, err
	}
	look := []string{`"xflash inspect ` + path + `" says more about the file`}
	switch kind {
	case inspect.KindUnknown, inspect.KindOtherFile:
		return "", look, nil
	case inspect.KindSIN:
		return "a SIN image of Sony's firmware, and fastboot writes plain ones",
			[]string{`"xflash unpack ` + path + ` -o DIR" takes the plain image out of it`, `"xflash restore" writes the whole firmware, in flash mode`}, nil
	case inspect.KindBundle:
		return "a firmware bundle", []string{`"xflash restore ` + path + `" writes what is in it`}, nil
	case inspect.KindZip:
		return "a zip archive", []string{`a system update (LineageOS and the like) is installed by a recovery: "xflash boot RECOVERY.img" starts one`,
			"if the image is inside: unzip it first"}, nil
	case inspect.KindDisk:
		return "a dump of a whole disk, with every partition of the phone that it was taken from",
			[]string{`"xflash unpack ` + path + ` -o DIR --partition boot,system" takes partitions out of it`}, nil
	case inspect.KindTrimArea:
		return "a dump of a trim area, which is the identity of one phone; fastboot never writes it",
			[]string{"keep the file safe; \"xflash ta verify " + path + `" says whether it is whole`}, nil
	case inspect.KindTA:
		return "a list of units for the trim area (.ta), which fastboot never writes", nil, nil
	case inspect.KindEmpty:
		return "empty", []string{"get the file again"}, nil
	case inspect.KindExt, inspect.KindSparse:
		if !bootImage {
			return "", look, nil
		}
		if kind == inspect.KindSparse {
			f, _, err := fileio.Open(path)
			if err != nil {
				return "", nil, err
			}
			defer f.Close()
			head, _, err := insideSparse(f)
			if err != nil {
				return "a sparse image that cannot be read: " + err.Error(), []string{"get the file again"}, nil
			}
			if sin.Recognize(head) != sin.KindExt4 {
				is, _ := sparseIs(path, head)
				return is + ", which is not a boot image that xflash can send", look, nil
			}
		}
		return "a file system (" + strings.TrimSuffix(title, " file system") + ")", []string{`such an image belongs to system, cache or userdata: "xflash flash system ` + path + `"`}, nil
	case inspect.KindAndroid, inspect.KindSonyELF:
		if bootImage {
			return "", look, nil
		}
		return "a boot image (" + title + ")", []string{`such an image belongs to boot or recovery: "xflash flash boot ` + path + `"`}, nil
	}
	return "something else: " + title, look, nil
}
