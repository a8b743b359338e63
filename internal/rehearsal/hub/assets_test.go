package hub_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

func TestAssets(t *testing.T) {
	c := ask(t, start(t, nil))
	draft := c.draft("v1.0.0")
	a := c.upload(draft, "hello world_1.0~rc(é).tar.gz", "content", 201)
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("content"))); a["digest"] != want || a["size"] != 7.0 || a["state"] != "uploaded" {
		t.Errorf("asset: %v", a)
	}
	if a["name"] != "hello.world_1.0.rc.tar.gz" {
		t.Errorf("name: %v", a["name"])
	}
	at := fmt.Sprintf("/releases/assets/%.0f", a["id"])
	bad := c.upload(draft, "hello.world_1.0.rc.tar.gz", "other", 422)
	if e := bad["errors"].([]any)[0].(map[string]any); e["code"] != "already_exists" || e["field"] != "name" {
		t.Errorf("same name: %v", bad)
	}
	c.upload(draft, "empty", "", 422)
	c.upload(draft, "", "x", 422)
	c.upload("/releases/99", "a", "x", 404)
	c.upload(draft, "other", "x", 201)
	c.json("PATCH", at, `{"name":"other"}`, 422)
	if r := c.json("PATCH", at, `{"name":"new"}`, 200); r["name"] != "new" {
		t.Errorf("renamed: %v", r)
	}
	if _, text := c.do("GET", draft+"/assets", ""); bytes.Count(text, []byte(`"digest"`)) != 2 {
		t.Errorf("list: %s", text)
	}
	if got := c.bytes(at); got != "content" {
		t.Errorf("bytes: %q", got)
	}
	c.json("DELETE", at, "", 204)
	c.json("GET", at, "", 404)
}

// bytes downloads as a client does: ask for bytes, follow the redirect without token.
func (c caller) bytes(at string) string {
	c.Helper()
	req, _ := http.NewRequest("GET", c.URL()+"repos/octo/hello"+at, nil)
	req.Header.Set("Authorization", "Bearer "+c.Token())
	req.Header.Set("Accept", "application/octet-stream")
	resp, _ := c.send(req)
	if resp.StatusCode != 302 {
		c.Fatalf("got %d, want a redirect", resp.StatusCode)
	}
	req, _ = http.NewRequest("GET", resp.Header.Get("Location"), nil)
	_, text := c.send(req)
	req.Header.Set("Authorization", "Bearer "+c.Token())
	if resp, _ := c.send(req); resp.StatusCode != 400 {
		c.Errorf("the store took the token: %d", resp.StatusCode)
	}
	return string(text)
}

func TestUploadWithoutLength(t *testing.T) {
	c := ask(t, start(t, nil))
	draft := c.draft("v1.0.0")
	req, _ := http.NewRequest("POST", c.UploadURL()+"repos/octo/hello"+draft+"/assets?name=a", io.MultiReader(strings.NewReader("x")))
	req.Header.Set("Authorization", "Bearer "+c.Token())
	if resp, text := c.send(req); resp.StatusCode != 400 {
		t.Errorf("got %d %s, want 400", resp.StatusCode, text)
	}
}

func TestBrokenUploadLeavesAStarter(t *testing.T) {
	c := ask(t, start(t, nil))
	draft := c.draft("v1.0.0")
	host := strings.Trim(strings.TrimPrefix(c.UploadURL(), "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /repos/octo/hello%s/assets?name=a HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\nhalf", draft, host, c.Token())
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	_, text := c.do("GET", draft+"/assets", "")
	var assets []struct {
		State  string
		Digest *string
	}
	if err := json.Unmarshal(text, &assets); err != nil || len(assets) != 1 || assets[0].State != "starter" || assets[0].Digest != nil {
		t.Errorf("got %s", text)
	}
	c.upload(draft, "a", "x", 422)
}

func TestWebPages(t *testing.T) {
	for _, private := range []bool{false, true} {
		c := ask(t, start(t, func(r *hub.Repo) { r.Private = private }))
		draft := c.draft("sub/v1.0.0")
		a := c.upload(draft, "a.zip", "content", 201)
		anonymous := func(url string) int {
			req, _ := http.NewRequest("GET", url, nil)
			resp, _ := c.send(req)
			return resp.StatusCode
		}
		if got := anonymous(a["browser_download_url"].(string)); got != 404 {
			t.Errorf("a draft's asset: %d, want 404", got)
		}
		r := c.json("PATCH", draft, `{"tag_name":"sub/v1.0.0","draft":false}`, 200)
		link := r["assets"].([]any)[0].(map[string]any)["browser_download_url"].(string)
		page, file := 200, 302
		if private {
			page, file = 404, 404
		}
		if got := anonymous(r["html_url"].(string)); got != page {
			t.Errorf("private %t: page: %d, want %d", private, got, page)
		}
		if got := anonymous(link); got != file {
			t.Errorf("private %t: link: %d, want %d", private, got, file)
		}
		if resp, _ := c.do("GET", link, ""); resp.StatusCode != 302 {
			t.Errorf("with token: %d, want 302", resp.StatusCode)
		}
		if got := anonymous(c.URL() + "octo/hello/releases/download/sub/v1.0.0/b.zip"); got != 404 {
			t.Errorf("another name: %d, want 404", got)
		}
	}
}
