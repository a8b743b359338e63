package github_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReadsAreRepeated(t *testing.T) {
	second := time.Second
	for _, test := range []struct {
		name   string
		fault  func(http.ResponseWriter, *http.Request, http.Handler)
		times  int
		pauses []time.Duration
		fails  string
	}{
		{"502 once", answers(502, ""), 1, []time.Duration{second}, ""},
		{"reset once", cut, 1, []time.Duration{second}, ""},
		{"503 four times", answers(503, ""), 4, []time.Duration{second, 2 * second, 4 * second, 8 * second}, ""},
		{"504 for ever", answers(504, "<html>"), 100, []time.Duration{second, 2 * second, 4 * second, 8 * second}, "504 Gateway Timeout"},
		{"broken off", brokenOff, 2, []time.Duration{second, 2 * second}, ""},
		{"resets for ever", cut, 100, []time.Duration{second, 2 * second, 4 * second, 8 * second}, "EOF"},
		{"501", answers(501, ""), 1, nil, "501 Not Implemented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			s.fault(test.times, "GET", test.fault)
			_, err := s.client.Repository(t.Context())
			if test.fails == "" && err != nil {
				t.Error(err)
			}
			if test.fails != "" {
				problem(t, err, 0, test.fails, `reading repository "octo/hello": `)
			}
			s.wantPauses(test.pauses...)
			s.wantCalls("GET", len(test.pauses)+1)
		})
	}
}

// TestCheckWriteAfterFaults: only a refusal says that the token may not write.
func TestCheckWriteAfterFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request, http.Handler)
		times int
		posts int
		fails bool
	}{
		"502 once":     {answers(502, ""), 1, 2, false},
		"no time":      {answers(504, ""), 100, 4, false},
		"cut once":     {cut, 1, 2, false},
		"cut for ever": {cut, 100, 4, true},
		"forbidden":    {answers(403, `{"message":"Resource not accessible by integration"}`), 1, 1, true},
		"unknown tag":  {answers(422, `{"message":"Validation Failed"}`), 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			s.fault(c.times, "POST", c.fault)
			if err := s.client.CheckWrite(t.Context(), "v1.0.0", ""); (err != nil) != c.fails {
				t.Errorf("got %v", err)
			}
			s.wantCalls("POST", c.posts)
		})
	}
}

func TestRateLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  func(http.ResponseWriter, *http.Request, http.Handler)
		times  int
		pauses []time.Duration
		fails  string
	}{
		{"403 with Retry-After", answers(403, `{}`, "Retry-After", "7"), 2, []time.Duration{7 * time.Second, 7 * time.Second}, ""},
		{"429 with Retry-After", answers(429, `{}`, "Retry-After", "7"), 1, []time.Duration{7 * time.Second}, ""},
		{"429 alone", answers(429, ``), 2, []time.Duration{time.Minute, 2 * time.Minute}, ""},
		{"secondary", answers(403, `{"message":"You have exceeded a secondary rate limit."}`), 1, []time.Duration{time.Minute}, ""},
		{"reset in the past", answers(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1000000000"), 1, []time.Duration{time.Second}, ""},
		{"reset far away", answers(403, `{}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "7258118400"), 1, nil, "2200-01-01 00:00:00 UTC"},
		{"too long", answers(403, `{}`, "Retry-After", "3600"), 1, nil, "used up until 2"},
		{"too often", answers(429, `{}`, "Retry-After", "1"), 100, []time.Duration{time.Second, time.Second, time.Second}, "used up until 2"},
		{"nonsense", answers(429, `{}`, "Retry-After", "-5"), 1, []time.Duration{time.Minute}, ""},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(test.name+" "+method, func(t *testing.T) {
				s := start(t, nil)
				s.fault(test.times, method, test.fault)
				var err error
				if method == "GET" {
					_, err = s.client.Repository(t.Context())
				} else {
					err = s.client.CheckWrite(t.Context(), "v1.0.0", "")
				}
				if test.fails == "" && err != nil {
					t.Error(err)
				}
				if test.fails != "" {
					problem(t, err, 0, test.fails, "run again")
				}
				s.wantPauses(test.pauses...)
			})
		}
	}
}

// The last request that the limit allows succeeds; the next one is for GitHub to judge.
func TestUsedUpRateLimitDoesNotStopTheClient(t *testing.T) {
	s := start(t, nil)
	s.fault(1, "GET", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set("X-RateLimit-Limit", "60")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", "32503680000")
		next.ServeHTTP(w, r)
	})
	for range 2 {
		if _, err := s.client.Repository(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.wantCalls("GET", 2)
}

func TestTokenStaysAtGitHub(t *testing.T) {
	s := start(t, nil)
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+r.Header.Get("Authorization"))
		_, _ = w.Write([]byte("{}"))
	}))
	defer elsewhere.Close()
	s.fault(1, "GET", answers(302, "", "Location", elsewhere.URL))
	if _, err := s.client.Repository(t.Context()); err != nil {
		t.Error(err)
	}
	for _, status := range []int{301, 302, 307, 308} {
		s.fault(4, "POST", answers(status, "", "Location", elsewhere.URL))
		err := s.client.CheckWrite(t.Context(), "v1.0.0", "")
		problem(t, err, 0, "following a redirect")
	}
	s.fault(4, "POST", answers(302, "", "Location", s.hub.URL()))
	problem(t, s.client.CheckWrite(t.Context(), "v1.0.0", ""), 0, "following a redirect")
	s.fault(100, "GET", answers(302, "", "Location", s.hub.URL()))
	_, err := s.client.Repository(t.Context())
	problem(t, err, 0, "more than 5")
	if strings.Join(seen, " ") != "GET" {
		t.Errorf("elsewhere saw %q", seen)
	}
}

func TestErrorsDoNotHoldTheToken(t *testing.T) {
	s := start(t, nil)
	token := s.hub.Token()
	for _, fault := range []func(http.ResponseWriter, *http.Request, http.Handler){
		answers(400, `{"message":"who is `+token+`?","errors":[{"code":"`+token+`"}]}`),
		answers(403, `{"message":"`+token+` may not"}`),
		answers(302, "", "Location", "http://127.0.0.1:1/"+token),
		answers(302, "", "Location", "ftp://"+token),
		answers(302, "", "Location", "://"+token),
		answers(200, `"`+token+`"`),
	} {
		s.fault(1, "GET", fault)
		_, err := s.client.Repository(t.Context())
		if err == nil {
			t.Error("no error")
			continue
		}
		for e := err; e != nil; {
			if strings.Contains(e.Error(), token) {
				t.Errorf("%q holds the token", e)
			}
			u, _ := e.(interface{ Unwrap() error })
			if u == nil {
				break
			}
			e = u.Unwrap()
		}
	}
}
