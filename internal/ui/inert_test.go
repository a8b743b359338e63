package ui

import "testing"

func TestInert(t *testing.T) {
	const text = "\x1b[31mplan\x1b[0m\n::error::x\n  ::y\n##[z]\n"
	for mode, want := range map[Mode]string{
		Plain: "plan\n: :error::x\n  : :y\n# #[z]\n", Actions: "plan\n: :error::x\n  : :y\n# #[z]\n", Live: "plan\n::error::x\n  ::y\n##[z]\n",
	} {
		if r, _, _ := reporter(mode, 80, false); r.Inert(text) != want {
			t.Errorf("%s: %q, want %q", mode, r.Inert(text), want)
		}
	}
}
