package bootcheck_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"xflash/fastboot"
	"xflash/internal/bootcheck"
	"xflash/internal/simphone"
)

// sendTo really sends an image to a simulated loader, whose code is not ours, and gives its
// answer, empty for OKAY.
func sendTo(t *testing.T, phone *simphone.Phone, image []byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := fastboot.Open(ctx, phone.Fastboot().Conn(), fastboot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.Boot(ctx, bytes.NewReader(image), int64(len(image)))
	var refusal *fastboot.Refusal
	if errors.As(err, &refusal) {
		return refusal.Text
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// For every image of the table and every generation, what is predicted is what the
// simulated loader answers.
func TestPredictionsHold(t *testing.T) {
	names := map[bootcheck.Generation]string{bootcheck.LK2013: simphone.Aboot2013, bootcheck.LK2014: simphone.Aboot2014, bootcheck.LK2015: simphone.Aboot2015}
	images := bootcheck.ImagesForTest(t)
	for _, g := range bootcheck.Generations {
		t.Run(names[g], func(t *testing.T) {
			t.Parallel()
			predictionsHold(t, g, names[g], false, images)
			predictionsHold(t, g, names[g], true, images[:2])
		})
	}
}

func predictionsHold(t *testing.T, g bootcheck.Generation, name string, locked bool, images []bootcheck.ImageForTest) {
	phone, err := simphone.Open(simphone.Options{InFastboot: true, Aboot: name, Locked: locked})
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	for _, c := range images {
		target, _ := bootcheck.TargetFor("D5803")
		target.Locked = locked
		d, err := bootcheck.Diagnose(c.Data, target)
		if err != nil {
			t.Fatal(err)
		}
		if got := sendTo(t, phone, c.Data); got != d.Answers[g] {
			t.Errorf("%s, locked %t: it answers %q, predicted was %q", c.Name, locked, got, d.Answers[g])
		}
	}
}
