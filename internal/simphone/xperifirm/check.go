package xperifirm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"xflash/internal/simphone"
)

// Check compares a phone with what it must hold after the firmware was restored: the images
// besides those left out, by label, and the tables.
func (fw *Firmware) Check(p *simphone.Phone, without ...string) error {
	var wrong []error
	for _, label := range slices.Sorted(maps.Keys(fw.Images)) {
		if slices.Contains(without, label) {
			continue
		}
		partition, err := p.Partition(label)
		if err == nil {
			err = same(partition, fw.Images[label])
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", label, err))
		}
	}
	return errors.Join(wrong...)
}

// same compares a partition with an image and with what must be zero after it.
func same(p *simphone.Partition, m *Image) error {
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < min(m.Size+block, p.Size()); {
		n := min(int64(len(got)), m.Size+block-at, p.Size()-at)
		clear(want[:n])
		if _, err := m.ReadAt(want[:n], at); err != nil && err != io.EOF {
			return err
		}
		if _, err := p.ReadAt(got[:n], at); err != nil {
			return err
		}
		if !bytes.Equal(got[:n], want[:n]) {
			return fmt.Errorf("differs within %d bytes of %d", n, at)
		}
		at += n
	}
	return nil
}
