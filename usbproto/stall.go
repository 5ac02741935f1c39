package usbproto

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Stall reports that nothing moves while a phone is waited for. Moved may be called from any goroutine.
type Stall struct {
	Limit  time.Duration      // without a byte until Report is called, and again after that
	Report func(doing string) // called from another goroutine; nil for no reports
	moved  atomic.Int64       // when the last byte went either way, in Unix nanoseconds
}

// Moved says that bytes went one way or the other.
func (s *Stall) Moved() { s.moved.Store(time.Now().UnixNano()) }

// Watch reports each time no byte has moved for the limit, until the returned function is called, which waits for a
// running report.
func (s *Stall) Watch(doing string) (stop func()) {
	if s.Report == nil {
		return func() {}
	}
	s.Moved()
	var mu sync.Mutex
	var done bool
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(s.Limit, func() {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return
		}
		if quiet := time.Since(time.Unix(0, s.moved.Load())); quiet < s.Limit {
			timer.Reset(s.Limit - quiet)
			return
		}
		s.Report(doing)
		timer.Reset(s.Limit)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}

// Over reports whether a context has ended. A pipe may notice the end of a deadline a moment before the context does.
func Over(ctx context.Context) bool {
	limit, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(limit)
}
