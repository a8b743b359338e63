package image

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/pgo-release/internal/release"
)

func TestPlatforms(t *testing.T) {
	for in, want := range map[string]struct{ platform, canonical string }{
		"linux/amd64":            {"linux/amd64", "linux/amd64"},
		"linux/amd64/v1":         {"linux/amd64", "linux/amd64"},
		"linux/amd64/v2":         {"linux/amd64/v2", "linux/amd64/v2"},
		"linux/arm":              {"linux/arm/v7", "linux/arm/v7"},
		"linux/arm/v5":           {"linux/arm/v5", "linux/arm/v5"},
		"linux/arm/v6":           {"linux/arm/v6", "linux/arm/v6"},
		"linux/arm64":            {"linux/arm64/v8", "linux/arm64"},
		"linux/arm64/v8.0":       {"linux/arm64/v8", "linux/arm64"},
		"linux/arm64/v8.2":       {"linux/arm64/v8.2", "linux/arm64/v8.2"},
		"linux/arm64/v9.0":       {"linux/arm64/v9", "linux/arm64/v9.0"},
		"linux/riscv64/rva22u64": {"linux/riscv64/rva22u64", "linux/riscv64/rva22u64"},
		"linux/ppc64le/power8":   {"linux/ppc64le", "linux/ppc64le"},
		"linux/s390x":            {"linux/s390x", "linux/s390x"},
	} {
		target := targets(t, in)[0]
		if got := platform(target).String(); got != want.platform {
			t.Errorf("%s is %s, want %s", in, got, want.platform)
		}
		if got := Canonical(target); got.String() != want.canonical || Canonical(got) != got {
			t.Errorf("Canonical(%s) = %s, want %s", in, got, want.canonical)
		}
	}
	for _, p := range []v1.Platform{
		{OS: "linux", Architecture: "arm", Variant: "v9"}, {OS: "unknown", Architecture: ""},
		{OS: "linux", Architecture: "amd64", OSVersion: "1"}, {OS: "linux", Architecture: "amd64", Features: []string{"sse"}},
	} {
		if got, err := target(p); err == nil {
			t.Errorf("%+v is %s", p, got)
		}
	}
	if odd := (release.Target{OS: "linux", Arch: "amd64", Variant: "odd"}); Canonical(odd) != odd {
		t.Error("a target that is none changes")
	}
}
