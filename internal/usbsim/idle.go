package usbsim

import (
	"context"

	"xflash/usbproto"
)

// Idle is a phone that accepts everything and has nothing to say.
func Idle() usbproto.Conn { return idle{} }

type idle struct{}

func (idle) Read(ctx context.Context, _ []byte) (int, error) { <-ctx.Done(); return 0, ctx.Err() }

func (idle) Write(_ context.Context, b []byte) (int, error) { return len(b), nil }

func (idle) Close() error { return nil }
