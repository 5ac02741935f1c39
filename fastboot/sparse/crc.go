package sparse

import "hash/crc32"

// running is the CRC-32 (IEEE 802.3) of an expanded image as it grows. Two are
// kept, since both are in use: the format and its readers count don't-care
// areas as zeros, while the AOSP writer leaves them out of the sum. The
// identity crc(A‖B) = shift(crc(A), |B|) ⊕ crc(B) makes long fills and
// holes cost nothing, so that an image that claims a terabyte is skipped at once.
type running struct {
	counted uint32 // don't-care areas as zeros
	left    uint32 // don't-care areas left out
}

// write adds bytes of the image.
func (r *running) write(p []byte) { r.add(crc32.ChecksumIEEE(p), int64(len(p))) }

// fill adds n bytes made of the repeated pattern; n is a multiple of 4.
func (r *running) fill(pattern [4]byte, n int64) { r.add(crcFill(pattern, n), n) }

// hole adds n bytes that nobody cares for.
func (r *running) hole(n int64) {
	zeros := crc32.Update(crcFill([4]byte{}, n), crc32.IEEETable, make([]byte, n%4))
	r.counted = crcMultiply(crcPower(n), r.counted) ^ zeros
}

// matches reports whether want is the checksum under either reading.
func (r *running) matches(want uint32) bool { return want == r.counted || want == r.left }

func (r *running) add(crc uint32, n int64) {
	power := crcPower(n)
	r.counted = crcMultiply(power, r.counted) ^ crc
	r.left = crcMultiply(power, r.left) ^ crc
}

// crcFill is the checksum of a pattern repeated over the whole words in n bytes, by doubling.
func crcFill(pattern [4]byte, n int64) uint32 {
	var sum uint32
	unit, power := crc32.ChecksumIEEE(pattern[:]), crcPower(4)
	for count := n / 4; count > 0; count >>= 1 {
		if count&1 == 1 {
			sum = crcMultiply(power, sum) ^ unit
		}
		unit = crcMultiply(power, unit) ^ unit
		power = crcMultiply(power, power)
	}
	return sum
}

// crcPower is the polynomial x^(8n) modulo the CRC polynomial, in the reflected
// bit order. A checksum multiplied by it is moved over n bytes that follow.
func crcPower(n int64) uint32 {
	result, square := uint32(1<<31), uint32(1<<23) // x^0 and x^8
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = crcMultiply(square, result)
		}
		square = crcMultiply(square, square)
	}
	return result
}

// crcMultiply multiplies two polynomials modulo the CRC polynomial.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return product
}
