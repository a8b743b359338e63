package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestCompleteRun: a release that is complete is recognised before anything is made,
// with few requests and no write; what people wrote since stays.
func TestCompleteRun(t *testing.T) {
	j := newJob(t)
	args := []string{"release", "--platforms", "linux/amd64"}
	if code, said := j.run(t, args...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	const edited = "written by a person"
	j.github(t, http.MethodPatch, "/repos/octo/hello/releases/1", `{"tag_name":"v1.2.3","body":"`+edited+`"}`)
	before := len(j.stage.Hub.Calls())
	code, said := j.run(t, args...)
	if code != 0 || strings.Contains(said, "::group::make") || strings.Contains(said, "::group::attest") {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	asked := 0
	for _, call := range j.stage.Hub.Calls()[before:] {
		download := strings.Contains(call.Path, "/releases/assets/") || !strings.Contains(call.Path, "/repos/")
		if !download {
			asked++
		}
		if call.Method != http.MethodGet {
			t.Errorf("it writes: %v", call)
		}
	}
	t.Logf("%d requests beside downloads", asked)
	if asked > 15 {
		t.Errorf("%d requests beside downloads: %v", asked, j.stage.Hub.Calls()[before:])
	}
	if text := j.github(t, http.MethodGet, "/repos/octo/hello/releases/tags/v1.2.3", ""); !strings.Contains(text, edited) {
		t.Errorf("the notes are gone: %s", text)
	}
}

// github asks the carried GitHub, as its users do.
func (j *job) github(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, j.env["GITHUB_API_URL"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+j.stage.Hub.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s: %s (%v)", method, path, resp.Status, text, err)
	}
	return string(text)
}
