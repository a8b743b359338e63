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
// is full. What is to come is guessed low: as the smallest executable of the same build, or
// of any.
type space struct {
	units []plan.Unit
	free  func() (bytes int64, known bool) // nil: never known

	mu     sync.Mutex
	size   map[int]int64 // of the executables that are there, by unit
	packed map[int]bool
}

func newSpace(units []plan.Unit, free func() (int64, bool)) *space {
	return &space{units: units, free: free, size: map[int]int64{}, packed: map[int]bool{}}
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

// done notes that unit i is packed.
func (s *space) done(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packed[i] = true
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
	smallest := map[string]int64{} // by build; "" is any
	for i, size := range s.size {
		for _, build := range []string{s.units[i].Build, ""} {
			if least, known := smallest[build]; !known || size < least {
				smallest[build] = size
			}
		}
	}
	var need int64
	for i, u := range s.units {
		size, there := s.size[i]
		if !there {
			var known bool
			if size, known = smallest[u.Build]; !known {
				if size, known = smallest[""]; !known {
					size = leastProgram
				}
			}
			need += size
		}
		if !s.packed[i] {
			need += int64(float64(size) * leastArchive)
		}
	}
	return need
}
