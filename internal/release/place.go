package release

// Place is where in a file something is wrong.
type Place struct {
	File   string // relative to the working directory or the repository, slash-separated
	Line   int    // from 1
	Column int    // from 1; 0: not known
	Text   string // what is wrong there
}

// PlacesOf are the first places in the tree of err, depth first as in errors.As; nil
// without any.
func PlacesOf(err error) []Place {
	var places []Place
	walk(err, func(err error) bool {
		if p, ok := err.(interface{ Places() []Place }); ok {
			places = p.Places()
		}
		return len(places) > 0
	})
	return places
}
