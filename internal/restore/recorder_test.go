package restore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// recorder is a phone that agrees to everything, right or wrong, and keeps what it got.
type recorder struct {
	in  []byte
	out []byte // answers not read yet

	stage     string
	kind      phoneKind
	loader    string // VER of its loader
	units     map[uint32][]byte
	partition int    // of the trim area that is open
	header    []byte // of an image whose data are awaited
	image     []byte // it and its data so far
	size      int64  // of the whole file
	failed    string // code of the last refusal
	dies      int    // after so many images; 0: never

	images  [][]byte // whole files
	offered [][]byte // headers that were taken back
	written []writtenUnit
}

type writtenUnit struct {
	partition int
	unit      uint32
	value     []byte
}

func newRecorder(k *kit, kind phoneKind) *recorder {
	r := &recorder{kind: kind, loader: k.facts.Version, stage: "S1_BOOT", units: map[uint32][]byte{2210: []byte(k.facts.Model + "\x00"), 4900: []byte("PROPERTY\x00")}}
	version := "S1_Boot_MSM8974AC_11"
	if kind.sameBoot {
		version = "S1_Boot_MSM8974AC_12"
	}
	r.units[2207] = []byte("1281-2190_" + version + "\x00")
	if kind.loaderRuns {
		r.stage = "S1_LOADER"
	}
	r.hello()
	return r
}

func (r *recorder) hello() {
	version, fuse := r.loader, "01000400"
	if r.stage == "S1_BOOT" {
		version = "S1_Boot_MSM8974AC_11"
		if r.kind.sameBoot {
			version = "S1_Boot_MSM8974AC_12"
		}
	}
	if r.kind.strangeFuse {
		fuse = "09000400"
	}
	r.say(s1.CmdInfo, []byte(`TYPE="`+r.stage+`";VER="`+version+`";PROT_VER="04";MAX_PKT_SZ="00080000";S1_ROOT="S1_Root_cafe";OTP_LOCK_STATUS_1="LOCKED";OTP_DATA_1="`+fuse+
		`";IDCODE_1="007B00E1";`+"\x00"))
}

func (r *recorder) Write(_ context.Context, p []byte) (int, error) {
	if r.dies > 0 && len(r.images) >= r.dies {
		return 0, &usbproto.TransferError{Op: "write", Device: "the recorder", Err: usbproto.ErrGone}
	}
	r.in = append(r.in, p...)
	for len(r.in) >= packetHeader {
		n := packetHeader + int(binary.BigEndian.Uint32(r.in[8:])) + 4
		if len(r.in) < n {
			break
		}
		r.answer(s1.Command(binary.BigEndian.Uint32(r.in)), slices.Clone(r.in[packetHeader:n-4]))
		r.in = r.in[n:]
	}
	return len(p), nil
}

func (r *recorder) answer(c s1.Command, data []byte) {
	if r.header != nil && c != s1.CmdData && c != s1.CmdError {
		r.offered, r.header = append(r.offered, r.header), nil
		r.refuse(c, "005C")
		return
	}
	switch c {
	case s1.CmdHeader:
		h, err := sin.ReadHeader(bytes.NewReader(data), -1)
		if err != nil {
			r.refuse(c, "0022")
			return
		}
		r.header, r.image, r.size = data, data, h.Size()
		r.say(c, nil)
	case s1.CmdData:
		r.image = append(r.image, data...)
		r.say(c, nil)
		if int64(len(r.image)) < r.size {
			return
		}
		r.images, r.header = append(r.images, r.image), nil
		if r.stage == "S1_BOOT" {
			r.stage = "S1_LOADER"
			r.hello()
		}
	case s1.CmdInfo:
		r.hello()
	case s1.CmdOpenTA:
		r.partition = int(data[0])
		r.say(c, nil)
	case s1.CmdReadUnit:
		if unit, ok := r.units[binary.BigEndian.Uint32(data)]; ok {
			r.say(c, unit)
		} else {
			r.refuse(c, "0025")
		}
	case s1.CmdWriteUnit:
		u := writtenUnit{r.partition, binary.BigEndian.Uint32(data), slices.Clone(data[8:])}
		r.units[u.unit] = u.value
		r.written = append(r.written, u)
		r.say(c, nil)
	case s1.CmdError:
		r.say(c, []byte(`ERR_SEVERITY="MINOR";ERR_CODE="`+r.failed+`";ERR_DYNAMIC="00000000";`+"\x00"))
	case s1.CmdCloseTA, s1.CmdEnd:
		r.say(c, nil)
	default:
		r.refuse(c, "005C")
	}
}

func (r *recorder) refuse(c s1.Command, code string) {
	r.failed = code
	r.out = s1.Packet{Command: c}.Append(r.out)
}

func (r *recorder) say(c s1.Command, data []byte) {
	r.out = s1.Packet{Command: c, Flags: 1, Data: data}.Append(r.out)
}

func (r *recorder) Read(_ context.Context, p []byte) (int, error) {
	if len(r.out) == 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "the recorder", Err: errors.New("it has nothing to say")}
	}
	n := copy(p, r.out)
	r.out = append(r.out[:0], r.out[n:]...)
	return n, nil
}

func (r *recorder) Close() error { return nil }
