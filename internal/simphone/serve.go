package simphone

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"xflash/usbproto"
)

// Serve serves the phone's byte pipe to one client of the listener after the
// other, until the phone leaves the bus (nil) or ctx ends (its error). The phone
// keeps its protocol state between clients. The listener is closed.
func (p *Phone) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	bus := p.cable
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		if bus.untilGone(ctx) {
			l.Close()
		}
	})
	defer cancel()
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			p.ServeConn(ctx, client)
		case ctx.Err() != nil:
			return ctx.Err()
		case !p.OnBus():
			return nil
		default:
			return err
		}
	}
}

// ServeConn connects a client with the phone until one of them is gone or ctx
// ends, and closes the client. It returns why the phone's side ended, nil when it
// was the client's.
func (p *Phone) ServeConn(ctx context.Context, client net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	phone := p.Conn()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()

	var fromPhone error
	var pumps sync.WaitGroup
	pumps.Go(func() {
		defer cancel()
		b := make([]byte, defaultPacket)
		for {
			n, err := phone.Read(ctx, b)
			if n > 0 {
				if _, err := client.Write(b[:n]); err != nil {
					return
				}
			}
			if err != nil {
				fromPhone = err
				return
			}
		}
	})
	// The client is read ahead by more than it can have outstanding, so that its
	// leaving is seen while the phone does not read.
	ahead := make(chan []byte, 2*defaultPacket/clientPiece)
	pumps.Go(func() {
		defer close(ahead)
		for {
			b := make([]byte, clientPiece)
			n, err := client.Read(b)
			if err != nil {
				time.AfterFunc(lastWords, cancel)
				return
			}
			select {
			case ahead <- b[:n]:
			case <-ctx.Done():
				return
			}
		}
	})
	for b := range ahead {
		if _, err := phone.Write(ctx, b); err != nil {
			break
		}
	}
	cancel()
	pumps.Wait()
	phone.Close()
	if errors.Is(fromPhone, usbproto.ErrGone) {
		return fromPhone
	}
	return nil
}

const (
	clientPiece = 32 << 10    // how much is read from a client at a time
	lastWords   = time.Second // for the phone to take what a client sent before it left
)
