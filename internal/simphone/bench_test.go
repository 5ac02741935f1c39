package simphone

import (
	"bytes"
	"testing"
)

// BenchmarkUpload sends an image of 64 MiB raw data through the cable: hash,
// write and read-back included.
func BenchmarkUpload(b *testing.B) {
	p, h := openLoader(b, Options{})
	data := bytes.Repeat(pattern(1<<20, "x"), 64)
	var tags [][]byte
	tags = append(tags, tagGPTP(guidOf(b, p, "system")))
	for at := 0; at < len(data); at += 1 << 20 {
		tags = append(tags, tagADDR(uint64(at), 1<<20, uint64(at), data[at:][:1<<20]))
	}
	payload := mmcf(data, tags...)
	head := len(payload) - len(data)
	file := sinFile{kind: 0x27, role: "S1_SW", payload: payload, blocks: append([]int{head}, blocksOf(len(data), 0x80000)...)}.build(b)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		h.sendSIN(file, 0x80000)
	}
}
