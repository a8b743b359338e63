package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"

	"github.com/org/pgo-release/internal/plan"
)

// Schema is the JSON Schema of the configuration file, for editors: indented, with a
// final newline. It comes from the types of package plan.
func Schema() ([]byte, error) {
	reflector := jsonschema.Reflector{Anonymous: true, RequiredFromJSONSchemaTags: true, ExpandedStruct: true}
	schema := reflector.Reflect(plan.Config{})
	schema.Title = DefaultFile
	schema.Description = "Configuration of pgo-release. All of it is optional."
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the JSON Schema: %w", err)
	}
	return append(text, '\n'), nil
}

// ActionYAML is action.yml, the metadata of the container action
// (https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax).
func ActionYAML() ([]byte, error) {
	inputs, outputs := yaml.MapSlice{}, yaml.MapSlice{}
	for _, o := range Options() {
		if o.Input == "" {
			continue
		}
		input := yaml.MapSlice{{Key: "description", Value: o.Help}, {Key: "required", Value: false}}
		if o.InputDefault != "" {
			input = append(input, yaml.MapItem{Key: "default", Value: o.InputDefault})
		}
		inputs = append(inputs, yaml.MapItem{Key: o.Input, Value: input})
	}
	for _, o := range Outputs() {
		outputs = append(outputs, yaml.MapItem{Key: o.Name, Value: yaml.MapSlice{{Key: "description", Value: o.Help}}})
	}
	var out bytes.Buffer
	out.WriteString("# Generated from the option table: go test ./internal/config -update\n")
	err := yaml.NewEncoder(&out, yaml.IndentSequence(true)).Encode(yaml.MapSlice{
		{Key: "name", Value: "pgo-release"},
		{Key: "description", Value: "Turn a version tag of a Go project into a signed, verifiable release"},
		{Key: "author", Value: "org"},
		{Key: "branding", Value: yaml.MapSlice{{Key: "icon", Value: "package"}, {Key: "color", Value: "blue"}}},
		{Key: "inputs", Value: inputs},
		{Key: "outputs", Value: outputs},
		{Key: "runs", Value: yaml.MapSlice{
			{Key: "using", Value: "docker"}, {Key: "image", Value: "Dockerfile"}, {Key: "args", Value: []string{"${{ inputs." + modeOption + " }}"}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("writing action.yml: %w", err)
	}
	return out.Bytes(), nil
}

// OutputTable is the table of the action's outputs in README.md, in Markdown.
func OutputTable() string {
	var out strings.Builder
	out.WriteString("| output | what |\n|---|---|\n")
	for _, o := range Outputs() {
		fmt.Fprintf(&out, "| `%s` | %s |\n", o.Name, o.Help)
	}
	return out.String()
}

// OptionTable is the table of options in README.md, in Markdown.
func OptionTable() string {
	var out strings.Builder
	out.WriteString("| flag | input | variable | for | what |\n|---|---|---|---|---|\n")
	for _, o := range Options() {
		flag := "`--" + o.Name + "`"
		if o.Action {
			flag = ""
		}
		if o.Short != "" {
			flag += ", `-" + o.Short + "`"
		}
		commands := "all"
		switch {
		case o.Action:
			commands = "the action"
		case o.Commands != nil:
			commands = strings.Join(o.Commands, ", ")
		}
		help := o.Help
		if o.Default != "" && o.Kind != KindBool {
			help += " (default `" + o.Default + "`)"
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", flag, code(o.Input), code(o.Env), commands, help)
	}
	return out.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
