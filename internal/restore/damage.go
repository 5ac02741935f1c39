package restore

import (
	"errors"

	"xflash/sin"
)

// unfit is why a phone refuses a file that is intact.
type unfit string

func (u unfit) Error() string { return string(u) }

// damage is what the walk found wrong with a file. Damage in a text counts too: whoever
// changed it may have changed more.
func damage(it *Item) Problems {
	var other unfit
	switch {
	case it.Problem == nil:
		return nil
	case errors.As(it.Problem, &other):
		return Problems{{Kind: PolicyRefusal, Item: it.Member, What: other.Error(), Why: "the file is intact, but not for this phone", Next: "download the firmware for exactly this phone"}}
	}
	return Problems{{Kind: FileInvalid, Item: it.Member, What: describeDamage(it.Problem), Err: it.Problem, Next: damageAdvice(it.Problem)}}
}

// describeDamage leaves out the file name, which the Problem carries already.
func describeDamage(err error) string {
	var se *sin.Error
	if errors.As(err, &se) {
		copied := *se
		copied.File = ""
		return copied.Error()
	}
	return err.Error()
}

func damageAdvice(err error) string {
	var se *sin.Error
	if errors.As(err, &se) {
		switch se.Reason {
		case sin.Truncated, sin.CorruptBlock, sin.Trailing, sin.HeaderChanged, sin.CertificateDamaged, sin.SignatureDamaged, sin.BadData:
			return "the file was damaged on its way to you: download the bundle again, if you can from another source"
		case sin.ForgedRoot:
			return "this file is not from Sony: do not use the bundle, get it from a source you trust"
		}
	}
	return "download the bundle again, if you can from another source"
}
