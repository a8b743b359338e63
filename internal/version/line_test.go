package version_test

import (
	"testing"

	"github.com/org/pgo-release/internal/version"
)

func TestTagsOfImages(t *testing.T) {
	for tag, want := range map[string][2]bool{ // line, exact
		"latest": {true, false}, "1": {true, false}, "v1": {true, false}, "0.3": {true, false}, "v1.2": {true, false},
		"1.2.3": {false, true}, "v1.2.3": {false, true}, "1.2.3-rc.1": {false, true}, "2.0.0-snapshot.g1": {false, true},
		"edge": {false, false}, "01": {false, false}, "1.2.3.4": {false, false}, "24.04": {false, false}, "": {false, false}, "stable-1": {false, false},
	} {
		if got := [2]bool{version.IsLine(tag), version.IsExact(tag)}; got != want {
			t.Errorf("%q: %v, want %v", tag, got, want)
		}
	}
}

func TestAhead(t *testing.T) {
	for _, c := range []struct {
		tag, there, now string
		want            bool
	}{
		{"latest", "1.3.0", "1.2.3", true}, {"latest", "v2.0.0", "1.2.3", true}, {"latest", "1.2.3", "1.2.3", false}, {"latest", "1.2.2", "1.2.3", false},
		{"1", "1.3.0", "1.2.3", true}, {"v1", "1.3.0", "1.2.3", true}, {"1", "2.0.0", "1.2.3", false}, {"1.2", "1.2.4", "1.2.3", true}, {"1.2", "1.3.0", "1.2.3", false},
		{"latest", "24.04", "1.2.3", false}, {"latest", "nightly", "1.2.3", false}, {"latest", "", "1.2.3", false}, {"latest", "2026", "1.2.3", false},
		{"latest", "1.3.0-rc.1", "1.2.3", true}, {"latest", "1.2.3-rc.1", "1.2.3", false},
	} {
		if got := version.Ahead(c.tag, c.there, c.now); got != c.want {
			t.Errorf("%s at %s, now %s: %t", c.tag, c.there, c.now, got)
		}
	}
}
