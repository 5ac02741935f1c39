package restore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"xflash/internal/restore"
	"xflash/internal/simphone/xperifirm"
	"xflash/usbproto"
	"xflash/usbproto/command"
)

// BenchmarkCommandRestore checks a folder for a phone of 2021 and sends it to one that accepts
// everything at once, beside SHA-256 of as many bytes on one processor.
func BenchmarkCommandRestore(b *testing.B) {
	const super = 256 << 20
	ctx := context.Background()
	k := newCommandKit(b, "1iii", xperifirm.Options{SuperSize: super, ChunkSize: 64 << 20})
	k.on()
	s, err := command.Open(ctx, k.phone.Conn(), commandLimits)
	if err != nil {
		b.Fatal(err)
	}
	known, err := k.check(restore.Request{})
	if err != nil {
		b.Fatal(err)
	}
	facts, err := restore.ReadCommandFacts(ctx, s, known)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var checking, sending, hashing time.Duration
	total := int64(0)
	buf := make([]byte, yardstick)
	for b.Loop() {
		start := time.Now()
		fw, err := k.check(restore.Request{})
		if err != nil {
			b.Fatal(err)
		}
		checked := time.Now()
		plan, journal, err := restore.PrepareRun(restore.Store{Dir: b.TempDir()}, fw, facts, restore.Request{}, false)
		if err != nil {
			b.Fatal(err)
		}
		phone := &greedyPhone{}
		session, err := command.Open(ctx, phone, command.Options{})
		if err == nil {
			err = restore.RunCommand(ctx, session, plan, restore.RunOptions{Journal: journal})
		}
		if err != nil {
			b.Fatal(err)
		}
		sent := time.Now()
		for n := int64(0); n < plan.Bytes; n += yardstick {
			sha256.Sum256(buf)
		}
		total += plan.Bytes
		checking, sending, hashing = checking+checked.Sub(start), sending+sent.Sub(checked), hashing+time.Since(sent)
	}
	rate := func(d time.Duration) float64 { return float64(total) / d.Seconds() / 1e9 }
	b.ReportMetric(rate(checking+sending), "GB/s")
	b.ReportMetric(rate(checking), "check-GB/s")
	b.ReportMetric(rate(sending), "send-GB/s")
	b.ReportMetric(rate(hashing), "sha256-GB/s")
}

// greedyPhone answers OKAY to everything and takes any data.
type greedyPhone struct {
	answers []string
	left    int // bytes of a download
}

func (p *greedyPhone) Write(_ context.Context, b []byte) (int, error) {
	if p.left > 0 {
		if p.left -= len(b); p.left == 0 {
			p.answers = append(p.answers, "OKAY")
		}
		return len(b), nil
	}
	text := string(b)
	word, digits, _ := strings.Cut(text, ":")
	switch {
	case word == "download" || word == "signature" && digits != "":
		if _, err := fmt.Sscanf(digits, "%x", &p.left); err != nil {
			return 0, err
		}
		p.answers = append(p.answers, "DATA"+digits)
		if p.left == 0 {
			p.answers = append(p.answers, "OKAY")
		}
	case text == "getvar:max-download-size":
		p.answers = append(p.answers, "OKAY805306368")
	case word == "Read-TA":
		p.answers = append(p.answers, "FAILno")
	default:
		p.answers = append(p.answers, "OKAY")
	}
	return len(b), nil
}

func (p *greedyPhone) Read(ctx context.Context, b []byte) (int, error) {
	if len(p.answers) == 0 {
		<-ctx.Done()
		return 0, usbproto.ContextError(ctx)
	}
	n := copy(b, p.answers[0])
	p.answers = p.answers[1:]
	return n, nil
}

func (p *greedyPhone) Close() error { return nil }
