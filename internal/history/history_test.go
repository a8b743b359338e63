package history_test

import (
	"reflect"
	"testing"

	"github.com/org/pgo-release/internal/history"
)

func TestNumbers(t *testing.T) {
	for subject, want := range map[string][]int{
		"Merge pull request #12 from o/b": {12}, "feat: x (#7)": {7}, "x (#7) y": nil, "fixes #7": nil,
		"x (#0)": nil, "x (#99999999999999999999)": nil, `Revert "x (#1)" (#2)`: {2},
	} {
		if got := history.Numbers(history.Commit{Subject: subject}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", subject, got, want)
		}
	}
}
