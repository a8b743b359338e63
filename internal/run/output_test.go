package run

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	var short output
	for _, p := range []string{"one ", "", "two"} {
		if n, err := short.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if short.String() != "one two" {
		t.Errorf("%q", short.String())
	}
	var long output
	line := bytes.Repeat([]byte("."), 999)
	for i := range 10_000 {
		if _, err := fmt.Fprintf(&long, "%s%07d\n", line, i); err != nil {
			t.Fatal(err)
		}
	}
	got := long.String()
	if len(got) > 4*keep || !strings.HasSuffix(got, ".0009999\n") || !strings.HasPrefix(got, "...") || !strings.Contains(got, " bytes left out)\n") {
		t.Errorf("%d bytes", len(got))
	}
	if cap(long.head)+cap(long.tail) > 8*keep {
		t.Errorf("%d bytes are held", cap(long.head)+cap(long.tail))
	}
}
