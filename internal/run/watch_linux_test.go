package run

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 77 78 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 1000 3 184467 1 1 0 0"
	for _, tt := range []struct {
		stat string
		want string
		ok   bool
	}{
		{"9 (link)" + tail, "link", true},
		{"9 (a) b (c))" + tail, "a) b (c)", true},
		{"9 (link) S 1 77", "", false},
		{"9 link" + tail, "", false},
		{"", "", false},
		{")(", "", false},
	} {
		p, group, ok := parseStat([]byte(tt.stat))
		if ok != tt.ok || p.Name != tt.want || ok && (group != 77 || p.Memory < 3*4096 || p.Memory%3 != 0) {
			t.Errorf("%q: %+v of %d, %t", tt.stat, p, group, ok)
		}
	}
}

// A program is seen with what it starts, and nobody is told when it has ended.
func TestWatched(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var names []string
	r := New([]string{"PATH=/usr/bin:/bin"}).Watched(func(all []Process) {
		for _, p := range all {
			names = append(names, p.Name)
		}
		if slices.Contains(names, "sleep") {
			cancel()
		}
	})
	_, err := r.All(ctx, t.TempDir(), "sh", "-c", "sleep 600; true")
	if !errors.Is(err, context.Canceled) || !slices.Contains(names, "sh") || !slices.Contains(names, "sleep") {
		t.Errorf("seen: %q, %v", names, err)
	}
}
