package command

import (
	"sync"
	"time"
)

// watch reports a stall each time no byte has moved for Options.Stall, until the returned function is called, which waits
// for a running report.
func (s *Session) watch(command string) (stop func()) {
	if s.opt.OnStall == nil {
		return func() {}
	}
	s.touch()
	var mu sync.Mutex
	var done bool
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(s.opt.Stall, func() {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return
		}
		if quiet := time.Since(time.Unix(0, s.moved.Load())); quiet < s.opt.Stall {
			timer.Reset(s.opt.Stall - quiet)
			return
		}
		s.opt.OnStall(command)
		timer.Reset(s.opt.Stall)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}
