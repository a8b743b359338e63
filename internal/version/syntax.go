package version

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/mod/module"
)

// maxTag is the longest version accepted, in bytes: an OCI tag holds 128 characters
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests).
const maxTag = 128

var (
	floating = regexp.MustCompile(`^v(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$`)
	numberIn = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)*(?:-[0-9A-Za-z.-]+)?`)
	anyZero  = regexp.MustCompile(`^0[0-9]+$`)
	dated    = regexp.MustCompile(`(?:^|[.-])[0-9]{14}-[0-9a-f]{12}$`)
	describe = regexp.MustCompile(`(?:^|-)[0-9]+-g[0-9a-f]{4,64}$`)
	undashed = regexp.MustCompile(`^(v[0-9]+\.[0-9]+\.[0-9]+)([A-Za-z]+[.-]?[0-9]*)$`)
	pieces   = regexp.MustCompile(`[A-Za-z]+|[0-9]+`)
)

// IsFloating tells whether a tag, with whatever prefix, is one that moves from release
// to release, such as "v1" or "v1.2": there is nothing to release for it.
func IsFloating(tag string) bool {
	_, rest := Split(tag)
	return floating.MatchString(rest)
}

// Parse reads a tag of the module whose tags begin with prefix, without the house rule
// about prereleases (T04). The error is a *Rejection.
func Parse(tag, prefix string) (Version, error) {
	v, found := parse(tag, prefix, true)
	if len(found) > 0 {
		return Version{}, &Rejection{found}
	}
	return v, nil
}

// parse reads a tag; anyStyle leaves out the house rule about prereleases. With a
// finding of that rule alone, v is valid.
func parse(tag, prefix string, anyStyle bool) (v Version, list []Finding) {
	f := findings{mode: Standard}
	found := fmt.Sprintf("tag %q", tag)
	rest, ok := strings.CutPrefix(tag, prefix)
	if own, _ := Split(tag); !ok || strings.Contains(rest, "/") {
		want := prefix + tag[len(own):]
		if directory := strings.Trim(own, "/"); ok && directory != "" {
			want += ", or -C " + directory
		}
		if code, _, _ := syntax(tag[len(own):]); code != "" || strings.ContainsFunc(want, func(c rune) bool { return !unicode.IsPrint(c) }) {
			want = ""
		}
		f.add(always, "G03", found, want, "the tags of this module begin with %q", prefix)
		if prefix == "" {
			f.list[0].Rule = fmt.Sprintf("the prefix %q names another module than this one", own)
		}
		return Version{}, f.list
	}
	if code, want, rule := syntax(rest); code != "" {
		if want != "" {
			want = prefix + want
		}
		f.add(always, code, found, want, "%s", rule)
		return Version{}, f.list
	}
	number, err := semver.StrictNewVersion(rest[1:])
	if err != nil {
		f.add(always, "T07", found, "", "%s", strings.ToLower(err.Error()))
		return Version{}, f.list
	}
	v = Version{prefix: prefix, number: number}
	if dotted := dottedStyle(number.Prerelease()); !anyStyle && dotted != number.Prerelease() {
		want := "prerelease-style: any"
		if better := v.core().Module() + "-" + dotted; len(better) <= maxTag { // dots make it longer
			want = prefix + better + " (or set prerelease-style: any)"
		}
		f.add(usual, "T04", found, want,
			`valid SemVer, but a house rule wants lower-case words and numbers between dots: "rc10" sorts before "rc2", "rc.10" after "rc.2"`)
	}
	return v, f.list
}

// syntax says which rule a version without prefix breaks, and what would do instead.
func syntax(rest string) (code, want, rule string) {
	plain, metadata, built := strings.Cut(rest, "+")
	switch {
	case len(rest) > maxTag:
		return "T07", "", fmt.Sprintf("%d characters; a tag of an image holds %d", len(rest), maxTag)
	case floating.MatchString(rest):
		return "T02", rest + strings.Repeat(".0", 2-strings.Count(rest, ".")),
			"a floating tag names no release; a version is exactly MAJOR.MINOR.PATCH"
	case !strings.HasPrefix(rest, "v"):
		if at := numberIn.FindString(rest); at != "" && strings.HasPrefix(strings.TrimLeft(rest, "Vv= "), at) {
			want = "v" + at
			if code, _, _ := syntax(want); code != "" {
				want = ""
			}
			return "T01", want, `Go ignores tags without a lower-case "v"`
		}
		return "T07", "", `a version begins with "v" and a number`
	}
	if m := undashed.FindStringSubmatch(plain); m != nil {
		return "T07", m[1] + "-" + dottedStyle(m[2]), "a dash is missing before the prerelease"
	}
	core, prerelease, dash := strings.Cut(plain[1:], "-")
	if code, want, rule := numbers(core); code != "" {
		return code, want, rule
	}
	if dash {
		if code, rule := identifiers(prerelease); code != "" {
			return code, "", rule
		}
	}
	switch {
	case built:
		return "T05", plain, fmt.Sprintf("build metadata (%q) is not allowed in image tags, and Go turns it into a pseudo-version", "+"+metadata)
	case describe.MatchString(prerelease):
		return "T06", "v" + core, "the output of git describe is not the name of a tag"
	case module.IsPseudoVersion(rest) || dated.MatchString(prerelease):
		return "T06", "v" + core, "a Go pseudo-version is not the name of a tag"
	}
	return "", "", ""
}

// numbers checks what comes before the prerelease.
func numbers(core string) (code, want, rule string) {
	parts := strings.Split(core, ".")
	for _, c := range core {
		if strings.ContainsRune("xX*", c) && len(parts) > 1 {
			return "T02", "", "a version is exactly MAJOR.MINOR.PATCH, three numbers"
		}
		if c != '.' && (c < '0' || c > '9') {
			return "T07", "", fmt.Sprintf("the character %s does not belong in a version", character(c))
		}
	}
	for _, part := range parts {
		switch {
		case part == "", len(parts) != 3:
			return "T02", "", "a version is exactly MAJOR.MINOR.PATCH, three numbers"
		case anyZero.MatchString(part):
			return "T03", "", fmt.Sprintf("leading zero in %q", part)
		case tooLarge(part):
			return "T07", "", fmt.Sprintf("the number %s is above 18446744073709551615", part)
		}
	}
	return "", "", ""
}

// identifiers checks a prerelease.
func identifiers(prerelease string) (code, rule string) {
	for part := range strings.SplitSeq(prerelease, ".") {
		if part == "" {
			return "T07", "an empty part in the prerelease"
		}
		for _, c := range part {
			if c > unicode.MaxASCII || !(c == '-' || unicode.IsDigit(c) || unicode.IsLetter(c)) {
				return "T07", fmt.Sprintf("the character %s does not belong in a prerelease", character(c))
			}
		}
		if anyZero.MatchString(part) {
			return "T03", fmt.Sprintf("leading zero in %q", part)
		}
	}
	return "", ""
}

// tooLarge tells whether digits without leading zeros are above 2^64-1.
func tooLarge(digits string) bool {
	const most = "18446744073709551615"
	return len(digits) > len(most) || len(digits) == len(most) && digits > most
}

// character shows a rune, and what it is where it cannot be seen.
func character(c rune) string {
	if unicode.IsGraphic(c) && c < 0x80 {
		return fmt.Sprintf("%q", c)
	}
	return fmt.Sprintf("%q (U+%04X)", c, c)
}

// dottedStyle is a prerelease as the house rule writes it: lower case, and a dot
// wherever letters and digits meet.
func dottedStyle(prerelease string) string {
	var out []string
	for part := range strings.SplitSeq(prerelease, ".") {
		if lower := strings.ToLower(part); strings.Trim(lower, "0123456789") == "" || !strings.ContainsAny(lower, "0123456789") {
			out = append(out, lower) // a number, or words
			continue
		}
		for _, piece := range pieces.FindAllString(strings.ToLower(part), -1) {
			if piece = strings.TrimLeft(piece, "0"); piece == "" {
				piece = "0"
			}
			out = append(out, piece)
		}
	}
	return strings.Join(out, ".")
}
