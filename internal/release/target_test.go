package release_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func TestTarget(t *testing.T) {
	for text, c := range map[string]struct {
		want   release.Target
		port   string
		suffix string
		exe    string
		env    []string
	}{
		"linux/amd64":            {release.Target{OS: "linux", Arch: "amd64"}, "linux/amd64", "linux_amd64", "", []string{"GOOS=linux", "GOARCH=amd64"}},
		"linux/amd64/v3":         {release.Target{OS: "linux", Arch: "amd64", Variant: "v3"}, "linux/amd64", "linux_amd64v3", "", []string{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v3"}},
		"linux/arm/v7":           {release.Target{OS: "linux", Arch: "arm", Variant: "v7"}, "linux/arm", "linux_armv7", "", []string{"GOOS=linux", "GOARCH=arm", "GOARM=7"}},
		"linux/arm64/v8.1":       {release.Target{OS: "linux", Arch: "arm64", Variant: "v8.1"}, "linux/arm64", "linux_arm64v8.1", "", []string{"GOOS=linux", "GOARCH=arm64", "GOARM64=v8.1"}},
		"windows/arm64":          {release.Target{OS: "windows", Arch: "arm64"}, "windows/arm64", "windows_arm64", ".exe", []string{"GOOS=windows", "GOARCH=arm64"}},
		"windows/386/sse2":       {release.Target{OS: "windows", Arch: "386", Variant: "sse2"}, "windows/386", "windows_386sse2", ".exe", []string{"GOOS=windows", "GOARCH=386", "GO386=sse2"}},
		"linux/mipsle/hardfloat": {release.Target{OS: "linux", Arch: "mipsle", Variant: "hardfloat"}, "linux/mipsle", "linux_mipslehardfloat", "", []string{"GOOS=linux", "GOARCH=mipsle", "GOMIPS=hardfloat"}},
		"linux/mips64/softfloat": {release.Target{OS: "linux", Arch: "mips64", Variant: "softfloat"}, "linux/mips64", "linux_mips64softfloat", "", []string{"GOOS=linux", "GOARCH=mips64", "GOMIPS64=softfloat"}},
		"aix/ppc64/power9":       {release.Target{OS: "aix", Arch: "ppc64", Variant: "power9"}, "aix/ppc64", "aix_ppc64power9", "", []string{"GOOS=aix", "GOARCH=ppc64", "GOPPC64=power9"}},
		"linux/riscv64/rva22u64": {release.Target{OS: "linux", Arch: "riscv64", Variant: "rva22u64"}, "linux/riscv64", "linux_riscv64rva22u64", "", []string{"GOOS=linux", "GOARCH=riscv64", "GORISCV64=rva22u64"}},
		"plan9/of-tomorrow":      {release.Target{OS: "plan9", Arch: "of-tomorrow"}, "plan9/of-tomorrow", "plan9_of-tomorrow", "", []string{"GOOS=plan9", "GOARCH=of-tomorrow"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := release.ParseTarget(text)
			if err != nil || got != c.want {
				t.Fatalf("%+v, %v; want %+v", got, err, c.want)
			}
			if got.String() != text || got.Port() != c.port || got.Suffix() != c.suffix || got.Exe() != c.exe {
				t.Errorf("%q, port %q, suffix %q, exe %q", got, got.Port(), got.Suffix(), got.Exe())
			}
			if env := got.Env(); !slices.Equal(env, c.env) {
				t.Errorf("env %q, want %q", env, c.env)
			}
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                     `platform "": want os/arch`,
		"linux":                `platform "linux": want os/arch or os/arch/variant`,
		"linux/":               "want os/arch",
		"/amd64":               "want os/arch",
		"linux//v7":            "want os/arch",
		"linux/arm/":           "want os/arch",
		"linux/arm/v7/v8":      "want os/arch",
		"linux/arm/7":          `platform "linux/arm/7": arm has the variants v5, v6, v7`,
		"linux/amd64/v5":       "amd64 has the variants v1, v2, v3, v4",
		"linux/amd64/V3":       "amd64 has the variants",
		"linux/loong64/v1":     `platform "linux/loong64/v1": loong64 has no variants`,
		"linux/nonsense/v1":    "nonsense has no variants",
		"linux/arm\x00/v7":     "has no variants",
		"linux/arm/v7\n":       "arm has the variants",
		`windows\amd64`:        "want os/arch",
		"linux/386/softfloat/": "want os/arch",
	} {
		if got, err := release.ParseTarget(text); err == nil || !strings.Contains(err.Error(), want) || got != (release.Target{}) {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, want)
		}
	}
}

// In JSON a target is its text, and as strict.
func TestTargetText(t *testing.T) {
	want := []release.Target{{OS: "linux", Arch: "arm", Variant: "v7"}, {OS: "darwin", Arch: "arm64"}}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `["linux/arm/v7","darwin/arm64"]` {
		t.Fatalf("%s, %v", text, err)
	}
	var got []release.Target
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	kept := release.Target{OS: "linux", Arch: "amd64"}
	if err := kept.UnmarshalText([]byte("linux/amd64/v9")); err == nil || kept.Variant != "" {
		t.Errorf("%+v, %v", kept, err)
	}
}

// FuzzParseTarget: whatever is accepted is read back from its own text as the same
// target, and asks the go command for no more than it names.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"linux/amd64", "linux/arm/v7", "windows/386/softfloat", "a/b/c", "//", "linux/arm/v", "linux/amd64/v1/", "\xff/\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := release.ParseTarget(text)
		if err != nil {
			if target != (release.Target{}) {
				t.Errorf("%q: an error and %+v", text, target)
			}
			return
		}
		again, err := release.ParseTarget(target.String())
		if err != nil || again != target || target.String() != text {
			t.Errorf("%q became %q, then %+v, %v", text, target, again, err)
		}
		if strings.Count(text, "/") != len(target.Env())-1 {
			t.Errorf("%q: %q", text, target.Env())
		}
		for _, e := range target.Env() {
			if name, value, ok := strings.Cut(e, "="); !ok || value == "" || !strings.HasPrefix(name, "GO") {
				t.Errorf("%q: %q", text, e)
			}
		}
	})
}
