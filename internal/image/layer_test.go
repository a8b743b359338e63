package image

import (
	"archive/tar"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"

	"github.com/org/pgo-release/internal/release"
)

// entry is a line about one entry of a layer.
func entry(h *tar.Header) string {
	return fmt.Sprintf("%c %04o %d:%d %s %s", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format(time.DateOnly), h.Name)
}

// listing reads a layer: a line for each entry, and the files' content.
func listing(t *testing.T, img release.Image, d v1.Descriptor) ([]string, map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(img.Layout, "blobs", "sha256", d.Digest.Hex))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return lines, files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[h.Name] = string(content)
		}
		lines = append(lines, entry(h))
	}
}

func TestBase(t *testing.T) {
	img := built(t, spec(t, "linux/amd64", "linux/arm64"))
	images := opening(t, img).images
	base := images[0].manifest.Layers[0]
	lines, files := listing(t, img, base)
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "/zoneinfo/") && !strings.HasSuffix(l, "/zoneinfo/") })
	want := []string{
		"5 0755 0:0 1970-01-01 etc/",
		"0 0644 0:0 1970-01-01 etc/group",
		"0 0644 0:0 1970-01-01 etc/nsswitch.conf",
		"0 0644 0:0 1970-01-01 etc/passwd",
		"5 0755 0:0 1970-01-01 etc/ssl/",
		"5 0755 0:0 1970-01-01 etc/ssl/certs/",
		"0 0644 0:0 1970-01-01 etc/ssl/certs/ca-certificates.crt",
		"5 0755 0:0 1970-01-01 home/",
		"5 0700 65532:65532 1970-01-01 home/nonroot/",
		"5 0700 0:0 1970-01-01 root/",
		"5 1777 0:0 1970-01-01 tmp/",
		"5 0755 0:0 1970-01-01 usr/",
		"5 0755 0:0 1970-01-01 usr/local/",
		"5 0755 0:0 1970-01-01 usr/local/bin/",
		"5 0755 0:0 1970-01-01 usr/share/",
		"5 0755 0:0 1970-01-01 usr/share/zoneinfo/",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("base:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(files["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("no certificates")
	}
	if n := strings.Count(files["etc/ssl/certs/ca-certificates.crt"], "BEGIN CERTIFICATE"); n < 50 {
		t.Errorf("%d certificates", n)
	}
	for _, zone := range []string{"Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"} {
		if _, err := time.LoadLocationFromTZData(zone, []byte(files["usr/share/zoneinfo/"+zone])); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
	later := spec(t, "linux/386")
	later.Time = later.Time.AddDate(1, 0, 0)
	other := opening(t, built(t, later)).images[0]
	if got := other.manifest.Layers[0]; got.Digest != base.Digest || images[1].manifest.Layers[0].Digest != base.Digest {
		t.Error("the base is not the same in every image")
	}
}

func TestExecutables(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	lines, files := listing(t, img, opening(t, img).images[0].manifest.Layers[1])
	want := []string{
		"5 0755 0:0 2026-03-04 usr/",
		"5 0755 0:0 2026-03-04 usr/local/",
		"5 0755 0:0 2026-03-04 usr/local/bin/",
		"0 0755 0:0 2026-03-04 usr/local/bin/also",
		"0 0755 0:0 2026-03-04 usr/local/bin/hello",
	}
	if !slices.Equal(lines, want) || files["usr/local/bin/hello"] != "hello for linux/amd64" {
		t.Errorf("layer %q with %v, want %q", lines, files, want)
	}
}
