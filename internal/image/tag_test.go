package image

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// elsewhere sends every request to another registry, and there to another repository.
type elsewhere struct{ host, repository string }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	redirected := r.Clone(r.Context())
	redirected.URL.Scheme, redirected.URL.Host, redirected.Host = "http", e.host, e.host
	redirected.URL.Path = strings.Replace(redirected.URL.Path, "/v2/library/alpine/", "/v2"+e.repository+"/", 1)
	response, err := http.DefaultTransport.RoundTrip(redirected)
	if response != nil {
		response.Request = r
	}
	return response, err
}

// version builds an image of a version, and pushes it.
func (r *registry) version(t *testing.T, version string) release.Image {
	t.Helper()
	s := spec(t, "linux/amd64")
	s.Plan.Repository = r.host + "/octo/hello"
	s.Plan.Labels[plan.LabelVersion] = version
	s.Plan.Labels[plan.LabelRevision] = "commit of " + version
	img := built(t, s)
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	return img
}

// Whatever the order in which releases end, tags that follow the versions name the newest.
func TestTagsNeverMoveBack(t *testing.T) {
	r := newRegistry(t)
	tags := map[string][]string{
		"1.2.3": {"1.2.3", "1.2", "1", "latest", "edge"}, "1.3.0": {"1.3.0", "1.3", "1", "latest", "edge"},
		"1.2.4": {"1.2.4", "1.2", "1", "latest", "edge"}, "2.0.0-rc.1": {"2.0.0-rc.1", "edge"},
	}
	for _, step := range []struct{ version, stays string }{
		{"1.3.0", ""}, {"1.2.3", "1 latest"}, {"1.2.4", "1 latest"}, {"2.0.0-rc.1", ""}, {"1.2.3", "1 1.2 latest"}, {"1.3.0", ""},
	} {
		img := r.version(t, step.version)
		tagged, err := Tag(t.Context(), img, step.version, tags[step.version], Access{})
		if err != nil {
			t.Fatal(err)
		}
		var stay []string
		for _, g := range tagged {
			tag := g.Reference[strings.LastIndex(g.Reference, ":")+1:]
			if g.Newer != "" {
				stay = append(stay, tag)
				continue
			}
			if at, err := Digest(t.Context(), g.Reference, Access{}); err != nil || at != img.Digest {
				t.Errorf("%s: %s names %s, %v", step.version, tag, at, err)
			}
		}
		if got := strings.Join(stay, " "); got != step.stays {
			t.Errorf("%s: %q stay, want %q", step.version, got, step.stays)
		}
	}
	for tag, want := range map[string]string{"1": "1.3.0", "latest": "1.3.0", "1.2": "1.2.4", "1.3": "1.3.0", "edge": "1.3.0"} {
		content, err := Inspect(t.Context(), r.host+"/octo/hello:"+tag, Access{})
		if err != nil || content.Labels[plan.LabelVersion] != want {
			t.Errorf("%s names %s, %v, want %s", tag, content.Labels[plan.LabelVersion], err, want)
		}
	}
}

// What others made says its version in the labels of its configuration, or not at all.
func TestTagsOfOthers(t *testing.T) {
	r := newRegistry(t)
	img := r.version(t, "1.2.3")
	for said, moves := range map[string]bool{"": true, "nightly": true, "1.2.2": true, "v1.2.2": true, "1.2.4": false, "v1.10.0": false} {
		other, err := random.Image(10, 1)
		if err != nil {
			t.Fatal(err)
		}
		if other, err = mutate.Config(other, v1.Config{Labels: map[string]string{plan.LabelVersion: said}}); err != nil {
			t.Fatal(err)
		}
		ref, err := name.NewTag(img.Repository + ":latest")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, other); err != nil {
			t.Fatal(err)
		}
		tagged, err := Tag(t.Context(), img, "1.2.3", []string{"latest"}, Access{})
		if err != nil || (tagged[0].Newer == "") != moves {
			t.Errorf("%q: %+v, %v", said, tagged, err)
		}
	}
}

// An exact version names one image for ever.
func TestExactVersions(t *testing.T) {
	r := newRegistry(t)
	img := r.version(t, "1.2.3")
	for range 2 {
		if err := errors.Join(Free(t.Context(), img, []string{"1.2.3", "latest"}, Access{}), CheckTag(t.Context(), img.Repository, "1.2.3", "commit of 1.2.3", Access{})); err != nil {
			t.Error(err)
		}
		if _, err := Tag(t.Context(), img, "1.2.3", []string{"1.2.3"}, Access{}); err != nil {
			t.Error(err)
		}
	}
	s := spec(t, "linux/arm64")
	s.Plan.Repository = img.Repository
	other := built(t, s)
	if err := Push(t.Context(), other, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	_, tagging := Tag(t.Context(), other, "1.2.3", []string{"1.2.3"}, Access{})
	for what, err := range map[string]error{
		"Tag": tagging, "Free": Free(t.Context(), other, []string{"latest", "1.2.3"}, Access{}), "CheckTag": CheckTag(t.Context(), img.Repository, "1.2.3", "another", Access{}),
	} {
		var taken *TakenError
		if !errors.As(err, &taken) || taken.Digest != img.Digest || taken.Reference != img.Repository+":1.2.3" ||
			release.ClassOf(err) != release.Rejected || !strings.Contains(release.HintOf(err), "next version") {
			t.Errorf("%s: %v, hint %q", what, err, release.HintOf(err))
		}
	}
	if at, err := Digest(t.Context(), img.Repository+":1.2.3", Access{}); err != nil || at != img.Digest {
		t.Errorf("the tag names %s, %v", at, err)
	}
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	if err := CheckTag(t.Context(), img.Repository, "1.2.3", "another", Access{}); err != nil {
		t.Errorf("a registry that does not say: %v", err)
	}
	if err := Free(t.Context(), other, []string{"latest", "1.2.3"}, Access{}); release.ClassOf(err) != release.Authorisation {
		t.Errorf("a registry that does not say: %v", err)
	}
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		return true
	}
	if CheckTag(t.Context(), img.Repository, "1.2.3", "another", Access{}) == nil || Free(t.Context(), other, []string{"latest", "1.2.3"}, Access{}) == nil {
		t.Error("no error from a registry that says something else")
	}
	if slices.ContainsFunc([]error{CheckTag(t.Context(), "no registry", "1", "c", Access{}), CheckTag(t.Context(), img.Repository, "a b", "c", Access{})}, func(err error) bool { return err == nil }) {
		t.Error("a tag that is none is taken")
	}
}
