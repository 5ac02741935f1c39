// Package sin reads, verifies and unpacks SIN files, the signed images of Sony phones.
//
// There are five versions. Versions 1 (2010) to 3 (2013 to 2016) are a header
// (lengths, payload type, a list of block hashes, a certificate and an RSA signature
// over all of it) followed by the payload. In version 3 the payload of an image is a
// map (MMCF) of pieces of a partition; before, the hash list says where each block
// goes. Other payloads are a loader, a partition layout or a hardware configuration.
// Versions 4 and 5 (2017 and later) are tar archives with another kind of signature.
//
// Facts: FORMAT.md, cited by section. All integers of the header and the map are
// big-endian, those of a partition layout little-endian. Offsets in results and errors
// count from the start of the SIN file unless said otherwise.
//
// Everything works on a stream: a SIN usually comes out of a zip archive. Nothing
// is allocated from a length in the file before that length was compared with
// what can be there, and memory does not grow with the size of the file.
package sin
