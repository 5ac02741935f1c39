package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xflash/internal/fileio"
)

// udevFile is the name of the rule's file. It must sort before 73-seat-late.rules, which
// acts on the tag that the rule sets (usbproto/libusb/NOTES.md §5).
const udevFile = "70-xflash.rules"

// udevRule is the text of that file. packaging/udev holds the same bytes for packages.
const udevRule = `# Sony Xperia phones in fastboot, flash mode and the flash mode of 2017: whoever sits at
# this computer may use them, and ModemManager leaves them alone.
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="0fce", ATTR{idProduct}=="0dde|adde|b00b", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"
`

// udevFolder is where rules of this computer's owner are.
const udevFolder = "/etc/udev/rules.d"

func newUdevCommand(a *app) *cobra.Command {
	var install bool
	cmd := &cobra.Command{
		Use:   "udev",
		Short: "the rule that lets you use phones without being root",
		Long: `Prints the udev rule that lets whoever sits at this computer use Sony phones, and the
commands that install it. --install does all of that, as root.`,
		Example: `  xflash udev
  sudo xflash udev --install`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if !install {
				a.ui.result("%s", udevRule)
				a.ui.say("\nTo install it:\n  xflash udev | sudo tee %s\n  sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=usb", filepath.Join(udevFolder, udevFile))
				return nil
			}
			return a.installRule(udevFolder)
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "install the rule; needs root")
	return cmd
}

// installRule writes the rule into a folder, whole or not at all.
func (a *app) installRule(folder string) error {
	path := filepath.Join(folder, udevFile)
	fail := func(err error) error {
		if errors.Is(err, os.ErrPermission) {
			return &failure{exit: exitNoAccess, code: "no-access", what: "only root can write the rule: " + err.Error(), hints: []string{"sudo xflash udev --install"}}
		}
		return err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == udevRule {
		return a.done(path + " already exists.")
	}
	if err := fileio.Replace(path, []byte(udevRule), 0o644); err != nil {
		return fail(err)
	}
	if err := a.done("Wrote " + path + "."); err != nil {
		return err
	}
	if folder != udevFolder {
		return nil
	}
	for _, words := range [][]string{{"control", "--reload"}, {"trigger", "--subsystem-match=usb", "--action=add"}} {
		if out, err := exec.Command("udevadm", words...).CombinedOutput(); err != nil {
			a.ui.warn("udevadm %s failed (%v: %s); restart the computer, then plug the phone in again", words[0], err, printable(strings.TrimSpace(string(out))))
			return nil
		}
	}
	a.ui.say("The rule is active. If the phone is plugged in, unplug it and plug it in again.")
	return nil
}
