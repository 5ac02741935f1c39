// Package usbtest holds the one conformance suite that every usbproto.Conn passes: over
// USB, over TCP and to a simulated phone. What it asks for is what the interface promises
// and what the protocols above build on: nothing is lost or sent twice, whatever ends a
// call, and every call ends.
package usbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xflash/usbproto"
)

// Peer is the phone's end of the pipe. Its methods may wait for the host; they end when
// either end of the pipe is closed.
type Peer interface {
	// Send gives p to the host.
	Send(p []byte) error
	// Receive waits for n bytes from the host.
	Receive(n int) ([]byte, error)
	// Unplug ends the connection as pulling the cable does.
	Unplug()
}

// Suite runs all cases. open gives a new pipe each time; what it starts must end when both
// the Conn is closed and the Peer is unplugged.
func Suite(t *testing.T, open func(t *testing.T) (usbproto.Conn, Peer)) {
	for _, c := range []struct {
		name string
		run  func(*rig)
	}{
		{"what is written arrives whole and in order", written},
		{"what is sent can be read in pieces of any size", read},
		{"nothing to do is done at once", nothing},
		{"a read ends at its deadline", readDeadline},
		{"a read ends when it is cancelled", readCancelled},
		{"a write ends at its deadline", writeDeadline},
		{"a context that is over sends nothing", over},
		{"a source that blocks is given up", blockedSource},
		{"bytes before a deadline are not lost", partial},
		{"a deadline that has passed does not reach the next call", lateCancel},
		{"unplugging ends a read", unplugged},
		{"unplugging ends writes", unpluggedWrite},
		{"closing ends a read and waits for it", closed},
		{"closing twice is closing once", closedTwice},
		{"closing at any moment is safe", closeRace},
	} {
		t.Run(c.name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			conn, peer := open(t)
			r := &rig{T: t, conn: conn, peer: peer, open: open}
			c.run(r)
			r.finish()
			goleak.VerifyNone(t, ignore)
		})
	}
}

// pattern is n bytes in which every place can be told from its neighbours.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// sizes are around what is special on USB: packets of 64 and 512 bytes, the S1 packet's
// parts (13, 4), and requests of 256 KiB and 1 MiB.
var sizes = []int{1, 4, 13, 63, 64, 65, 511, 512, 513, 1024, 65536, 256<<10 + 1, 1 << 20, 1<<20 + 7}

func written(r *rig) {
	for _, n := range sizes {
		want := pattern(n)
		r.phone(func() error {
			got, err := r.peer.Receive(n)
			if err == nil && !bytes.Equal(got, want) {
				err = fmt.Errorf("%d bytes arrived changed", n)
			}
			return err
		})
		r.write(want)
		r.join()
	}
}

func read(r *rig) {
	for _, n := range sizes {
		for _, piece := range []int{1, 100, 512, 1000, 4096, 2 << 20} {
			if n/piece > 5000 {
				continue
			}
			want := pattern(n)
			r.phone(func() error { return r.peer.Send(want) })
			if !bytes.Equal(r.readFull(n, piece), want) {
				r.Fatalf("%d bytes in pieces of %d arrived changed", n, piece)
			}
			r.join()
		}
	}
}

func nothing(r *rig) {
	for range 2 {
		if n, err := r.conn.Write(r.Context(), nil); n != 0 || err != nil {
			r.Fatalf("write of nothing: %d, %v", n, err)
		}
		if n, err := r.conn.Read(r.Context(), nil); n != 0 || err != nil {
			r.Fatalf("read of nothing: %d, %v", n, err)
		}
	}
	r.echo()
}

// blockedSource sends from a source that gives a little and then nothing more, as a pipe or a
// dead file server does: the end of the context ends the call, and the source is read no
// further than that.
func blockedSource(r *rig) {
	source, feed := io.Pipe()
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := usbproto.Send(ctx, r.conn, source, 3<<20, usbproto.SendOptions{Patience: patience})
		ended <- err
	}()
	if _, err := feed.Write(pattern(100)); err != nil {
		r.Fatal(err)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			r.Errorf("send: %v", err)
		}
	case <-time.After(patience):
		r.Error("the call does not end while the source blocks")
	}
	feed.Close() // now the read that was left behind ends
}

func readDeadline(r *rig) {
	for range 3 {
		ctx, cancel := context.WithTimeout(r.Context(), short)
		n, err := r.conn.Read(ctx, make([]byte, 600))
		cancel()
		r.fails("read", 0, err, usbproto.ErrTimeout)
		if n != 0 {
			r.Errorf("%d bytes from nowhere", n)
		}
	}
	r.echo()
}

func readCancelled(r *rig) {
	for range 3 {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		timer := time.AfterFunc(short, cancel)
		_, err := r.conn.Read(ctx, make([]byte, 600))
		timer.Stop()
		cancel()
		r.fails("read", 0, err, context.Canceled)
	}
	r.echo()
}

// writeDeadline fills every buffer on the way to a phone that accepts nothing.
func writeDeadline(r *rig) {
	p := pattern(1 << 20)
	var taken int
	for range 256 {
		ctx, cancel := context.WithTimeout(r.Context(), short)
		n, err := r.conn.Write(ctx, p)
		cancel()
		taken += n
		if err == nil {
			continue
		}
		r.fails("write", n, err, usbproto.ErrTimeout)
		if n >= len(p) {
			r.Errorf("all %d bytes were taken, and it is an error", n)
		}
		r.phone(func() error { // what counts as taken has to arrive
			_, err := r.peer.Receive(taken)
			return err
		})
		r.join()
		return
	}
	r.Fatal("the pipe takes 256 MiB that nobody reads")
}

func over(r *rig) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	_, err := r.conn.Write(ctx, []byte("lost"))
	r.fails("write", 0, err, context.Canceled)
	_, err = r.conn.Read(ctx, make([]byte, 9))
	r.fails("read", 0, err, context.Canceled)
	ctx, cancel = context.WithDeadline(r.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err = r.conn.Write(ctx, []byte("lost"))
	r.fails("write", 0, err, usbproto.ErrTimeout)
	r.echo()
}

func partial(r *rig) {
	for _, n := range []int{5, 512, 1024, 1030} {
		want := pattern(n)
		r.phone(func() error { return r.peer.Send(want) })
		var got []byte
		for range 100 {
			ctx, cancel := context.WithTimeout(r.Context(), short)
			buf := make([]byte, 4096)
			k, err := r.conn.Read(ctx, buf)
			cancel()
			got = append(got, buf[:k]...)
			if err != nil {
				r.fails("read", k, err, usbproto.ErrTimeout)
			}
			if len(got) >= n {
				break
			}
		}
		if !bytes.Equal(got, want) {
			r.Fatalf("%d bytes became %d", n, len(got))
		}
		r.join()
	}
	r.echo()
}

func lateCancel(r *rig) {
	for i := range 300 {
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(i)*time.Microsecond)
		_, err := r.conn.Read(ctx, make([]byte, 64))
		cancel()
		r.fails("read", 0, err, usbproto.ErrTimeout)
		r.phone(func() error { return r.peer.Send([]byte("in time")) })
		if got := r.readFull(7, 64); string(got) != "in time" {
			r.Fatalf("got %q", got)
		}
		r.join()
	}
}

func unplugged(r *rig) {
	timer := time.AfterFunc(short, r.peer.Unplug)
	defer timer.Stop()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	for range 2 {
		_, err := r.conn.Read(ctx, make([]byte, 600))
		r.fails("read", 0, err, usbproto.ErrGone)
	}
}

// unpluggedWrite allows a few writes into buffers before the loss is noticed.
func unpluggedWrite(r *rig) {
	r.peer.Unplug()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	for range 1000 {
		if n, err := r.conn.Write(ctx, pattern(1000)); err != nil {
			r.fails("write", n, err, usbproto.ErrGone)
			return
		}
		time.Sleep(time.Millisecond)
	}
	r.Fatal("1000 writes went to a phone that is not there")
}

func closed(r *rig) {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := r.conn.Read(ctx, make([]byte, 600))
		ended <- err
	}()
	time.Sleep(short)
	if err := r.conn.Close(); err != nil {
		r.Fatal(err)
	}
	select {
	case err := <-ended:
		r.fails("read", 0, err, usbproto.ErrClosed)
	case <-time.After(patience):
		r.Fatal("the read continues after the pipe was closed")
	}
	_, err := r.conn.Read(r.Context(), make([]byte, 600))
	r.fails("read", 0, err, usbproto.ErrClosed)
	_, err = r.conn.Write(r.Context(), []byte("hello"))
	r.fails("write", 0, err, usbproto.ErrClosed)
}

func closedTwice(r *rig) {
	ended := make(chan error, 2)
	for range cap(ended) {
		go func() { ended <- r.conn.Close() }()
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			r.Error(err)
		}
	}
}

// closeRace closes pipes around the moment that a read starts.
func closeRace(r *rig) {
	for i := range 200 {
		conn, peer := r.open(r.T)
		ended := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := conn.Read(ctx, make([]byte, 64))
			ended <- err
		}()
		time.Sleep(time.Duration(i%20) * 10 * time.Microsecond)
		if err := conn.Close(); err != nil {
			r.Fatal(err)
		}
		r.fails("read", 0, <-ended, usbproto.ErrClosed)
		peer.Unplug()
	}
}
