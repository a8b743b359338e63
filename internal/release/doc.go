// Package release holds the values of a release: targets, files, units, images,
// and the errors that a user can act on. It does no I/O and imports no other
// package of the product, so every room can speak in these terms.
//
// Sizes are in bytes. Digests are SHA-256, written as GitHub and the OCI
// specification write them: "sha256:" and 64 lower-case hexadecimal digits.
package release
