package config

import (
	"fmt"
	"strings"
)

// meant is a hint that names the known word nearest to what was written, or all of
// them when none is near.
func meant(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "known here: " + strings.Join(known, ", ")
}

// nearest is the known word that begins with word, or else differs from it in at most a
// third of its letters (but one is always allowed); the first of equals; empty: none is
// near. Case, dashes and underscores do not count.
func nearest(word string, known []string) string {
	fold := func(s string) []rune {
		return []rune(strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)))
	}
	// Only short words can be near a short word, and the distance is quadratic.
	if len(word) > 100 {
		return ""
	}
	written, best, found := fold(word), -1, ""
	for _, k := range known {
		folded := fold(k)
		d := distance(written, folded)
		if len(written) > 2 && strings.HasPrefix(string(folded), string(written)) {
			d = 0
		}
		if d <= max(1, len(k)/3) && (best < 0 || d < best) {
			best, found = d, k
		}
	}
	return found
}

// distance is the number of letters to insert, delete, replace or swap with their
// neighbour that turns a into b (optimal string alignment).
func distance(a, b []rune) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(next[j]+1, row[j+1]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
