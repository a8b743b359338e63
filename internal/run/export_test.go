package run

import "time"

// WithGrace is the Runner with less patience.
func WithGrace(r Runner, grace time.Duration) Runner {
	r.grace = grace
	return r
}
