package ui

// Inert is a text of one or more lines as it may be written to the stream beside the
// events: without control characters, and in Actions without commands to the runner.
func (r *Reporter) Inert(text string) string { return r.guard(Clean(text)) }
