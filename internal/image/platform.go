package image

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/pgo-release/internal/release"
)

// platform is a target in the terms of an image index. Variants have the same names
// there (image-spec, "Platform Variants"), but for those that the runtimes leave out
// or write out: they compare an index with their machine by these names.
func platform(t release.Target) v1.Platform {
	variant := strings.TrimPrefix(strings.TrimPrefix(t.ImagePlatform(), t.Port()), "/")
	switch t.Arch + "/" + variant {
	case "arm64/":
		variant = "v8"
	case "arm64/v9.0":
		variant = "v9"
	}
	return v1.Platform{OS: t.OS, Architecture: t.Arch, Variant: variant}
}

// target is the inverse of platform, up to Canonical.
func target(p v1.Platform) (release.Target, error) {
	t := release.Target{OS: p.OS, Arch: p.Architecture, Variant: p.Variant}
	switch t.Arch + "/" + t.Variant {
	case "arm64/v8":
		t.Variant = ""
	case "arm64/v9":
		t.Variant = "v9.0"
	}
	if p.OSVersion != "" || len(p.OSFeatures) > 0 || len(p.Features) > 0 {
		return release.Target{}, fmt.Errorf("platform %.200q: more than system, architecture and variant", p.String())
	}
	return release.ParseTarget(t.String())
}

// Canonical is a target as an image can express it: what Inspect reports for a
// platform that was built for t. Targets that differ only in naming the toolchain's
// default, or not, are one platform in an image.
func Canonical(t release.Target) release.Target {
	if c, err := target(platform(t)); err == nil {
		return c
	}
	return t
}
