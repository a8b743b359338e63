package machine_test

import (
	"os"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/org/pgo-release/internal/machine"
)

// files are those of a machine with 8 GiB, of which 6 GiB are free.
func files(more map[string]string) fstest.MapFS {
	out := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:        8388608 kB\nMemFree:  1024 kB\nMemAvailable:    6291456 kB\nHugePages_Total:       0\n")}}
	for name, text := range more {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestReadMemory(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  machine.Memory
	}{
		{"no control groups", nil, machine.Memory{Total: 8 * gib, Free: 6 * gib}},
		{"no limit", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "1\n",
		}, machine.Memory{Total: 8 * gib, Free: 6 * gib}},
		{"version 2, caches count as free", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2147483648\n", "sys/fs/cgroup/a/b/memory.current": "1610612736\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 536870912\ninactive_file 1073741824\n",
		}, machine.Memory{Total: 2 * gib, Free: 2*gib - gib/2}},
		{"the group above is tighter", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "4294967296\n", "sys/fs/cgroup/a/b/memory.current": "0\n",
			"sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.current": "0\n",
		}, machine.Memory{Total: gib, Free: gib}},
		{"version 1 in a container, with the path of the host", map[string]string{
			"proc/self/cgroup":                              "12:cpu,cpuacct:/docker/x\n9:memory:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":    "2147483648\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":    "1073741824\n",
			"sys/fs/cgroup/memory/memory.stat":              "inactive_file 1\ntotal_inactive_file 536870912\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/x/memory.max": "1\n",
		}, machine.Memory{Total: 2 * gib, Free: gib + gib/2}},
		{"version 1 without a limit", map[string]string{
			"proc/self/cgroup": "9:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
		}, machine.Memory{Total: 8 * gib, Free: 6 * gib}},
		{"more is used than allowed", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n", "sys/fs/cgroup/memory.current": "200\n",
		}, machine.Memory{Total: 100}},
		{"no numbers", map[string]string{
			"proc/self/cgroup": "what\n0::/../../etc\n", "sys/fs/cgroup/memory.max": "-\n", "sys/fs/cgroup/memory.current": "\n",
		}, machine.Memory{Total: 8 * gib, Free: 6 * gib}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := machine.ReadMemory(files(tt.files)); !ok || got != tt.want {
				t.Errorf("%+v, %t, want %+v", got, ok, tt.want)
			}
		})
	}
	if got, ok := machine.ReadMemory(fstest.MapFS{}); ok {
		t.Errorf("of nothing: %+v", got)
	}
}

// This machine has memory, and less free than in all.
func TestThisMachine(t *testing.T) {
	got, ok := machine.ReadMemory(os.DirFS("/"))
	if ok != (runtime.GOOS == "linux") || ok && (got.Total < 1<<20 || got.Free < 0 || got.Free > got.Total) {
		t.Errorf("%+v, %t", got, ok)
	}
}
