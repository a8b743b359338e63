package cli

import (
	"errors"
	"fmt"

	"github.com/org/pgo-release/internal/release"
)

// leftError is the error of a run that had begun to publish, with what it leaves behind.
type leftError struct {
	receipt release.Receipt // as far as the run came
	err     error
}

func (e *leftError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *leftError) Unwrap() error { return e.err }

// Hint says what is left, for errors that nothing else is known to mend.
func (e *leftError) Hint() string {
	if release.ClassOf(e.err) != 0 {
		return ""
	}
	return e.left() + "; running the same command again finishes it"
}

// left is what GitHub has of the release. A call that publishes and is cut off may have
// published all the same, which only the next run sees.
func (e *leftError) left() string {
	switch {
	case e.receipt.ID == 0:
		return "nothing was published"
	case e.receipt.Draft:
		return fmt.Sprintf("what was uploaded is in the draft %s, which nobody else sees", e.receipt.URL)
	}
	return fmt.Sprintf("%s is public, and something that belongs to it may be missing", e.receipt.URL)
}

// interrupted is what a run says that was told to stop.
func (a *app) interrupted(err error) error {
	var left *leftError
	switch {
	case errors.As(err, &left):
		return fmt.Errorf("interrupted; %s; running the same command again finishes it", left.left())
	case a.name == "release":
		return errors.New("interrupted; nothing was published; running the same command again takes the work up")
	}
	return errors.New("interrupted; running the same command again takes the work up")
}
