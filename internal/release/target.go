package release

import (
	"fmt"
	"slices"
	"strings"
)

// Target is one platform that a binary is compiled for: a Go port and, where one
// is asked for, an instruction set variant of it.
type Target struct {
	OS      string // GOOS
	Arch    string // GOARCH
	Variant string // "v7" of arm, "v3" of amd64, …; empty: the toolchain's default
}

// variants maps a GOARCH to the variable that chooses its variant and the values
// that the toolchain takes (go help environment).
var variants = map[string]struct {
	variable string
	values   []string
}{
	"386":      {"GO386", []string{"sse2", "softfloat"}},
	"amd64":    {"GOAMD64", []string{"v1", "v2", "v3", "v4"}},
	"arm":      {"GOARM", []string{"v5", "v6", "v7"}},
	"arm64":    {"GOARM64", []string{"v8.0", "v8.1", "v8.2", "v8.3", "v8.4", "v8.5", "v8.6", "v8.7", "v8.8", "v8.9", "v9.0", "v9.1", "v9.2", "v9.3", "v9.4", "v9.5"}},
	"mips":     {"GOMIPS", []string{"hardfloat", "softfloat"}},
	"mipsle":   {"GOMIPS", []string{"hardfloat", "softfloat"}},
	"mips64":   {"GOMIPS64", []string{"hardfloat", "softfloat"}},
	"mips64le": {"GOMIPS64", []string{"hardfloat", "softfloat"}},
	"ppc64":    {"GOPPC64", []string{"power8", "power9", "power10"}},
	"ppc64le":  {"GOPPC64", []string{"power8", "power9", "power10"}},
	"riscv64":  {"GORISCV64", []string{"rva20u64", "rva22u64", "rva23u64"}},
}

// ParseTarget reads "os/arch" or "os/arch/variant". Whether the port exists is not
// its business (see plan.New); whether the variant does, is.
func ParseTarget(s string) (Target, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return Target{}, fmt.Errorf("platform %q: want os/arch or os/arch/variant, such as linux/amd64 or linux/arm/v7", s)
	}
	t := Target{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		known := variants[t.Arch]
		if !slices.Contains(known.values, parts[2]) {
			if len(known.values) == 0 {
				return Target{}, fmt.Errorf("platform %q: %s has no variants", s, t.Arch)
			}
			return Target{}, fmt.Errorf("platform %q: %s has the variants %s", s, t.Arch, strings.Join(known.values, ", "))
		}
		t.Variant = parts[2]
	}
	return t, nil
}

// Variants are all targets of a port, as `go tool dist list` prints it: the port itself,
// then those with a variant.
func Variants(port string) []Target {
	t, err := ParseTarget(port)
	if err != nil {
		return nil
	}
	out := []Target{t}
	for _, v := range variants[t.Arch].values {
		out = append(out, Target{OS: t.OS, Arch: t.Arch, Variant: v})
	}
	return out
}

// String is the form that ParseTarget reads.
func (t Target) String() string {
	if t.Variant == "" {
		return t.OS + "/" + t.Arch
	}
	return t.OS + "/" + t.Arch + "/" + t.Variant
}

// Port is the target without its variant, as `go tool dist list` prints it.
func (t Target) Port() string { return t.OS + "/" + t.Arch }

// Suffix is the target as a part of file names: "linux_amd64", "linux_armv7".
func (t Target) Suffix() string { return t.OS + "_" + t.Arch + t.Variant }

// Exe is the suffix of an executable's name: ".exe" on Windows, else empty.
func (t Target) Exe() string {
	if t.OS == "windows" {
		return ".exe"
	}
	return ""
}

// Env are the variables that make the go command compile for the target, as
// NAME=value.
func (t Target) Env() []string {
	env := []string{"GOOS=" + t.OS, "GOARCH=" + t.Arch}
	if t.Variant != "" {
		value := t.Variant
		if t.Arch == "arm" { // GOARM is a bare number
			value = strings.TrimPrefix(value, "v")
		}
		env = append(env, variants[t.Arch].variable+"="+value)
	}
	return env
}

// ImagePlatform is the platform that an image gives the target, which leaves out the
// variants that are the toolchain's default: linux/arm is linux/arm/v7, and
// linux/amd64/v1 is linux/amd64.
func (t Target) ImagePlatform() string {
	switch t.Arch + "/" + t.Variant {
	case "arm/":
		t.Variant = "v7"
	case "amd64/v1", "arm64/v8.0", "386/sse2", "riscv64/rva20u64", "ppc64/power8", "ppc64le/power8",
		"mips/hardfloat", "mipsle/hardfloat", "mips64/hardfloat", "mips64le/hardfloat":
		t.Variant = ""
	}
	return t.String()
}

// MarshalText writes the target as String does.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Target) UnmarshalText(text []byte) error {
	parsed, err := ParseTarget(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
