// Package ftf opens and writes firmware bundles of Sony phones: the .ftf files
// of Flashtool and the folders of XperiFirm.
//
// A bundle is a zip archive, or a folder with the same files, that holds signed
// images (.sin), trim-area units as text (.ta), at most one flash script (.fsc),
// a manifest that names model and version, and a boot delivery: the boot chain
// in several variants, with an XML file that says which phone gets which.
//
// The package knows containers and texts only. What is inside an image is the
// business of package sin, what may be flashed that of the planner. Nothing is
// unpacked to disk and no member name ever becomes a path: members are looked up
// by name and read as streams, with size and CRC-32 checked.
//
// Archives come from strangers. Whatever two unpackers could understand in two
// ways is refused with an *Error that says what and where. What is odd but has
// one meaning is kept as a Note.
//
// Facts: FORMAT.md, cited by section.
package ftf
