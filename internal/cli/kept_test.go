package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// unpublishable is a GitHub that takes everything and publishes nothing.
func unpublishable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			http.Error(w, `{"message": "no"}`, http.StatusUnprocessableEntity)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// TestKeepsSignatures: a release that failed after it was signed is finished without
// another certificate and without another entry in the log, and without a compiler where
// the draft has all of it, as long as what was signed is what is released.
func TestKeepsSignatures(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		between func(t *testing.T, dist string)
		entries int64 // that the second run adds to the log
		certs   int64
	}{
		"from dist, made anew": {[]string{"--rebuild"}, func(*testing.T, string) {}, 0, 0},
		"from the draft": {nil, func(t *testing.T, dist string) {
			if err := os.RemoveAll(dist); err != nil {
				t.Fatal(err)
			}
		}, 0, 0},
		"every file": {[]string{"--sign", "all"}, func(*testing.T, string) {}, 0, 0},
		"from the draft where dist is broken": {nil, func(t *testing.T, dist string) {
			for _, name := range []string{release.ProvenanceName, release.ChecksumsBundleName} {
				if err := os.WriteFile(filepath.Join(dist, name), []byte("{}"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, 0, 0},
		"nothing for other files": {nil, func(t *testing.T, dist string) {
			text := []byte("builds: [{main: ., ldflags: ['-X main.version={{.Version}}']}]\n")
			if err := os.WriteFile(filepath.Join(dist, "..", ".pgo-release.yaml"), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 2 + 3, 1}, // three are about the image
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			args := append([]string{"release", "--platforms", "linux/amd64"}, c.args...)
			j.stage.Hub.Inject(unpublishable)
			if code, said := j.run(t, args...); code != 1 {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
			entries, certs := j.stage.Sigstore.Calls(sigstore.Rekor), j.stage.Sigstore.Calls(sigstore.Fulcio)
			if entries < 2 || certs != 1 {
				t.Fatalf("%d entries, %d certificates", entries, certs)
			}
			c.between(t, filepath.Join(j.dir, "dist"))
			j.stage.Hub.Inject(nil)
			code, said := j.run(t, args...)
			if c.entries > 0 {
				if code != 3 || !strings.Contains(said, "it was made by another plan") || !strings.Contains(said, "--rebuild") {
					t.Fatalf("exit code %d:\n%.4000s", code, said)
				}
				args = append(args, "--rebuild")
				code, said = j.run(t, args...)
			}
			if made := strings.Contains(said, "::group::make"); code != 0 || made != slices.Contains(args, "--rebuild") {
				t.Fatalf("exit code %d:\n%.4000s", code, said)
			}
			if n := j.stage.Sigstore.Calls(sigstore.Rekor) - entries; n != c.entries {
				t.Errorf("%d more entries, want %d", n, c.entries)
			}
			if n := j.stage.Sigstore.Calls(sigstore.Fulcio) - certs; n != c.certs {
				t.Errorf("%d more certificates, want %d", n, c.certs)
			}
		})
	}
}
