package hub

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var schemaText string

func loadSchema() (*ast.Schema, error) {
	return gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})
}

// postGraphQL answers a query (https://docs.github.com/graphql). As at GitHub, what is
// wrong with a query is told with status 200.
func (s *Server) postGraphQL(r *http.Request) reply {
	var asked struct {
		Query         *string        `json:"query"`
		Variables     map[string]any `json:"variables"`
		OperationName string         `json:"operationName"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxJSON))
	decoder.UseNumber() // an Int is no float64
	if err := decoder.Decode(&asked); err != nil {
		return failure(http.StatusBadRequest, "Problems parsing JSON")
	}
	if asked.Query == nil || strings.TrimSpace(*asked.Query) == "" {
		return failure(http.StatusBadRequest, "A query attribute must be specified and must be a string.")
	}
	document, faults := gqlparser.LoadQueryWithRules(s.schema, *asked.Query, rules.NewDefaultRules())
	if len(faults) > 0 {
		return ok(object{"errors": queryFaults(faults)})
	}
	operation := document.Operations.ForName(asked.OperationName)
	if operation == nil {
		return ok(object{"errors": []object{{"message": "An operation name is required"}}})
	}
	variables, err := validator.VariableValues(s.schema, operation, asked.Variables)
	if err != nil {
		return ok(object{"errors": []object{variableFault(err)}})
	}
	e := &execution{schema: s.schema, variables: variables}
	data, whole := e.object(graph{s, s.rights(r)}.queryThing(), operation.SelectionSet, nil)
	out := object{"data": data}
	if !whole {
		out["data"] = nil
	}
	if e.errors != nil {
		out["errors"] = e.errors
	}
	return ok(out)
}

// queryFaults are the errors of a query that was not carried out, in GitHub's shape;
// their wording is the validator's.
func queryFaults(faults gqlerror.List) []object {
	codes := map[string]string{
		"FieldsOnCorrectType":        "undefinedField",
		"KnownArgumentNames":         "argumentNotAccepted",
		"KnownTypeNames":             "undefinedType",
		"NoUndefinedVariables":       "variableNotDefined",
		"NoUnusedVariables":          "variableNotUsed",
		"ProvidedRequiredArguments":  "missingRequiredArguments",
		"ScalarLeafs":                "selectionMismatch",
		"ValuesOfCorrectType":        "argumentLiteralsIncompatible",
		"VariablesInAllowedPosition": "variableMismatch",
	}
	var out []object
	for _, f := range faults {
		one := object{"message": f.Message, "locations": f.Locations}
		if f.Rule == "" {
			one["message"] = "Parse error: " + f.Message
		} else if code := codes[f.Rule]; code != "" {
			one["extensions"] = object{"code": code}
		}
		out = append(out, one)
	}
	return out
}

func variableFault(err error) object {
	message := err.Error()
	var f *gqlerror.Error
	if errors.As(err, &f) {
		message = fmt.Sprintf("Variable %s was provided invalid value: %s", strings.TrimPrefix(f.Path.String(), "variable."), f.Message)
	}
	return object{"message": message, "extensions": object{"code": "variableMismatch"}}
}
