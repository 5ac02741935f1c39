package fastboot

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slow gives every message after a pause, on the clock of the bubble.
type slow struct {
	*loader
	pause time.Duration
}

func (s slow) Read(ctx context.Context, p []byte) (int, error) {
	if len(s.queue) > 0 {
		time.Sleep(s.pause)
	}
	return s.loader.Read(ctx, p)
}

// A loader that sends a line every 20 seconds and never an answer is given up.
func TestLinesWithoutAnAnswerHaveABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loader{t: t, answer: func(command string) []string {
			if command != "getvar:all" {
				return usual(command)
			}
			return strings.Split(strings.Repeat("INFOstill working\n", 1000), "\n")
		}}
		c, err := Open(t.Context(), slow{l, 20 * time.Second}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.Command(t.Context(), "getvar:all")
		var broken *ProtocolError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), "no answer in 2m0s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > (patience+1)*answerTime {
			t.Errorf("it took %s", took)
		}
	})
}

// A fetch takes no more than was asked for, whatever the phone announces.
func TestFetchBelievesNoSizeBeyondThePartition(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"in parts": {"getvar:partition-size:boot": "0x1000", "getvar:max-fetch-size": "0x800"},
		"at once":  {"getvar:partition-size:boot": "0x1000", "getvar:max-fetch-size": ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loader{t: t, answer: func(command string) []string {
				if strings.HasPrefix(command, "fetch:") {
					return []string{"DATA40000000", strings.Repeat("x", 512)}
				}
				if value, ok := variables[command]; ok {
					return []string{"OKAY" + value}
				}
				return usual(command)
			}}
			c, err := Open(t.Context(), l, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			_, err = c.Fetch(t.Context(), "boot", &got)
			var broken *ProtocolError
			if !errors.As(err, &broken) || !strings.Contains(broken.Problem, "the limit") {
				t.Errorf("got %v", err)
			}
			if got.Len() > 0 {
				t.Errorf("%d bytes were written", got.Len())
			}
		})
	}
}
