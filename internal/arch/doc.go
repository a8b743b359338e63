// Package arch holds no code: its tests are the rules of ARCHITECTURE.md about what
// may import what.
package arch
