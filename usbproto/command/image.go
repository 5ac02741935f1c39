package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
)

// form is how a phone accepts a signature.
type form int

const (
	formUnknown  form = iota // not asked yet
	formDirect               // signature:LENGTH and the bytes, 2017 to 2020
	formDownload             // a download, then signature, from 2021 on
)

// ProbeSignature finds out how the phone accepts a signature, once: by an empty one, which only the first form answers
// with DATA. The model year does not tell (PROTOCOL.md §2.2).
func (s *Session) ProbeSignature(ctx context.Context) error {
	if s.form != formUnknown {
		return nil
	}
	s.phone.signed, s.phone.erased = false, ""
	command := "signature:00000000"
	if err := s.send(ctx, command, false); err != nil {
		return err
	}
	r, err := s.receive(ctx, command, s.opt.Answer, false)
	var refused *Refusal
	switch {
	case errors.As(err, &refused):
		s.form = formDownload
		return nil
	case err != nil:
		return err
	case r.kind != "DATA" || r.size != 0:
		return s.end(&AnswerError{command, r.String(), "DATA00000000 or FAIL must come"})
	}
	// An empty signature may be refused: what matters is that the form was understood.
	if r, err = s.receive(ctx, command, s.opt.Work, false); err != nil && !errors.As(err, &refused) {
		return err
	} else if err == nil && r.kind != "OKAY" {
		return s.end(&AnswerError{command, r.String(), "OKAY must come after the data"})
	}
	s.form = formDirect
	return nil
}

// Sign sends the phone the signature of the next image: the CMS of its SIN file, DER, whole. One that it does not accept
// is a *Refusal with Unsigned, and changes nothing in the phone. Earlier signatures no longer hold.
func (s *Session) Sign(ctx context.Context, cms []byte) error {
	if len(cms) == 0 {
		return fmt.Errorf("%w: the signature is empty", ErrState)
	}
	if err := s.fits(int64(len(cms))); err != nil {
		return err
	}
	err := s.ProbeSignature(ctx)
	if err != nil {
		return err
	}
	s.phone.signed, s.phone.erased, s.phone.loaded = false, "", false
	if s.form == formDirect {
		err = s.upload(ctx, fmt.Sprintf("signature:%08x", len(cms)), bytes.NewReader(cms), int64(len(cms)), s.opt.Work, nil)
	} else if err = s.put(ctx, bytes.NewReader(cms), int64(len(cms)), nil); err == nil {
		err = s.change(ctx, "signature", s.opt.Work)
	}
	s.phone.signed = err == nil
	return s.step(err)
}

// Download puts n bytes into the phone's memory, where the next command finds them. progress, which may be nil, gets
// how many the phone has taken. An error of data is a *SourceError; the session continues, and the download counts as not
// done. One that ends by its context leaves the phone waiting for the rest, and only unplugging it helps.
func (s *Session) Download(ctx context.Context, data io.Reader, n int64, progress func(int64)) error {
	s.phone.loaded = false
	if err := s.fits(n); err != nil {
		return err
	}
	err := s.put(ctx, data, n, progress)
	s.phone.loaded = err == nil
	return s.step(err)
}

func (s *Session) put(ctx context.Context, data io.Reader, n int64, progress func(int64)) error {
	return s.upload(ctx, fmt.Sprintf("download:%08x", n), data, n, s.opt.Stored, progress)
}

// SmallestLimit is the smallest max-download-size known, for phones that do not tell theirs.
const SmallestLimit = 104857600

// fits refuses a download that the phone would.
func (s *Session) fits(n int64) error {
	limit := cmp.Or(s.limit, SmallestLimit)
	limit = min(limit, 0xffffffff) // what eight digits say
	if n < 0 || n > limit {
		return &TooLargeError{n, limit}
	}
	return nil
}

// Erase erases the partition of the image whose signature the phone accepted. The first chunk must be in the phone by
// then, so that nothing is erased for an image that cannot be sent (PROTOCOL.md §3.7).
func (s *Session) Erase(ctx context.Context, partition string) error {
	if err := CheckPartition(partition); err != nil {
		return err
	}
	if !s.phone.signed || !s.phone.loaded || s.phone.erased != "" {
		return fmt.Errorf("%w: send erase:%s once per image, after its signature and first chunk", ErrState, partition)
	}
	err := s.change(ctx, "erase:"+partition, s.opt.Work)
	if err == nil {
		s.phone.erased = partition
	}
	return s.step(err)
}

// Flash writes what was downloaded to the partition that was erased for this image.
func (s *Session) Flash(ctx context.Context, partition string) error {
	if err := CheckPartition(partition); err != nil {
		return err
	}
	if !s.phone.signed || !s.phone.loaded || s.phone.erased != partition {
		return fmt.Errorf("%w: send flash:%s after its signature, its erase and one download", ErrState, partition)
	}
	s.phone.loaded = false
	return s.step(s.change(ctx, "flash:"+partition, s.opt.Work))
}

// MaxLUN is the highest logical unit known.
const MaxLUN = 7

// Repartition writes the partition table that was downloaded to a logical unit; 0 on eMMC.
func (s *Session) Repartition(ctx context.Context, lun int) error {
	if lun < 0 || lun > MaxLUN {
		return fmt.Errorf("%w: there is no logical unit %d", ErrState, lun)
	}
	if !s.phone.signed || !s.phone.loaded || s.phone.erased != "" {
		return fmt.Errorf("%w: send Repartition after a signature and a download", ErrState)
	}
	s.phone.loaded, s.phone.signed = false, false
	return s.step(s.change(ctx, fmt.Sprintf("Repartition:%d", lun), s.opt.Work))
}

// SetActiveA makes slot a the one the phone starts from. There is no function for slot b: firmware with super is made for
// slot a (PROTOCOL.md §5.1).
func (s *Session) SetActiveA(ctx context.Context) error {
	return s.step(s.change(ctx, "set_active:a", s.opt.Work))
}

// Sync makes the phone write everything to its storage, which may take minutes and must not be cut off.
func (s *Session) Sync(ctx context.Context) error { return s.step(s.change(ctx, "Sync", s.opt.Sync)) }

// ReadPartition copies a partition to w; most bounds it in bytes. Many phones refuse it.
func (s *Session) ReadPartition(ctx context.Context, partition string, w io.Writer, most int64) (int64, error) {
	if !plainName(partition) {
		return 0, fmt.Errorf("%w: %.40q cannot be the name of a partition", ErrState, partition)
	}
	return s.fetch(ctx, "Read-partition:"+partition, w, most)
}

// step remembers the first step that failed, so that no update is called finished in this session.
func (s *Session) step(err error) error {
	if err != nil && s.phone.failed == nil {
		s.phone.failed = err
	}
	return err
}
