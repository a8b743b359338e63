package engine

import (
	"context"
	"sync"
	"time"
)

// Load is what a compile takes at a moment.
type Load struct {
	Memory  int64 // bytes, of all its processes together
	Linking bool  // nothing is left but the linker, which uses one processor
}

// lanes decides when a compile may begin. The go command uses every processor by itself,
// so that several at once multiply memory and not speed; only a linker leaves room.
type lanes struct {
	most  int          // at once; 0: a second one while the first one links
	limit int64        // bytes for all together; 0: none
	free  func() int64 // bytes for more; nil: there is always enough

	mu      sync.Mutex
	next    int // compile that begins next
	running map[int]Load
	alone   map[int]bool  // that run alone, or wait to
	short   bool          // one was killed: from now on, each runs alone
	peak    int64         // of any compile so far, in bytes
	changed chan struct{} // closed when something has changed, and made anew
}

func newLanes(most int, limit int64, free func() int64) *lanes {
	return &lanes{most: most, limit: limit, free: free, running: map[int]Load{}, alone: map[int]bool{}, changed: make(chan struct{})}
}

// places are how many may wait or run at once.
func (l *lanes) places() int {
	if l.most > 0 {
		return l.most
	}
	return 2
}

// enter waits until compile n may begin: for the first time, after those before it, beside
// what runs; or alone. Nobody overtakes one that is to be alone. Its error is the cause of
// a cancelled ctx; else leave has to follow.
func (l *lanes) enter(ctx context.Context, n int, alone bool) error {
	const again = 500 * time.Millisecond // others take memory and free it without a word
	for {
		l.mu.Lock()
		if alone {
			l.alone[n], l.short = true, true
		}
		if alone && len(l.running) == 0 || !alone && n == l.next && len(l.alone) == 0 && l.room() {
			l.running[n] = Load{}
			if !alone {
				l.next++
				l.tell()
			}
			l.mu.Unlock()
			return nil
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(again):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// room tells whether one more may run beside others. As long as nobody knows what a
// compile takes, it takes too much.
func (l *lanes) room() bool {
	if n := len(l.running); n == 0 || n >= l.places() || l.short {
		return n == 0
	}
	left := l.limit
	for _, load := range l.running {
		if l.most == 0 && !load.Linking {
			return false
		}
		left -= load.Memory
	}
	fits := func(bytes int64) bool { return l.peak > 0 && bytes >= l.peak }
	return (l.limit == 0 || fits(left)) && (l.free == nil || fits(l.free()))
}

// report notes what a compile takes.
func (l *lanes) report(n int, load Load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peak = max(l.peak, load.Memory)
	if before := l.running[n]; before.Linking != load.Linking {
		defer l.tell()
	}
	l.running[n] = load
}

// scarce tells whether memory has been short.
func (l *lanes) scarce() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.short
}

// leave ends a compile.
func (l *lanes) leave(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, n)
	delete(l.alone, n)
	l.tell()
}

// tell wakes those who wait. The caller holds the lock.
func (l *lanes) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}
