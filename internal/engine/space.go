package engine

import (
	"fmt"
	"os"
	"sync"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// leastProgram is the size of the smallest programs of Go, in bytes.
const leastProgram = 1 << 20

// leastArchive is the part of an executable's size that its archive has at least.
const leastArchive = 0.2

// space compares what is free on the disk of the output directory with what is to come,
// so that a run ends when it is known that it cannot end well, rather than when the disk
// is full. What is to come is guessed low: an executable as half of the smallest of the same
// build, or as leastProgram; and of what is being written, nothing.
type space struct {
	units []plan.Unit
	free  func() (bytes int64, known bool) // nil: never known

	mu      sync.Mutex
	begun   map[int]bool  // units that are or were compiled
	size    map[int]int64 // of the executables that are there, by unit
	packing map[int]bool  // units that are or were packed
}

func newSpace(units []plan.Unit, free func() (int64, bool)) *space {
	return &space{units: units, free: free, begun: map[int]bool{}, size: map[int]int64{}, packing: map[int]bool{}}
}

// compiling notes that unit i begins.
func (s *space) compiling(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun[i] = true
}

// compiled notes the executable of unit i, and fails when what is left is too little.
func (s *space) compiled(i int, executable string) error {
	info, err := os.Stat(executable)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.size[i] = info.Size()
	s.mu.Unlock()
	return s.check()
}

// packs notes that unit i begins to be packed.
func (s *space) packs(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packing[i] = true
}

// check fails when what is free is certainly too little.
func (s *space) check() error {
	if s.free == nil {
		return nil
	}
	free, known := s.free()
	if need := s.need(); known && free < need {
		return &release.Problem{
			Err: fmt.Errorf("the disk is too small: what is still to be written takes %d MB at least, and %d MB are free", need>>20, free>>20),
			Tip: "free some disk space, or release for fewer platforms",
		}
	}
	return nil
}

// need is what is still to be written at least, in bytes.
func (s *space) need() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	smallest := map[string]int64{} // by build
	for i, size := range s.size {
		build := s.units[i].Build
		if least, known := smallest[build]; !known || size < least {
			smallest[build] = size
		}
	}
	var need int64
	for i, u := range s.units {
		size, there := s.size[i]
		if least, known := smallest[u.Build]; !there && known {
			size = least / 2
		} else if !there {
			size = leastProgram
		}
		if !s.begun[i] {
			need += size
		}
		if !s.packing[i] {
			need += int64(float64(size) * leastArchive)
		}
	}
	return need
}
