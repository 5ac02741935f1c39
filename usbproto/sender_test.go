package usbproto_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
)

var errBroke = errors.New("broke")

// broken is a Sender whose connection breaks after the first piece.
type broken struct{ usbproto.Conn }

func (broken) Send(_ context.Context, next func() ([]byte, error), _ usbproto.SendOptions) (int64, error) {
	_, _ = next() // what it gives does not matter
	return 0, errBroke
}

// TestBrokenWhileSourceBlocks: when the connection breaks while the source blocks, the end of
// the context still ends the call.
func TestBrokenWhileSourceBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, feed := io.Pipe()
		defer feed.Close()
		go func() { _, _ = feed.Write(make([]byte, 1<<20)) }() // one piece; the next one never comes
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := usbproto.Send(ctx, broken{}, source, 3<<20, usbproto.SendOptions{}); !errors.Is(err, errBroke) {
			t.Error(err)
		}
	})
}
