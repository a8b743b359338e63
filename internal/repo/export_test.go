package repo

import "context"

// Plain tells whether a token may be shown to origin.
func (r *Repo) Plain(ctx context.Context) bool { return r.plain(ctx) }
