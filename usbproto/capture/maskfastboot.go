package capture

import (
	"bytes"
	"strconv"
)

// FastbootMask masks what goes over in fastboot: the values of variables that identify a
// phone, unlock codes, and everything that is read out of the phone's storage.
func FastbootMask() Masker { return &fastbootMask{} }

type fastbootMask struct {
	secret   bool  // the answer to what was asked is a secret
	reads    bool  // what was asked gives data of the phone
	download int64 // bytes of a download that the host has still to send
	upload   int64 // bytes that the phone has still to send
}

// secretVariables hold what identifies a phone (boot-fastboot.md §8.3).
var secretVariables = [][]byte{[]byte("serialno"), []byte("imei"), []byte("cid"), []byte("uid"), []byte("meid"), []byte("wifiaddr"), []byte("btaddr")}

func secretVariable(name []byte) bool {
	name = bytes.ToLower(bytes.TrimSpace(name))
	for _, s := range secretVariables {
		if bytes.HasPrefix(name, s) {
			return true
		}
	}
	return false
}

// Host follows commands; the data of a download are the host's own.
func (m *fastbootMask) Host(b []byte) {
	if m.download > 0 {
		m.download -= min(m.download, int64(len(b)))
		return
	}
	m.secret, m.reads = false, false
	switch name, ok := bytes.CutPrefix(b, []byte("getvar:")); {
	case ok:
		m.secret = secretVariable(name)
	case bytes.HasPrefix(b, []byte("oem unlock ")):
		overwrite(b[len("oem unlock "):])
	case bytes.HasPrefix(b, []byte("oem ")):
		m.secret = true // nobody knows what it tells
	case bytes.HasPrefix(b, []byte("upload")), bytes.HasPrefix(b, []byte("fetch:")):
		m.reads = true
	}
}

// Phone masks answers, each of which is one transfer.
func (m *fastbootMask) Phone(b []byte) bool {
	if m.upload > 0 {
		m.upload -= min(m.upload, int64(len(b)))
		clear(b)
		return true
	}
	if len(b) < 4 {
		overwrite(b)
		return true
	}
	switch text := b[4:]; string(b[:4]) {
	case "DATA":
		if n, err := strconv.ParseUint(string(text[:min(len(text), 8)]), 16, 32); err == nil && m.reads {
			m.upload = int64(n)
		} else if err == nil {
			m.download = int64(n)
		}
	case "OKAY", "FAIL":
		if m.secret {
			overwrite(text)
		}
	case "INFO", "TEXT":
		// A line of "getvar all" is "NAME: VALUE" or "NAME:VALUE".
		if name, value, ok := bytes.Cut(text, []byte(":")); ok && secretVariable(name) || m.secret {
			if !ok || m.secret {
				value = text
			}
			overwrite(value)
		}
	default:
		overwrite(b)
	}
	return true
}

// Abandon has nothing to do: nothing waits.
func (m *fastbootMask) Abandon() {}
