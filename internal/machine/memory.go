// Package machine says what the machine that this process runs on has left for it. Where
// the process is in a control group, as in a container or under systemd, its limits count.
package machine

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Memory is how much memory there is, in bytes.
type Memory struct {
	Total int64 // of the machine, or the limit of a control group where that is lower
	Free  int64 // what programs may take until somebody is killed; caches that can give way count as free
}

// ReadMemory reads the memory of the machine whose root directory it gets
// (os.DirFS("/")). ok is false where it cannot be told, as on other systems than Linux.
// Control groups are those of the process, and all above them, of both versions
// (https://docs.kernel.org/admin-guide/cgroup-v2.html,
// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html).
func ReadMemory(root fs.FS) (m Memory, ok bool) {
	kilobytes := fields(root, "proc/meminfo")
	total, known := kilobytes["MemTotal:"]
	free, alsoKnown := kilobytes["MemAvailable:"]
	if !known || !alsoKnown {
		return Memory{}, false
	}
	m = Memory{Total: total << 10, Free: free << 10}
	for _, g := range groups(root) {
		limit, used, ok := g.read(root)
		if ok && limit < m.Total {
			m.Total = limit
		}
		if ok {
			m.Free = max(0, min(m.Free, limit-used))
		}
	}
	return m, true
}

// group is a directory in which the kernel shows a control group, and its files.
type group struct{ dir, limit, usage, idle string }

// groups are the control groups that hold the process.
func groups(root fs.FS) []group {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var out []group
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(parts) != 3 {
			continue
		}
		g := group{limit: "memory.max", usage: "memory.current", idle: "inactive_file"}
		top := "sys/fs/cgroup"
		switch {
		case parts[0] == "0" && parts[1] == "":
		case parts[1] == "memory":
			top = "sys/fs/cgroup/memory"
			g = group{limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", idle: "total_inactive_file"}
		default:
			continue
		}
		// In a container the path may be that of the host; the top is the container's own.
		for p := path.Clean("/" + parts[2]); ; p = path.Dir(p) {
			g.dir = path.Join(top, p)
			out = append(out, g)
			if p == "/" {
				break
			}
		}
	}
	return out
}

// read gives limit and use in bytes; ok is false where there is no limit.
func (g group) read(root fs.FS) (limit, used int64, ok bool) {
	limit, ok = number(root, path.Join(g.dir, g.limit))
	if !ok { // "max", or no such group
		return 0, 0, false
	}
	used, ok = number(root, path.Join(g.dir, g.usage))
	return limit, max(0, used-fields(root, path.Join(g.dir, "memory.stat"))[g.idle]), ok
}

// number reads a file that holds a number.
func number(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// fields reads a file of lines with a name and a number.
func fields(root fs.FS, name string) map[string]int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		if n, err := strconv.ParseInt(words[1], 10, 64); err == nil {
			out[words[0]] = n
		}
	}
	return out
}
