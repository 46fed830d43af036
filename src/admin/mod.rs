//! `/live /ready /metrics /status` and a page for people: reads, never steers.
