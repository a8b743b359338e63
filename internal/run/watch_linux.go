package run

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sampling is how often a program is looked at.
const sampling = 200 * time.Millisecond

// look is what is left of a process group, as /proc shows it (proc_pid_stat(5)).
func look(group int) []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []Process
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil { // it has ended
			continue
		}
		if p, its, ok := parseStat(stat); ok && its == group {
			out = append(out, p)
		}
	}
	return out
}

// parseStat reads a process and the number of its group. The name may hold anything, the
// closing bracket too.
func parseStat(stat []byte) (p Process, group int, ok bool) {
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return Process{}, 0, false
	}
	const pgrp, rss = 2, 21 // after the name
	words := bytes.Fields(stat[end+1:])
	if len(words) <= rss {
		return Process{}, 0, false
	}
	group, err := strconv.Atoi(string(words[pgrp]))
	if err != nil {
		return Process{}, 0, false
	}
	pages, err := strconv.ParseInt(string(words[rss]), 10, 64)
	if err != nil {
		return Process{}, 0, false
	}
	return Process{Name: string(stat[begin+1 : end]), Memory: pages * int64(os.Getpagesize())}, group, true
}
