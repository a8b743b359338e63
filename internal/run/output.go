package run

import "fmt"

// keep is how much of a program's output is kept from its beginning, and how much
// from its end, in bytes.
const keep = 1 << 20

// output keeps the beginning and the end of what a program prints: a program that
// prints without end must not take the memory of this one.
type output struct {
	head, tail []byte
	dropped    int64
}

// Write never fails.
func (o *output) Write(p []byte) (int, error) {
	n := min(len(p), keep-len(o.head))
	o.head = append(o.head, p[:n]...)
	o.tail = append(o.tail, p[n:]...)
	if over := len(o.tail) - keep; over > keep { // move seldom
		o.dropped += int64(over)
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	return len(p), nil
}

// Bytes is what was kept, with a line that says what was not.
func (o *output) Bytes() []byte {
	if o.dropped == 0 {
		return append(o.head, o.tail...)
	}
	return append(fmt.Appendf(o.head, "\n(%d bytes left out)\n", o.dropped), o.tail...)
}

func (o *output) String() string { return string(o.Bytes()) }
