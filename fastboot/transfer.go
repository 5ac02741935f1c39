package fastboot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"xflash/fastboot/sparse"
	"xflash/usbproto"
)

// ErrTooLarge is the error of a download above the loader's limit that cannot be split.
var ErrTooLarge = errors.New("larger than the phone accepts in one download")

// ErrShort is the error of a source that ends early. The phone still waits for the rest
// then, and must be unplugged.
var ErrShort = errors.New("the file ended while it was being sent")

// Download puts size bytes of r into the phone's memory, for the command that follows. While one part is sent the next
// one is read. A download that broke off leaves the session unusable.
func (c *Client) Download(ctx context.Context, r io.Reader, size int64) error {
	if size < 0 || size > 0xFFFFFFFF {
		return fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	command := fmt.Sprintf("download:%08x", size)
	if err := c.send(ctx, command); err != nil {
		return err
	}
	_, told, err := c.answer(ctx, command, answerTime)
	switch {
	case err != nil:
		return err
	case told < 0:
		return &ProtocolError{command, "OKAY", "DATA must come before any byte is sent"}
	case told != size:
		return &ProtocolError{command, fmt.Sprintf("DATA%08x", told), fmt.Sprintf("it asks for a number of bytes other than %08x", size)}
	}
	if err := c.sendData(ctx, command, r, size); err != nil {
		return err
	}
	if _, told, err = c.answer(ctx, command, workTime); err == nil && told >= 0 {
		err = &ProtocolError{command, "DATA", "OKAY must come after the data"}
	}
	return err
}

// sendData writes exactly size bytes of r.
func (c *Client) sendData(ctx context.Context, command string, r io.Reader, size int64) error {
	_, err := usbproto.Send(ctx, c.conn, r, size, usbproto.SendOptions{Patience: answerTime, Progress: func(sent int64) {
		if c.opt.Progress != nil {
			c.opt.Progress(sent, size)
		}
	}})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrShort
	}
	if err != nil {
		return &TransferError{command, err}
	}
	return nil
}

// Boot sends an image and starts it. An OKAY says that the loader took it, not that it
// runs.
func (c *Client) Boot(ctx context.Context, image io.Reader, size int64) error {
	if err := c.Download(ctx, image, size); err != nil {
		return err
	}
	return c.leave(ctx, "boot")
}

// Flash writes an image to a partition: as it is when it fits a download, else as several
// sparse images, whether it was sparse or raw. limit is the most for one download in
// bytes; 0 asks the phone.
func (c *Client) Flash(ctx context.Context, partition string, img io.ReaderAt, size, limit int64) error {
	// Before the data are sent, and not after.
	if err := c.guard("flash:" + partition); err != nil {
		return err
	}
	if limit == 0 {
		var err error
		if limit, _, err = c.MaxDownload(ctx); err != nil {
			return err
		}
	}
	if size <= limit {
		return c.FlashPiece(ctx, partition, io.NewSectionReader(img, 0, size), size)
	}
	pieces, err := Split(img, size, limit)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if err := c.FlashPiece(ctx, partition, p.Reader(), p.Size); err != nil {
			return err
		}
	}
	return nil
}

// Split plans the sparse images that a raw or sparse image is sent as.
func Split(img io.ReaderAt, size, limit int64) ([]*sparse.Piece, error) {
	head := make([]byte, 4)
	if _, err := img.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	var image *sparse.Image
	var err error
	if sparse.Is(head) {
		image, err = sparse.FromSparse(img, size)
	} else {
		image, err = sparse.FromRaw(img, size, sparse.RawOptions{})
	}
	if err != nil {
		return nil, err
	}
	return image.Split(limit)
}

// FlashPiece writes one image that fits a download, such as a piece that Split made.
func (c *Client) FlashPiece(ctx context.Context, partition string, r io.Reader, size int64) error {
	if err := c.Download(ctx, r, size); err != nil {
		return err
	}
	_, err := c.commandWithin(ctx, "flash:"+partition, workTime)
	return err
}

// Upload takes what the command before it left in the phone's memory (get_staged).
func (c *Client) Upload(ctx context.Context, w io.Writer) (int64, error) {
	return c.receive(ctx, "upload", w, maxReceive)
}

// Fetch reads a partition of a loader that allows it. Each request asks for no more than
// max-fetch-size.
func (c *Client) Fetch(ctx context.Context, partition string, w io.Writer) (int64, error) {
	size, err := c.PartitionSize(ctx, partition)
	if err != nil {
		return 0, err
	}
	text, err := c.variable(ctx, "max-fetch-size")
	if err != nil {
		return 0, err
	}
	most, ok := parseSize(text)
	if size == 0 {
		size = maxReceive
	}
	if size == maxReceive || !ok || most == 0 {
		return c.receive(ctx, "fetch:"+partition, w, size)
	}
	total := int64(0)
	for total < size {
		part := min(most, size-total)
		n, err := c.receive(ctx, fmt.Sprintf("fetch:%s:%#x:%#x", partition, total, part), w, part)
		if total += n; err != nil {
			return total, err
		}
		if n == 0 {
			return total, &ProtocolError{"fetch:" + partition, "DATA00000000", "the partition is longer"}
		}
	}
	return total, nil
}

// maxReceive is the most that the eight digits of DATA can announce.
const maxReceive = 0xFFFFFFFF

// receive runs a command that answers with data, of at most so many bytes.
func (c *Client) receive(ctx context.Context, command string, w io.Writer, most int64) (int64, error) {
	if err := c.send(ctx, command); err != nil {
		return 0, err
	}
	_, size, err := c.answer(ctx, command, answerTime)
	if err != nil {
		return 0, err
	}
	if size < 0 {
		return 0, &ProtocolError{command, "OKAY", "DATA must come first"}
	}
	if size > most {
		return 0, &ProtocolError{command, fmt.Sprintf("DATA%08x", size), fmt.Sprintf("the limit is %08x bytes", most)}
	}
	buf := make([]byte, 64<<10)
	got := int64(0)
	for got < size {
		short, cancel := context.WithTimeout(ctx, answerTime)
		n, err := c.conn.Read(short, buf)
		cancel()
		if got+int64(n) > size {
			return got, &ProtocolError{command, "", fmt.Sprintf("more than the %d bytes that it announced", size)}
		}
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return got, err
			}
			got += int64(n)
		}
		if err != nil {
			return got, &TransferError{command, err}
		}
	}
	_, _, err = c.answer(ctx, command, answerTime)
	return got, err
}
