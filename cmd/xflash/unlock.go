package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// unlockLoss is what a person must know before (internal/phone/PHONES.md §8,
// fastboot/PROTOCOL.md §5).
const unlockLoss = `Unlocking the boot loader cannot be undone. It erases all user data, and the phone loses its DRM keys from the trim area for good: Sony's camera and sound improvements, protected films and some services stop working, also after locking it again. It is not needed for "xflash restore".`

// backupFirst is offered before: what flash mode shows of the trim area can be kept.
const backupFirst = `Save what you can first: with the phone in flash mode, "xflash ta backup BUNDLE -o my-phone-ta" copies its SIM lock data, serial number and calibration. The DRM keys cannot be read this way.`

func newUnlockCommand(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "unlock CODE",
		Short: "unlock the boot loader, after saying what you lose",
		Long: `Unlocks the boot loader with the code that Sony issues for the phone's IMEI: 16
hexadecimal digits. It says what you lose for good, and asks first.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			code := strings.TrimPrefix(strings.ToUpper(words[0]), "0X")
			if _, err := strconv.ParseUint(code, 16, 64); err != nil || len(code) != 16 {
				return usageError{errors.New("a code has 16 hexadecimal digits; Sony's developer site gives you the one for your IMEI")}
			}
			return a.oneJob(cmd.Context(), "", func(ctx context.Context, c *fastbootConn) (act, error) {
				return a.prepareCommand(ctx, c, "oem unlock 0x"+code, "The boot loader is unlocked.", yes)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirmUnlock says what a phone loses for good by unlocking, and asks.
func (a *app) confirmUnlock(ctx context.Context, yes bool) error {
	if !yes && !a.ui.asks() {
		return &failure{exit: exitPolicy, code: "not-confirmed", what: "not unlocked; nothing was sent", text: wrap(unlockLoss, a.ui.width(), "") + "\n" + wrap(backupFirst, a.ui.width(), ""), hints: []string{"--yes says that you know what you lose"}}
	}
	a.ui.warn("%s", unlockLoss)
	a.ui.warn("%s", backupFirst)
	if yes {
		return nil
	}
	answer, err := a.ui.ask(ctx, "Type UNLOCK to unlock it:")
	if err != nil {
		return err
	}
	if answer != "UNLOCK" {
		return &failure{exit: exitPolicy, code: "not-confirmed", what: fmt.Sprintf("nothing was done: the answer was %q", printable(answer))}
	}
	return nil
}
