package plan_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

const (
	baseDigest = release.Digest("sha256:efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef")
	onAlpine   = "alpine:3@" + string(baseDigest)
)

// withBase are facts that know a base image for some platforms.
func withBase(platforms ...release.Target) plan.Facts {
	f := facts()
	f.Files = []string{"LICENSE", "conf/a.yaml", "conf/sub/b.yaml", "confirm", "main.go"}
	f.Bases = map[string]plan.BaseFacts{onAlpine: {Base: plan.Base{Name: "docker.io/library/alpine:3", Digest: baseDigest}, Platforms: platforms}}
	return f
}

var amd64, arm64 = release.Target{OS: "linux", Arch: "amd64"}, release.Target{OS: "linux", Arch: "arm64"}

// everything is an image with all that can be said of one.
func everything() plan.Image {
	return plan.Image{
		Repository: "registry.example:5000/team/app", Base: onAlpine, Entrypoint: []string{"appctl", "serve", "--v={{.Version}}"}, Cmd: []string{"--port", "80"},
		User: "app:1", Env: map[string]string{"VERSION": "{{.Version}}", "A": ""}, Workdir: "/srv/app", Ports: []string{"8080", "53/udp", "8080/tcp"},
		Files:  map[string]string{"/etc/app": "./conf", "/opt/": "LICENSE", "/opt/licence": "LICENSE"},
		Labels: map[string]string{"team": "core", "org.opencontainers.image.title": "App"}, Compression: plan.CompressionZstd,
	}
}

func TestImage(t *testing.T) {
	p, err := plan.New(plan.Config{Platforms: []string{"linux/amd64", "linux/arm64", "darwin/arm64"}, Image: everything()}, withBase(amd64, arm64))
	if err != nil {
		t.Fatal(err)
	}
	got := p.Images[0]
	if got.Labels["team"] != "core" || got.Labels["org.opencontainers.image.title"] != "App" || got.Labels["org.opencontainers.image.base.name"] != "docker.io/library/alpine:3" ||
		got.Labels["org.opencontainers.image.base.digest"] != string(baseDigest) || got.Labels["org.opencontainers.image.source"] != "https://github.com/Octo/app" {
		t.Errorf("labels %v", got.Labels)
	}
	got.Labels = nil
	want := plan.ImagePlan{
		Repository: "registry.example:5000/team/app", Tags: []string{"1.2.3", "1.2", "1", "latest"}, Platforms: []release.Target{amd64, arm64},
		Builds: []string{"app", "appctl"}, Base: &plan.Base{Name: "docker.io/library/alpine:3", Digest: baseDigest},
		Entrypoint: []string{"/usr/local/bin/appctl", "serve", "--v={{.Version}}"}, Cmd: []string{"--port", "80"}, User: "app:1",
		Env: []string{"A=", "VERSION=1.2.3"}, Workdir: "/srv/app", Ports: []string{"53/udp", "8080/tcp"}, Compression: plan.CompressionZstd,
		Files: []plan.ImageFile{
			{Path: "/etc/app/a.yaml", Source: "conf/a.yaml"}, {Path: "/etc/app/sub/b.yaml", Source: "conf/sub/b.yaml"},
			{Path: "/opt/LICENSE", Source: "LICENSE"}, {Path: "/opt/licence", Source: "LICENSE"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if ref := got.Base.Reference(); ref != "docker.io/library/alpine@"+string(baseDigest) {
		t.Errorf("the base is %s", ref)
	}
	if err := p.Check(); err != nil {
		t.Errorf("a plan that New made is refused: %v", err)
	}
}

// Of several images, each has its own programs, and what is said of all.
func TestImages(t *testing.T) {
	all := plan.Image{Env: map[string]string{"A": "all", "B": "all"}, User: "1", Labels: map[string]string{"team": "core"}}
	for name, c := range map[string]struct {
		all    plan.Image
		images []plan.Image
		want   string // repository, programs and start of each
	}{
		"one":         {all, nil, "ghcr.io/octo/app [app appctl] app A=all B=all 1"},
		"two":         {all, []plan.Image{{Builds: []string{"app"}}, {Builds: []string{"appctl"}, User: "2", Env: map[string]string{"A": "own"}}}, "ghcr.io/octo/app [app] app A=all B=all 1, ghcr.io/octo/app/appctl [appctl] appctl A=own B=all 2"},
		"named":       {plan.Image{}, []plan.Image{{Builds: []string{"appctl"}, Repository: "quay.io/o/ctl"}, {}}, "quay.io/o/ctl [appctl] appctl  65532:65532, ghcr.io/octo/app [app appctl] app  65532:65532"},
		"below":       {plan.Image{Repository: "quay.io/o/x"}, []plan.Image{{Builds: []string{"appctl"}}}, "quay.io/o/x/appctl [appctl] appctl  65532:65532"},
		"both":        {plan.Image{}, []plan.Image{{Builds: []string{"appctl", "app"}, Entrypoint: []string{"/usr/local/bin/appctl"}}}, "ghcr.io/octo/app/appctl [app appctl] appctl  65532:65532"},
		"none":        {plan.Image{Skip: true}, []plan.Image{{Builds: []string{"app"}}}, ""},
		"of programs": {plan.Image{Builds: []string{"appctl"}, Repository: "quay.io/o/x"}, nil, "quay.io/o/x [appctl] appctl  65532:65532"},
	} {
		p, err := plan.New(plan.Config{Platforms: []string{"linux/amd64", "windows/amd64"}, Image: c.all, Images: c.images}, facts())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, i := range p.Images {
			got = append(got, fmt.Sprintf("%s %s %s %s %s", i.Repository, i.Builds, strings.TrimPrefix(i.Entrypoint[0], plan.BinDir+"/"), strings.Join(i.Env, " "), i.User))
			if c.all.Labels != nil && i.Labels["team"] != "core" {
				t.Errorf("%s: labels %v", name, i.Labels)
			}
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

func TestUnchosen(t *testing.T) {
	for platforms, want := range map[string]string{
		"linux/amd64,linux/amd64/v3": "[]", "linux/amd64/v3,linux/arm64": "[linux/amd64/v3]", "linux/amd64/v1,linux/arm/v6": "[]", "linux/arm64/v8.2": "[linux/arm64/v8.2]",
	} {
		p, err := plan.New(plan.Config{Platforms: strings.Split(platforms, ",")}, facts())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(p.Images[0].Unchosen()); got != want {
			t.Errorf("%s: %s, want %s", platforms, got, want)
		}
	}
}

// Who is not the user whose home it is starts elsewhere.
func TestWorkdir(t *testing.T) {
	for user, want := range map[string]string{"": "/home/nonroot", "nonroot": "/home/nonroot", "root": "/", "1000:1000": "/"} {
		p, err := plan.New(plan.Config{Platforms: []string{"linux/amd64"}, Image: plan.Image{User: user}}, facts())
		if err != nil || p.Images[0].Workdir != want {
			t.Errorf("%q starts in %+v, %v", user, p.Images, err)
		}
	}
}

func TestBases(t *testing.T) {
	cfg := plan.Config{Image: plan.Image{Base: "b:1"}, Images: []plan.Image{{Base: "a:1"}, {}, {Base: "a:1"}}}
	if got := cfg.Bases(); !slices.Equal(got, []string{"a:1", "b:1"}) {
		t.Errorf("%q", got)
	}
	cfg.Image.Skip = true
	if got := cfg.Bases(); got != nil {
		t.Errorf("%q", got)
	}
	if got := (plan.Config{}).Bases(); got != nil {
		t.Errorf("%q", got)
	}
}

func TestImagesThatCannotBe(t *testing.T) {
	with := func(change func(*plan.Image)) plan.Image {
		i := everything()
		change(&i)
		return i
	}
	for name, c := range map[string]struct {
		image  plan.Image
		images []plan.Image
		want   string
		class  release.Class
	}{
		"program":           {with(func(i *plan.Image) { i.Entrypoint = []string{"sh"} }), nil, "no program of the image", release.Usage},
		"build":             {with(func(i *plan.Image) { i.Builds = []string{"x"} }), nil, `build "x": not known`, release.Usage},
		"user":              {with(func(i *plan.Image) { i.User = "a b" }), nil, `user "a b"`, release.Usage},
		"user, no base":     {with(func(i *plan.Image) { i.User, i.Base = "app", "" }), nil, "there are root and nonroot", release.Usage},
		"variable":          {with(func(i *plan.Image) { i.Env = map[string]string{"A B": ""} }), nil, `environment "A B="`, release.Usage},
		"variable's value":  {with(func(i *plan.Image) { i.Env = map[string]string{"A": "x\ny"} }), nil, "environment", release.Usage},
		"template":          {with(func(i *plan.Image) { i.Env = map[string]string{"A": "{{.Secret}}"} }), nil, "image.env", release.Usage},
		"directory":         {with(func(i *plan.Image) { i.Workdir = "srv" }), nil, `workdir "srv"`, release.Usage},
		"port":              {with(func(i *plan.Image) { i.Ports = []string{"http"} }), nil, `port "http/tcp"`, release.Usage},
		"port 0":            {with(func(i *plan.Image) { i.Ports = []string{"0"} }), nil, "want 1 to 65535", release.Usage},
		"port 65536":        {with(func(i *plan.Image) { i.Ports = []string{"65536/tcp"} }), nil, "want 1 to 65535", release.Usage},
		"argument":          {with(func(i *plan.Image) { i.Cmd = []string{"\x1b[2J"} }), nil, "argument", release.Usage},
		"compression":       {with(func(i *plan.Image) { i.Compression = "xz" }), nil, `compression "xz"`, release.Usage},
		"file absent":       {with(func(i *plan.Image) { i.Files = map[string]string{"/x": "none"} }), nil, "no file of the commit", release.Usage},
		"file outside":      {with(func(i *plan.Image) { i.Files = map[string]string{"/x": "../LICENSE"} }), nil, "no file of the commit", release.Usage},
		"file, relative":    {with(func(i *plan.Image) { i.Files = map[string]string{"x": "LICENSE"} }), nil, `file "x": want an absolute path`, release.Usage},
		"file, program":     {with(func(i *plan.Image) { i.Files = map[string]string{"/usr/local/bin/appctl": "LICENSE"} }), nil, "is for programs", release.Usage},
		"file, not a dir":   {with(func(i *plan.Image) { i.Files = map[string]string{"/usr/local": "LICENSE"} }), nil, "is for programs", release.Usage},
		"file, removing":    {with(func(i *plan.Image) { i.Files = map[string]string{"/etc/.wh.passwd": "LICENSE"} }), nil, "removes another", release.Usage},
		"file twice":        {with(func(i *plan.Image) { i.Files = map[string]string{"/x": "LICENSE", "/x/": "conf"} }), nil, "there is one inside of it", release.Usage},
		"file and file":     {with(func(i *plan.Image) { i.Files = map[string]string{"/x": "LICENSE", "//x": "main.go"} }), nil, "there are two", release.Usage},
		"file, link":        {with(func(i *plan.Image) { i.Files = map[string]string{"/lib/x": "LICENSE"} }), nil, "a link in many images", release.Usage},
		"file, device":      {with(func(i *plan.Image) { i.Files = map[string]string{"/dev/x": "LICENSE"} }), nil, "something else is there", release.Usage},
		"file, others'":     {with(func(i *plan.Image) { i.Files = map[string]string{"/home/app/x": "LICENSE"} }), nil, "may belong to others", release.Usage},
		"file, a directory": {with(func(i *plan.Image) { i.Files, i.Base, i.User = map[string]string{"/etc/ssl": "LICENSE"}, "", "" }), nil, "something else is there", release.Usage},
		"file below a file": {with(func(i *plan.Image) { i.Files, i.Base, i.User = map[string]string{"/etc/passwd/x": "LICENSE"}, "", "" }), nil, "something else is there", release.Usage},
		"version's label":   {with(func(i *plan.Image) { i.Labels = map[string]string{"org.opencontainers.image.version": "v2026"} }), nil, "is set by the release", release.Usage},
		"base unknown":      {with(func(i *plan.Image) { i.Base = "debian" }), nil, `base "debian": not known`, release.Usage},
		"two of a name":     {plan.Image{}, []plan.Image{{}, {}}, "two go to ghcr.io/octo/app", release.Usage},
		"one is skipped":    {plan.Image{}, []plan.Image{{}, {Skip: true}}, "cannot be skipped", release.Usage},
		"upper-case letter": {plan.Image{}, []plan.Image{{Repository: "ghcr.io/Octo/x"}}, "use ghcr.io/octo/x", release.Usage},
	} {
		_, err := plan.New(plan.Config{Platforms: []string{"linux/amd64"}, Image: c.image, Images: c.images}, withBase(amd64))
		if err == nil || release.ClassOf(err) != c.class || !strings.Contains(err.Error()+release.HintOf(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	_, err := plan.New(plan.Config{Platforms: []string{"linux/amd64", "linux/arm64"}, Image: plan.Image{Base: onAlpine}}, withBase(amd64))
	if release.ClassOf(err) != release.Rejected || !strings.Contains(err.Error(), "it has nothing for linux/arm64") {
		t.Errorf("a base without a platform: %v", err)
	}
	for _, images := range [][]plan.Image{{{}}, {{Builds: []string{"app"}}}} {
		if _, err := plan.New(plan.Config{Platforms: []string{"windows/amd64"}, Images: images}, facts()); release.ClassOf(err) != release.Usage {
			t.Errorf("an image without programs: %v", err)
		}
	}
}
