package main

import (
	"context"
	"errors"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// How long a phone has for a word that tells its protocol: the greeting of one that was just plugged in, and the answer to
// a question.
const (
	greetingTime = 3 * time.Second
	answerTime   = 2 * time.Second
)

// greeted finds out which flash protocol speaks at the other end of a pipe without an id. A phone of 2010 to 2016 greets;
// one that greeted another program before is asked in its own protocol, which one of 2017 or later answers with FAIL. The
// other way round would make an older phone deaf.
func greeted(ctx context.Context, conn usbproto.Conn) (*flashPhone, error) {
	p := &flashPhone{conn: conn, mode: usbproto.ModeFlash}
	word, err := firstWord(ctx, conn, greetingTime)
	if err == nil && len(word) == 0 {
		question := s1.Packet{Command: s1.CmdInfo, Flags: 3}.Append(nil)
		short, cancel := context.WithTimeout(ctx, answerTime)
		_, err = conn.Write(short, question)
		cancel()
		if err == nil {
			word, err = firstWord(ctx, conn, answerTime)
		}
		if len(word) == 0 || word[0] != 0 { // a packet starts with a zero
			p.mode = usbproto.ModeFlash2017
			word = nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	p.conn = &heard{conn, word}
	return p, nil
}

// firstWord is what the phone says first within a time, nothing when it is silent.
func firstWord(ctx context.Context, conn usbproto.Conn, limit time.Duration) ([]byte, error) {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	buf := make([]byte, 4096)
	n, err := conn.Read(short, buf)
	if errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx) {
		err = nil
	}
	return buf[:n], err
}

// heard is a Conn of which the first bytes were read already.
type heard struct {
	usbproto.Conn
	rest []byte
}

func (h *heard) Read(ctx context.Context, p []byte) (int, error) {
	if n := copy(p, h.rest); n > 0 {
		h.rest = h.rest[n:]
		return n, nil
	}
	return h.Conn.Read(ctx, p)
}
