package provenance

import (
	"bytes"
	"strings"
	"testing"
)

const small = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"1111111111111111111111111111111111111111111111111111111111111111"}}],` +
	`"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://example.com/other"},"runDetails":{}}}`

func TestParseForeign(t *testing.T) {
	s, err := Parse([]byte(strings.Replace(small, `"runDetails"`, `"unknown":[{"deep":1},"x",[[]]],"runDetails"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if s.BuildType() != "https://example.com/other" || s.Commit()+s.Source()+s.Toolchain()+string(s.ContentDigest()) != "" {
		t.Errorf("read %+v", s)
	}
	other := strings.Replace(small, `"runDetails"`, `"resolvedDependencies":[{"uri":"https://example.com/a.zip","digest":{"gitCommit":"1"}}],"runDetails"`, 1)
	if s, err = Parse([]byte(other)); err != nil || s.Commit() != "" {
		t.Errorf("commit %q (%v) of what is no git repository", s.Commit(), err)
	}
}

func TestParseRefuses(t *testing.T) {
	replace := func(old, with string) string {
		if !strings.Contains(small, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(small, old, with, 1)
	}
	one := `{"name":"a","digest":{"sha256":"` + strings.Repeat("1", 64) + `"}}`
	for name, c := range map[string]struct{ text, want string }{
		"nothing":            {"", "EOF"},
		"cut":                {small[:len(small)-1], "EOF"},
		"more behind":        {small + "{}", "after top-level value"},
		"no object":          {`"text"`, "cannot unmarshal"},
		"size":               {`{"_type":"` + strings.Repeat("x", maxStatement) + `"}`, "at most"},
		"type":               {replace("Statement/v1", "Statement/v0.1"), "_type"},
		"predicate type":     {replace("provenance/v1", "provenance/v0.2"), "predicateType"},
		"no subjects":        {replace(one, ""), "0 subjects"},
		"many subjects":      {replace(one, strings.Repeat(one+",", MaxSubjects)+one), "1025 subjects"},
		"subject twice":      {replace(one, one+","+one), "named twice"},
		"subject unnamed":    {replace(`"name":"a",`, ""), "no name"},
		"no digest":          {replace("sha256", "sha512"), "64 lower-case"},
		"digest upper case":  {replace(strings.Repeat("1", 64), strings.Repeat("A", 64)), "64 lower-case"},
		"digest with prefix": {replace(strings.Repeat("1", 64), "sha256:"+strings.Repeat("1", 64)), "64 lower-case"},
		"content digest":     {replace(`"buildType":`, `"internalParameters":{"contentDigest":"x"},"buildType":`), "contentDigest"},
		"member twice":       {replace(`"predicateType"`, `"subject":[],"predicateType"`), "stands twice"},
		"but for case":       {replace(`"predicateType"`, `"Subject":[],"predicateType"`), "stands twice"},
		"but for folding":    {replace(`"predicateType"`, `"ſubject":[],"predicateType"`), "stands twice"},
		"member twice below": {replace(`"runDetails":{}`, `"runDetails":{"x":[{"a":1,"b":{},"A":2}]}`), "stands twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// FuzzParse: whatever is accepted can be read, and reads the same after it was
// written.
func FuzzParse(f *testing.F) {
	text, err := example(f).JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(small))
	f.Add([]byte(strings.Replace(small, "{}", `{"metadata":{"startedOn":"2026-08-01T12:00:00.5+02:00"}}`, 1)))
	f.Add([]byte(`{"_type":null,"subject":[{}],"predicate":[]}`))
	f.Add([]byte(`[[[[{"a":{"a":1}}]]]]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if n := len(s.Subjects()); n != len(s.doc.Subject) || n == 0 {
			t.Fatalf("%d subjects of %d", n, len(s.doc.Subject))
		}
		_ = s.Commit() + s.Source() + s.Toolchain() + s.Tag() + s.Repository() + s.BuilderID() + string(s.ContentDigest())
		if p, err := s.Plan(); err == nil && p.Check() != nil {
			t.Fatalf("gave a plan that does not hold: %v", p.Check())
		}
		once, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("refused what was accepted: %v\n%s", err, once)
		}
		if twice, err := again.JSON(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("written twice, two texts (%v):\n%s\n%s", err, once, twice)
		}
	})
}
