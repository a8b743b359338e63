package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// Source says where a value came from.
type Source string

// The sources of values, the strongest first.
const (
	FromFlag        Source = "flag"
	FromInput       Source = "input"
	FromEnvironment Source = "environment"
	FromDefault     Source = "default"
)

// Values are the options of one command, resolved. They hold secrets, so every fmt
// verb prints them without their values. The accessors panic on a name that is not in
// the table; an option that the command does not take has its zero value.
type Values struct {
	values map[string]value
}

type value struct {
	text   string
	source Source
	place  string // what to call where it was written, such as "input tag"
}

// Resolve finds the value of every option that the command takes. flags holds the
// flags that were given; getenv reads the environment, where INPUT_<NAME> are the
// inputs of the action as the runner sets them: upper-cased, hyphens kept. An empty
// input or variable counts as not given. The errors are release.Problems of class Usage.
func Resolve(command string, flags map[string]string, getenv func(string) string) (Values, error) {
	v := Values{values: map[string]value{}}
	for _, o := range Options() {
		if !o.Takes(command) {
			continue
		}
		found := find(o, flags, getenv)
		text, err := normalise(o, found)
		if err != nil {
			return Values{}, err
		}
		found.text = text
		v.values[o.Name] = found
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if _, ok := v.values[name]; !ok {
			return Values{}, release.Misuse(fmt.Sprintf("pgo-release %s --help lists its flags", command),
				"flag --%s: %s does not take it", name, command)
		}
	}
	return v, contradictions(v)
}

// find gives an option's value as it was written.
func find(o Option, flags map[string]string, getenv func(string) string) value {
	if text, ok := flags[o.Name]; ok {
		return value{text, FromFlag, "flag --" + o.Name}
	}
	if o.Input != "" {
		if text := strings.TrimSpace(getenv(inputVariable(o.Input))); text != "" {
			return value{text, FromInput, "input " + o.Input}
		}
	}
	if o.Env != "" {
		if text := strings.TrimSpace(getenv(o.Env)); text != "" {
			if o.Kind == KindBool { // a variable such as NO_COLOR says yes by being there (https://no-color.org)
				text = "true"
			}
			return value{text, FromEnvironment, "variable " + o.Env}
		}
	}
	return value{o.Default, FromDefault, "default of " + o.Name}
}

// inputVariable is where the runner puts an input
// (https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax#inputs).
func inputVariable(input string) string {
	return "INPUT_" + strings.ToUpper(strings.ReplaceAll(input, " ", "_"))
}

// normalise checks a value against its option's kind and choices.
func normalise(o Option, v value) (string, error) {
	if o.Kind == KindBool {
		yes, err := strconv.ParseBool(strings.ToLower(v.text))
		if err != nil {
			return "", release.Misuse("", "%s: %q: want true or false", v.place, v.text)
		}
		return strconv.FormatBool(yes), nil
	}
	if len(o.Choices) > 0 && v.source != FromDefault && !slices.Contains(o.Choices, v.text) {
		return "", release.Misuse(meant(v.text, o.Choices), "%s: %q: want %s", v.place, v.text, strings.Join(o.Choices, " or "))
	}
	return v.text, nil
}

// contradictions finds options that exclude each other.
func contradictions(v Values) error {
	given := func(name string) bool {
		got := v.values[name]
		return got.source != FromDefault && got.text != "" && got.text != "false"
	}
	for _, pair := range []struct{ a, b, why string }{
		{"quiet", "verbose", "one asks for less, the other for more"},
		{"snapshot", "tag", "a snapshot has the version of its commit"},
		{"update-changelog", "format", "a changelog has its own"},
		{"single-target", "platforms", "both choose the platforms"},
		{"key", "workflow", "a key proves no workflow"},
		{"key", "branches", "a key proves no workflow, and so no branch that it ran for"},
	} {
		if given(pair.a) && given(pair.b) {
			called := func(name string) string { return strings.TrimPrefix(v.Place(name), "flag ") }
			return release.Misuse("give one of them", "%s and %s: %s", called(pair.a), called(pair.b), pair.why)
		}
	}
	return nil
}

// lookup panics on a name that no option has: that is a mistake in the program.
func (v Values) lookup(name string) value {
	got, ok := v.values[name]
	if !ok && !slices.ContainsFunc(Options(), func(o Option) bool { return o.Name == name }) {
		panic("config: no option is named " + name)
	}
	return got
}

// String is the value as text; empty where there is none.
func (v Values) String(name string) string { return v.lookup(name).text }

// Bool is the value of an option of kind bool.
func (v Values) Bool(name string) bool { return v.lookup(name).text == "true" }

// List is the value cut at commas and line ends, without blanks and empty parts.
func (v Values) List(name string) []string {
	var out []string
	for part := range strings.FieldsFuncSeq(v.lookup(name).text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Path is the value of a file option as this process opens it: relative to the option
// directory unless it is absolute; empty where there is none.
func (v Values) Path(name string) string {
	text := v.lookup(name).text
	if text == "" || filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(v.lookup("directory").text, text)
}

// Source is where the value came from; empty for an option that the command does not
// take.
func (v Values) Source(name string) Source { return v.lookup(name).source }

// Place is what to call where the value was written: "flag --tag", "input tag",
// "variable GITHUB_TOKEN"; empty for an option that the command does not take.
func (v Values) Place(name string) string { return v.lookup(name).place }

// Given tells whether somebody gave the value: it is not the default.
func (v Values) Given(name string) bool {
	s := v.Source(name)
	return s != "" && s != FromDefault
}

// Secrets are the secret values that are not empty, in the order of the table.
func (v Values) Secrets() []string {
	var out []string
	for _, o := range Options() {
		if text := v.values[o.Name].text; o.Secret && text != "" {
			out = append(out, text)
		}
	}
	return out
}

// Format prints the names and sources, and no values: some are secret.
func (v Values) Format(f fmt.State, _ rune) {
	for i, name := range slices.Sorted(maps.Keys(v.values)) {
		if i > 0 {
			fmt.Fprint(f, " ")
		}
		fmt.Fprintf(f, "%s:%s", name, v.values[name].source)
	}
}
