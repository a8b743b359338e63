package repo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tags are fetched where the clone has none but the one that is known, and nowhere else.
func TestCompleteTags(t *testing.T) {
	origin := newFixture(t)
	origin.commit("first", program)
	origin.git("tag", "v1.0.0")
	origin.commit("second", map[string]string{"a.txt": "a"})
	origin.git("tag", "-m", "one", "v1.1.0")
	for name, c := range map[string]struct {
		tags   []string
		origin string
		asked  bool
		want   string // tags afterwards, or what the error says
	}{
		"none":             {nil, "file://" + origin.dir, true, "v1.0.0 v1.1.0"},
		"the known one":    {[]string{"v1.1.0"}, "file://" + origin.dir, true, "v1.0.0 v1.1.0"},
		"another":          {[]string{"v0.9.0"}, "file://" + origin.dir, false, "v0.9.0"},
		"no origin":        {[]string{"v1.1.0"}, "", false, "v1.1.0"},
		"an origin's gone": {[]string{"v1.1.0"}, "file://" + filepath.Join(t.TempDir(), "none"), true, "fetching the tags of"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "clone")
			origin.git("clone", "--quiet", "--no-tags", "file://"+origin.dir, dir)
			f := fixture{T: t, dir: dir, env: origin.env}
			for _, tag := range c.tags {
				f.git("tag", tag)
			}
			if f.git("remote", "remove", "origin"); c.origin != "" {
				f.git("remote", "add", "origin", c.origin)
			}
			asked, err := f.open("").CompleteTags(t.Context(), "v1.1.0", "")
			got := strings.ReplaceAll(f.git("tag", "--list"), "\n", " ")
			if err != nil {
				got = err.Error()
			}
			if asked != c.asked || !strings.HasPrefix(got, c.want) {
				t.Errorf("asked %t, %s, want %s", asked, got, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, ".git", "FETCH_HEAD")); err == nil {
				t.Error("it leaves a FETCH_HEAD")
			}
		})
	}
}
