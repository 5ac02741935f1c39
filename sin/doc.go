// Package sin reads, verifies, unpacks and builds SIN files, the signed images
// of Sony phones.
//
// A SIN file is a header (lengths, payload type, a list of block hashes, a
// certificate and an RSA signature over all of it) followed by the payload. The
// payload of an image is a map (MMCF) of pieces of a partition; other payloads
// are a loader, a partition layout or a hardware configuration.
//
// Facts come from the project's reference pages sin-ftf-format.md and
// loader-behaviour.md, cited by section; where they disagree, the second is
// right. All integers of the header and the map are big-endian, those of a
// partition layout little-endian. Offsets in results and errors count from the
// start of the SIN file unless said otherwise.
//
// Everything works on a stream: a SIN usually comes out of a zip archive. Nothing
// is allocated from a length in the file before that length was compared with
// what can be there, and memory does not grow with the size of the file.
package sin
