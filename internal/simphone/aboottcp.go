package simphone

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// tcpHello is what both sides of fastboot over TCP start with (fastboot/PROTOCOL.md §1);
// helloTime is how long the other side's may take.
const (
	tcpHello  = "FB01"
	helloTime = 2 * time.Second
)

// longestCommand is more than any client sends as a command, in bytes.
const longestCommand = 4096

// dataPiece is how much of a download is read at a time, in bytes.
const dataPiece = 1 << 20

// ServeTCP serves the phone to one client of the listener after the other, in the form of
// fastboot over TCP, until the phone leaves (nil) or ctx ends (its error). What a client
// did not finish is forgotten with it. The listener is closed.
func (a *Aboot) ServeTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for !a.gone {
		client, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		end := context.AfterFunc(ctx, func() { client.Close() })
		a.want = 0
		a.serveTCP(ctx, client)
		end()
		client.Close()
	}
	return nil
}

// serveTCP speaks with one client until one side has enough.
func (a *Aboot) serveTCP(ctx context.Context, client net.Conn) {
	_ = client.SetReadDeadline(time.Now().Add(helloTime))
	hello := make([]byte, len(tcpHello))
	if _, err := io.WriteString(client, tcpHello); err != nil {
		return
	}
	if _, err := io.ReadFull(client, hello); err != nil || string(hello[:2]) != tcpHello[:2] || string(hello) < tcpHello {
		return
	}
	_ = client.SetReadDeadline(time.Time{})
	for _, t := range a.cable.in { // what an earlier session left
		if sendTCP(client, t.rest) != nil {
			return
		}
	}
	a.cable.in = nil
	buf := make([]byte, dataPiece)
	for !a.gone {
		var head [8]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return
		}
		left := binary.BigEndian.Uint64(head[:])
		if limit := max(uint64(a.want), longestCommand); left > limit {
			return
		}
		for first := true; first || left > 0; first = false {
			n := min(left, uint64(len(buf)))
			if _, err := io.ReadFull(client, buf[:n]); err != nil {
				return
			}
			left -= n
			if !a.answerTCP(ctx, client, buf[:n]) {
				return
			}
		}
	}
}

func (a *Aboot) answerTCP(ctx context.Context, client net.Conn, message []byte) bool {
	answers, delay := a.message(message)
	if !sleep(ctx, delay) {
		return false
	}
	for _, answer := range answers {
		if sendTCP(client, answer) != nil {
			return false
		}
	}
	return true
}

func sendTCP(client net.Conn, message []byte) error {
	_, err := client.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(message))), message...))
	return err
}

// sleep reports that ctx did not end before d was over.
func sleep(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
