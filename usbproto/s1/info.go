package s1

import (
	"slices"
	"strings"
)

// Info is what the phone says of itself in answer to command 1: keys in the order sent.
// Unknown keys are kept (PROTOCOL.md §4.2).
type Info struct {
	keys   []string
	values map[string]string
}

// ParseInfo reads KEY="VALUE";KEY="VALUE";... with or without a final NUL. The format
// has no escapes: a value ends at the first quotation mark that a semicolon follows.
// Text that is not a pair is passed over: a phone must not be lost over an odd key. Of a
// key that comes twice the last value counts.
func ParseInfo(text []byte) *Info {
	info := &Info{values: map[string]string{}}
	rest := trimNUL(text)
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		// Text before a stray semicolon is not a key.
		key = strings.TrimSpace(key[strings.LastIndexByte(key, ';')+1:])
		var value string
		if strings.HasPrefix(after, `"`) {
			if value, rest, found = strings.Cut(after[1:], `";`); !found {
				value = strings.TrimSuffix(value, `"`)
			}
		} else {
			value, rest, _ = strings.Cut(after, ";")
		}
		if key == "" {
			continue
		}
		if _, twice := info.values[key]; !twice {
			info.keys = append(info.keys, key)
		}
		info.values[key] = value
	}
	return info
}

// Keys are the names of all values in the order of the phone.
func (i *Info) Keys() []string { return slices.Clone(i.keys) }

// Get returns a value; false when the phone did not send the key.
func (i *Info) Get(key string) (string, bool) {
	v, ok := i.values[key]
	return v, ok
}

// Secret reports whether the value of a key identifies one phone, its owner or the card
// in it (PROTOCOL.md §4.2). Numbered variants of the known keys count, and unknown
// keys that by their name hold such a number.
func Secret(key string) bool {
	return slices.ContainsFunc(secretWords, func(word string) bool {
		return strings.Contains(strings.ToUpper(key), word)
	})
}

var secretWords = []string{"IMEI", "PHONE_ID", "MSN", "UNIQUE_DEV_ID", "SERIAL", "CARD_DATA"}
