package ui

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	rows := [][]string{{"a.tar.gz", "linux/amd64", "4.1 MB", "2m05s"}, {"漢字", "x", "999 B", "1.3s"}, {"no more"}, {"b", "c", "1 B", "", "beyond"}}
	header := []string{"ARTIFACT", "PLATFORM", "SIZE", "TIME"}
	r, out, _ := reporter(Plain, 20, false)
	r.Table("hello\n1.2.3", header, rows)
	want := `
hello 1.2.3
  ARTIFACT  PLATFORM       SIZE   TIME
  a.tar.gz  linux/amd64  4.1 MB  2m05s
  漢字      x             999 B   1.3s
  no more
  b         c               1 B
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// A table takes as many columns as a terminal has, and each row two lines where these
// do not suffice.
func TestTableLive(t *testing.T) {
	header := []string{"ARTIFACT", "PLATFORM", "SIZE"}
	rows := [][]string{{"app.tar.gz", "linux/amd64", "4.1 MB"}, {"checksums.txt", "", "1 B"}, {"漢字", "", ""}}
	wide := `
app 1.2.3
  ARTIFACT       PLATFORM       SIZE
  app.tar.gz     linux/amd64  4.1 MB
  checksums.txt                  1 B
  漢字`
	narrow := `
app 1.2.3
  ARTIFACT
    PLATFORM  SIZE
  app.tar.gz
    linux/amd64  4.1 MB
  checksums.txt
    1 B
  漢字`
	least := `
app 1.2.3
  ARTIFACT
    PLATFOR…
  app.tar.gz
    linux/a…
  checksums…
    1 B
  漢字`
	for width, want := range map[int]string{80: wide, 36: wide, 35: narrow, 12: least} {
		r, out, _ := reporter(Live, width, false)
		r.Table("app 1.2.3", header, rows)
		screen := newTerminal(t, width, 24)
		screen.write(out.String())
		if got := screen.String(); got != want || len(screen.rows) != strings.Count(want, "\n")+2 {
			t.Errorf("%d columns: got\n%s\nwant\n%s", width, got, want)
		}
	}
}
