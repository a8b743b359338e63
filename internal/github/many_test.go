package github_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

// TestManyAssets: 300 assets are stored within the limits that GitHub documents for a
// minute: it refuses no request, and the waiting is told. Time is made up.
func TestManyAssets(t *testing.T) {
	s := start(t, nil)
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := begin
	clock := func() time.Time { return now }
	s.hub.Throttle(hub.Secondary{Content: 80, Points: 900, Concurrent: 100, Window: time.Minute, Now: clock})
	var told []string
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: s.hub.Token(), APIURL: s.hub.URL(), UploadURL: s.hub.UploadURL(),
		Transport: s.transport(), Now: clock, Waiting: func(text string) { told = append(told, text) },
		Wait: func(ctx context.Context, d time.Duration) error {
			now = now.Add(d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
	if err != nil {
		t.Fatal(err)
	}
	var files []release.File
	for i := range 300 {
		files = append(files, s.file(fmt.Sprintf("file_%03d", i), "x"))
	}
	for run := range 2 { // the second finds everything there
		held, err := client.Assets(t.Context(), page)
		if err != nil || len(held) != 300*run {
			t.Fatalf("run %d: %d assets, %v", run, len(held), err)
		}
		for _, file := range files {
			if uploaded, err := client.Put(t.Context(), page, file, held, true); err != nil || uploaded != (run == 0) {
				t.Fatalf("run %d: %s: %t, %v", run, file.Name, uploaded, err)
			}
		}
	}
	if _, err := client.Publish(t.Context(), page, first, true, false); err != nil {
		t.Fatal(err)
	}
	for _, call := range s.hub.Calls() {
		if call.Status >= 400 && !strings.Contains(call.Path, "/releases/tags/") {
			t.Errorf("refused: %+v", call)
		}
	}
	t.Logf("%d requests in %v: %q", len(s.hub.Calls()), now.Sub(begin), told)
	if len(told) < 3 || !strings.HasPrefix(told[0], "waiting for 1m") {
		t.Errorf("told %q", told)
	}
}

// TestUnlimited: where nobody is refused, nobody waits.
func TestUnlimited(t *testing.T) {
	s := start(t, nil)
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: s.hub.Token(), APIURL: s.hub.URL(), UploadURL: s.hub.UploadURL(),
		Transport: s.transport(), Unlimited: true,
		Wait: func(context.Context, time.Duration) error { return fmt.Errorf("it waits") },
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := client.Put(t.Context(), page, s.file(fmt.Sprintf("file_%03d", i), "x"), nil, true); err != nil {
			t.Fatal(err)
		}
	}
}
