//! The decisions, free of I/O, clock and randomness: events and `now` in, actions out. The simulator drives exactly this.
