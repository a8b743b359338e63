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
	running map[int]*lane
	alone   map[int]bool  // that run once more, alone, or wait to
	short   bool          // one was killed: from now on, each runs alone
	peak    int64         // of any compile that has ended, in bytes
	changed chan struct{} // closed when something has changed, and made anew
}

// lane is a compile that runs.
type lane struct {
	Load
	peak int64 // so far, in bytes
}

func newLanes(most int, limit int64, free func() int64) *lanes {
	return &lanes{most: most, limit: limit, free: free, running: map[int]*lane{}, alone: map[int]bool{}, changed: make(chan struct{})}
}

// places are how many may wait or run at once.
func (l *lanes) places() int {
	if l.most > 0 {
		return l.most
	}
	return 2
}

// enter waits until compile n may begin: after those before it, and beside what runs;
// alone where memory has been short. The error is the cause of a cancelled ctx; else leave
// or retry has to follow.
func (l *lanes) enter(ctx context.Context, n int) (alone bool, err error) {
	err = l.wait(ctx, func() bool {
		if n != l.next || len(l.alone) > 0 || !l.room() {
			return false
		}
		l.next++
		l.running[n], alone = &lane{}, l.short
		return true
	})
	return alone, err
}

// retry ends compile n, and waits until it may begin once more, alone. Nobody overtakes it.
// The error is as for enter.
func (l *lanes) retry(ctx context.Context, n int) error {
	l.mu.Lock()
	l.end(n)
	l.alone[n], l.short = true, true
	l.mu.Unlock()
	return l.wait(ctx, func() bool {
		if len(l.running) > 0 {
			return false
		}
		l.running[n] = &lane{}
		return true
	})
}

// wait waits until ready says so, which is called with the lock held.
func (l *lanes) wait(ctx context.Context, ready func() bool) error {
	const again = 500 * time.Millisecond // others take memory and free it without a word
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.mu.Lock()
		if ready() {
			l.tell()
			l.mu.Unlock()
			return nil
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// room tells whether one more may run beside others. Each of them is taken for as large as
// the largest that is known; while none is known, one more takes too much.
func (l *lanes) room() bool {
	if n := len(l.running); n == 0 || n >= l.places() || l.short {
		return n == 0
	}
	peak := l.peak
	for _, r := range l.running {
		switch {
		case r.Linking: // it has been at its largest, or nearly
			peak = max(peak, r.peak)
		case l.most == 0:
			return false
		}
	}
	if l.limit == 0 && l.free == nil {
		return true
	}
	all, more := peak, peak // bytes for all of them, and beyond what they have now
	for _, r := range l.running {
		all += max(peak, r.Memory)
		more += max(0, peak-r.Memory)
	}
	return peak > 0 && (l.limit == 0 || all <= l.limit) && (l.free == nil || more <= l.free())
}

// report notes what a compile takes, until it ends.
func (l *lanes) report(n int, load Load) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.running[n]
	if r == nil {
		return
	}
	if r.Linking != load.Linking {
		defer l.tell()
	}
	r.Load, r.peak = load, max(r.peak, load.Memory)
}

// leave ends a compile.
func (l *lanes) leave(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(n)
	delete(l.alone, n)
}

// end takes a compile away. The caller holds the lock.
func (l *lanes) end(n int) {
	if r := l.running[n]; r != nil {
		l.peak = max(l.peak, r.peak)
	}
	delete(l.running, n)
	l.tell()
}

// tell wakes those who wait. The caller holds the lock.
func (l *lanes) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}
