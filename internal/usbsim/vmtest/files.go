package vmtest

// What the command fixture leaves for the tests: a root certificate, and one folder with
// each bundle and the list of what it puts onto a phone.
const (
	RootFile     = "root.pem"
	BundleFile   = "bundle.ftf"
	ContentsFile = "contents.json"

	Demo  = "demo"  // as "xflash demo" restores it
	Small = "small" // for tests that restore many times
)

// Content is what a partition must start with after a restore.
type Content struct {
	Bytes  int64
	SHA256 string // hexadecimal
}
