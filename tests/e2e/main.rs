//! Behaviour end to end: real sockets, the real `App`, the emulator or a scripted server as the upstream.

mod support;

/// Path, query, headers, bodies and answers pass as they should.
mod forwarding;
/// Streams in both directions, disconnects, early and broken answers.
mod streaming;
