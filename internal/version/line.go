package version

import (
	"regexp"

	"github.com/Masterminds/semver/v3"
)

// IsLine tells whether an image tag follows the versions of a line: "1", "1.2", or
// "latest", which follows all of them.
func IsLine(tag string) bool {
	return tag == "latest" || regexp.MustCompile(`^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$`).MatchString(tag)
}

// After tells whether a version, with or without "v", comes after another by precedence.
// What is no version comes after none.
func After(v, than string) bool {
	a, err := semver.NewVersion(v)
	if err != nil {
		return false
	}
	b, err := semver.NewVersion(than)
	return err == nil && a.GreaterThan(b)
}
