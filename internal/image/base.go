package image

import (
	"archive/zip"
	"bytes"
	_ "embed" // for the time zones
	"encoding/pem"
	"errors"
	"io"
	"path"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Where things are in the base.
const (
	certificates = "/etc/ssl/certs/ca-certificates.crt"
	zones        = "/usr/share/zoneinfo"
	home         = "/home/nonroot"
)

// zoneinfo is the IANA time zone database as Go distributes it (lib/time/zoneinfo.zip
// of Go 1.26; public domain).
//
//go:generate cp $GOROOT/lib/time/zoneinfo.zip .
//go:embed zoneinfo.zip
var zoneinfo []byte

// writeBase writes what a statically linked program wants to find: CA certificates,
// time zones, a user that is not root, a place for temporary files. It depends on the
// product's version alone, so a registry stores it once for all releases.
func writeBase(t *tree) error {
	const nonroot = 65532
	t.modified = time.Unix(0, 0).UTC()
	t.dir("/etc", 0o755, 0)
	t.file("/etc/group", []byte("root:x:0:\nnonroot:x:65532:\n"))
	// Without this file some resolvers would not look into /etc/hosts first.
	t.file("/etc/nsswitch.conf", []byte("hosts: files dns\n"))
	t.file("/etc/passwd", []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:"+home+":/sbin/nologin\n"))
	for dir := range parents(path.Dir(certificates)) {
		if dir != "/etc" {
			t.dir(dir, 0o755, 0)
		}
	}
	t.file(certificates, roots())
	t.dir(path.Dir(home), 0o755, 0)
	t.dir(home, 0o700, nonroot)
	t.dir("/root", 0o700, 0)
	t.dir("/tmp", 0o1777, 0)
	t.dir("/usr", 0o755, 0)
	t.dir("/usr/local", 0o755, 0)
	t.dir("/usr/local/bin", 0o755, 0)
	t.dir("/usr/share", 0o755, 0)
	t.dir(zones, 0o755, 0)
	return writeZones(t)
}

// roots are the CA certificates of Mozilla's programme in PEM. A root that is trusted
// under a condition is left out: the file has no way to say so, and trusting it
// without would be wrong.
func roots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}

func writeZones(t *tree) error {
	z, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return err
	}
	seen := map[string]bool{"/.": true}
	for _, f := range z.File { // sorted by name; directories are not listed
		for dir := range parents(path.Dir(f.Name)) {
			if !seen[dir] {
				t.dir(zones+dir, 0o755, 0)
			}
			seen[dir] = true
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		t.file(path.Join(zones, f.Name), content)
	}
	return t.err
}
