package simphone

import (
	"encoding/binary"
	"testing"

	"xflash/sin/gpt"
)

func FuzzSINHeader(f *testing.F) {
	file := sinFile{kind: 0x27, role: "S1_SW", payload: pattern(3000, "x"), blocks: blocksOf(3000, 1000)}.build(f)
	f.Add(file[:binary.BigEndian.Uint32(file[4:])])
	f.Add([]byte("\x03SIN"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, why := parseSINHeader(b)
		if (h == nil) == (why == 0) {
			t.Fatalf("header %v, status %X", h, why)
		}
		if h == nil {
			return
		}
		if len(h.signed)+len(h.blob) > len(h.raw) {
			t.Error("the parts are longer than the header")
		}
		checkSignature(h)
	})
}

func FuzzImageMap(f *testing.F) {
	id := mustGUID(partitionSpecs["boot"].unique)
	f.Add(mmcf(nil, tagGPTP(id), tagADDR(0, 10, 0, nil), tagLZ4A(10, 20, 5, 10, nil), tagFILL(30, 10, 0))[8:])
	target := &Partition{Entry: gpt.Entry{First: 0, Last: 99}}
	find := func(gpt.GUID) (*Partition, status) { return target, 0 }
	f.Fuzz(func(t *testing.T, b []byte) {
		m, why := parseMap(b, func(string) bool { return true }, fill28, find)
		if why != 0 {
			return
		}
		for _, tag := range m.tags {
			if tag.partition == nil || tag.kind == "LZ4A" && (tag.size > maxBlock || tag.data > maxBlock) {
				t.Errorf("%+v", tag)
			}
			if target.holds(tag.dest, tag.size) && (tag.dest > 51200 || tag.size > 51200-tag.dest) {
				t.Errorf("%+v lies in a partition of 51200 bytes", tag)
			}
		}
	})
}

func FuzzPartitionLayout(f *testing.F) {
	f.Add(layoutPayload(f, layoutFor(f, DiskSize), layoutFor(f, 8<<30)))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, why := pickLayout(b, uint64(DiskSize/gpt.SectorSize))
		if why == 0 && (len(entries) == 0 || gpt.CheckEntries(entries) != nil) {
			t.Errorf("%v", entries)
		}
	})
}

// FuzzPackets feeds a phone whatever comes: it may refuse or fall silent, nothing
// else.
func FuzzPackets(f *testing.F) {
	p := openPhone(f, Options{LoaderMaxPacket: 0x4000})
	p.Unplug()
	file := imageFor(f, p, "cache", pattern(300, "x"))
	size := binary.BigEndian.Uint32(file[4:])
	f.Add(append(append(packet(9, 3, []byte{2}), packet(12, 3, []byte{0, 0, 8, 0xA2})...), packet(18, 3, nil)...))
	f.Add(append(packet(5, 3, file[:size]), packet(6, 3, file[size:])...))
	f.Add(packet(25, 3, []byte{0, 1, 0, 0, 0, 0x1F}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newCable()
		s := p.session(c, StageLoader, 0x4000, loaderCommands)
		p.run = &flashRun{}
		s.loader = &loaderFacts{tags: []string{"GPTP", "ADDR", "LZ4A", "FILL"}}
		s.info = s.loaderInfo
		s.sec.trustAny = true
		c.out.Write(b)
		for range 1000 {
			if c.out.Len() < headerSize {
				break
			}
			h := parseHeader((*[headerSize]byte)(c.out.Next(headerSize)))
			if uint64(h.length) > uint64(c.out.Len()) {
				break
			}
			data := s.buffer[:copy(s.buffer, c.out.Next(int(h.length)))]
			c.out.Next(trailerSize)
			if _, why := s.dispatch(h, data); why != nil {
				s.lastError.record(why)
			}
			if s.dead || s.next != actionNone {
				break
			}
		}
	})
}
