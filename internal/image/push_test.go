package image_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/release"
)

// TestCheckPush: whether images may be pushed is known before there is one, and asking
// leaves nothing.
func TestCheckPush(t *testing.T) {
	server, err := registry.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	repository := server.Address() + "/octo/hello"
	if err := image.CheckPush(t.Context(), repository, image.Access{Token: "ghs_x"}); err != nil {
		t.Error(err)
	}
	server.Inject(hub.Nth(0, hub.Before502))
	if err := image.CheckPush(t.Context(), repository, image.Access{}); err != nil {
		t.Errorf("after a fault: %v", err)
	}
	server.Inject(nil)
	server.RefusePushes(true)
	err = image.CheckPush(t.Context(), repository, image.Access{})
	if release.ClassOf(err) != release.Authorisation || !strings.Contains(release.HintOf(err), "packages: write") {
		t.Errorf("got %v, hint %q", err, release.HintOf(err))
	}
	if err := image.CheckPush(t.Context(), "no registry", image.Access{}); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := image.CheckPush(ctx, repository, image.Access{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
