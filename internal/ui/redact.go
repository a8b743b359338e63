package ui

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// mask is what stands in the place of a secret.
const mask = "***"

// minSecret is the length of the shortest secret that is hidden, in bytes: to hide less
// would hide too much.
const minSecret = 4

// Redactor is a writer that replaces secrets, also those that writes cut in pieces:
// the end of a write that may begin a secret is held back until the next one decides.
// As long as no secret has a line break in it, what ends with one is never held back.
// It may be used from several goroutines.
type Redactor struct {
	mu      sync.Mutex
	secrets [][]byte
	w       io.Writer
	held    []byte
}

// Redact is a Redactor that writes to w. Secrets of fewer than four bytes are left alone.
func Redact(w io.Writer, secrets ...string) *Redactor {
	r := &Redactor{w: w}
	r.Add(secrets...)
	return r
}

// Add hides more secrets, in what is written from now on.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= minSecret {
			r.secrets = append(r.secrets, []byte(s))
		}
	}
}

// Write reports all of p as written, though some of it may wait.
func (r *Redactor) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := slices.Concat(r.held, p)
	ready := r.ready(text)
	r.held = text[ready:]
	if ready > 0 {
		if _, err := r.w.Write(r.replace(text[:ready])); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Flush writes what is held back. It belongs at the end: what has begun like a secret
// is shown. There is nobody to tell when that fails.
func (r *Redactor) Flush() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := r.replace(r.held); len(text) > 0 {
		_, _ = r.w.Write(text)
	}
	r.held = nil
}

// Hide is a whole text without the secrets. A Redactor that is nil has none.
func (r *Redactor) Hide(text string) string {
	if r == nil {
		return text
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.replace([]byte(text)))
}

// ready is how much of a text is decided: behind it, a secret may begin that goes on
// in what is yet to come.
func (r *Redactor) ready(text []byte) int {
	ready := len(text)
	for _, s := range r.secrets {
		for n := min(len(s)-1, len(text)); n > len(text)-ready; n-- {
			if bytes.HasSuffix(text, s[:n]) {
				ready = len(text) - n
				break
			}
		}
	}
	for _, at := range r.find(text) { // what overlaps is hidden together, so it waits together
		if at[0] < ready && ready < at[1] {
			ready = at[0]
		}
	}
	return ready
}

// replace puts the mask in the place of each secret, and of secrets that overlap.
func (r *Redactor) replace(text []byte) []byte {
	var out []byte
	from := 0
	for _, at := range r.find(text) {
		out = append(append(out, text[from:at[0]]...), mask...)
		from = at[1]
	}
	return append(out, text[from:]...)
}

// find is where secrets are: begin and end, in order. Those that overlap are one.
func (r *Redactor) find(text []byte) [][2]int {
	var all, out [][2]int
	for _, s := range r.secrets {
		for from := 0; ; from++ {
			i := bytes.Index(text[from:], s)
			if i < 0 {
				break
			}
			from += i
			all = append(all, [2]int{from, from + len(s)})
		}
	}
	slices.SortFunc(all, func(a, b [2]int) int { return a[0] - b[0] })
	for _, at := range all {
		if last := len(out) - 1; last >= 0 && at[0] < out[last][1] {
			out[last][1] = max(out[last][1], at[1])
		} else {
			out = append(out, at)
		}
	}
	return out
}
