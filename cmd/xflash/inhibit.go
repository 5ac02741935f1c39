package main

import (
	"context"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// inhibitWait is how long logind may take to answer.
const inhibitWait = 2 * time.Second

// inhibitSleep asks logind to neither suspend nor shut down until release is called or the
// program ends. Where there is no logind, or it refuses, nothing happens: that is not a reason
// not to rescue a phone.
func inhibitSleep() (release func()) {
	locks := make(chan *os.File)
	wanted := make(chan struct{})
	go func() {
		lock := takeInhibitor()
		select {
		case <-wanted: // too late: the program does not wait for it any more
			closeFile(lock)
		case locks <- lock:
		}
	}()
	select {
	case lock := <-locks:
		return func() { closeFile(lock) }
	case <-time.After(inhibitWait):
		close(wanted)
		return func() {}
	}
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close() // it holds no data
	}
}

// takeInhibitor returns the file whose closing ends the lock; nil when there is none. The lid
// switch has its own lock, which not every session may take.
func takeInhibitor() *os.File {
	ctx, cancel := context.WithTimeout(context.Background(), inhibitWait)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil
	}
	defer conn.Close()
	logind := conn.Object("org.freedesktop.login1", "/org/freedesktop/login1")
	for _, what := range []string{"shutdown:sleep:handle-lid-switch", "shutdown:sleep"} {
		var fd dbus.UnixFD
		call := logind.CallWithContext(ctx, "org.freedesktop.login1.Manager.Inhibit", 0, what, "xflash", "firmware is being written to a phone", "block")
		if call.Err == nil && call.Store(&fd) == nil {
			return os.NewFile(uintptr(fd), "logind inhibitor")
		}
	}
	return nil
}
