package ftf

import (
	"bufio"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// readBuffer is how much of an archive is read at once.
const readBuffer = 64 << 10

// memberReader gives a member's bytes and checks them: exactly the declared
// number, and their CRC-32. It reports a wrong checksum together with the last
// bytes, again with every later Read, and with Close, so that a caller who reads
// exactly the declared number of bytes hears of it too.
type memberReader struct {
	file   string // of the bundle, for errors
	entry  *zipEntry
	packed *bufio.Reader // of the packed bytes; nil when stored
	from   io.Reader
	inner  io.Closer // the decoder; nil when stored
	crc    uint32
	done   int64 // bytes given
	err    error // sticky
}

// openEntry starts to read a member of an archive.
func openEntry(file string, r io.ReaderAt, e *zipEntry) io.ReadCloser {
	section := io.NewSectionReader(r, e.body, e.packed)
	if e.method == methodStored {
		m := &memberReader{file: file, entry: e, from: section}
		m.finish()
		return m
	}
	// flate does not read past the end of its data from an io.ByteReader, so what
	// is left tells whether the packed size was true.
	packed := bufio.NewReaderSize(section, readBuffer)
	inner := flate.NewReader(packed)
	m := &memberReader{file: file, entry: e, packed: packed, from: inner, inner: inner}
	m.finish()
	return m
}

func (m *memberReader) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	left := m.entry.size - m.done
	n, err := m.from.Read(p[:min(int64(len(p)), left)])
	m.crc = crc32.Update(m.crc, crc32.IEEETable, p[:n])
	m.done += int64(n)
	switch {
	case m.done == m.entry.size:
		m.finish()
		if m.err == io.EOF {
			return n, nil
		}
	case err != nil:
		m.err = within(m.broken(err), m.file, m.entry.name)
	}
	return n, m.err
}

// finish checks what can be checked once all bytes are given. It does nothing
// before.
func (m *memberReader) finish() {
	if m.done == m.entry.size {
		m.err = within(m.ended(), m.file, m.entry.name)
	}
}

// ended returns io.EOF when everything is right.
func (m *memberReader) ended() error {
	if m.packed != nil {
		var one [1]byte
		switch n, err := io.ReadFull(m.from, one[:]); {
		case n > 0:
			return failAt(Corrupt, m.entry.body, "it unpacks to more than the %d bytes it declares", m.entry.size)
		case err != io.EOF:
			return m.broken(err)
		}
		if _, err := m.packed.ReadByte(); err != io.EOF {
			return failAt(Corrupt, m.entry.body, "its data ends before the %d packed bytes it declares", m.entry.packed)
		}
	}
	if m.crc != m.entry.crc {
		return failAt(Corrupt, m.entry.body, "the CRC-32 is %08X instead of %08X; download the bundle again", m.crc, m.entry.crc)
	}
	return io.EOF
}

// broken turns a decoder's error into one of ours; errors of the disk stay.
func (m *memberReader) broken(err error) error {
	var damaged flate.CorruptInputError
	switch {
	case errors.As(err, &damaged):
		e := failAt(Corrupt, m.entry.body+int64(damaged), "the packed data is damaged; download the bundle again")
		e.Err = err
		return e
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failAt(Corrupt, m.entry.body, "it ends after %d of %d bytes", m.done, m.entry.size)
	}
	return err
}

// Close ends reading. It returns the failure if one was found, nil if reading
// stopped early.
func (m *memberReader) Close() error {
	if m.inner != nil {
		m.inner.Close()
	}
	if m.err == io.EOF {
		return nil
	}
	err := m.err
	if err == nil {
		m.err = os.ErrClosed
	}
	return err
}
