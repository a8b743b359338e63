package version

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// line is the form of a line of versions.
var line = regexp.MustCompile(`^v?(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$`)

// IsLine tells whether an image tag follows the versions of a line: "1", "1.2", or
// "latest", which follows all of them. A "v" may stand before.
func IsLine(tag string) bool { return tag == "latest" || line.MatchString(tag) }

// IsExact tells whether an image tag is a version of three numbers, with or without "v".
func IsExact(tag string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	return err == nil
}

// Ahead tells whether a version lies in the line of an image tag and comes after another
// by precedence. What is no version of three numbers comes after none: images say
// other things of themselves too.
func Ahead(tag, v, than string) bool {
	a, err := semver.StrictNewVersion(strings.TrimPrefix(v, "v"))
	if err != nil {
		return false
	}
	b, err := semver.StrictNewVersion(strings.TrimPrefix(than, "v"))
	if err != nil || !a.GreaterThan(b) {
		return false
	}
	switch tag = strings.TrimPrefix(tag, "v"); strings.Count(tag, ".") {
	case 1:
		return tag == fmt.Sprintf("%d.%d", a.Major(), a.Minor())
	default:
		return tag == "latest" || tag == fmt.Sprint(a.Major())
	}
}
