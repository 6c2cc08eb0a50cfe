//! Where tokens outlive the process. In this version only memory, which needs nothing: the snapshot of
//! each [`Handle`](super::Handle) is all there is, and a restart logs in again. The file store, Redis and the
//! protocol for rotating refresh tokens will live here; nothing is sketched ahead of them.
