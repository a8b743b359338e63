// Hello greets people in several languages. It is the program that pgo-release is
// tried on: small, but with a few modules, an embedded file and a version.
package main

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// Set by the linker.
var (
	version = "0.0.0-dev"
	commit  = "unknown"
	date    = "unknown"
)

//go:embed greetings.yaml
var greetings []byte

func main() {
	root := &cobra.Command{Use: "hello", Short: "Greet people", SilenceUsage: true}
	var language string
	greet := &cobra.Command{
		Use: "greet NAME", Short: "Greet somebody", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known := map[string]string{}
			if err := yaml.Unmarshal(greetings, &known); err != nil {
				return err
			}
			word, ok := known[language]
			if !ok {
				return fmt.Errorf("language %q: want one of %s", language, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, %s!\n", word, args[0])
			return err
		},
	}
	greet.Flags().StringVar(&language, "language", "en", "language of the greeting")
	show := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := semver.StrictNewVersion(version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "v%s (%s, %s)\n", v, commit, date)
			return err
		},
	}
	root.AddCommand(greet, show)
	if root.Execute() != nil {
		os.Exit(1)
	}
}
