package ftf

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// identityHead is how much of each file of a folder the identity covers: 1 MiB
// holds the header of a SIN image with the hashes of all its blocks.
const identityHead = 1 << 20

// Identity is a SHA-256, as hex text, that is the same for the same bundle and
// differs when a member was added, taken away or changed. For an archive it covers
// names, sizes and CRC-32s, whatever the order and packing; for a folder names,
// sizes and the first MiB of each file. Files of no use (KindOther) do not count.
// An archive and a folder with the same files have different identities.
func (b *Bundle) Identity() (string, error) {
	members := slices.SortedFunc(slices.Values(b.Members), func(x, y *Member) int { return cmp.Compare(x.Name, y.Name) })
	all := sha256.New()
	for _, m := range members {
		if m.Kind == KindOther {
			continue
		}
		mark := fmt.Sprintf("%08x", m.crc)
		if b.Folder {
			var err error
			if mark, err = m.headHash(); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(all, "%q %d %s\n", m.Name, m.Size, mark)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func (m *Member) headHash() (string, error) {
	h := sha256.New()
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	_, err = io.Copy(h, io.LimitReader(r, identityHead))
	err = cmp.Or(err, r.Close())
	return hex.EncodeToString(h.Sum(nil)), err
}
