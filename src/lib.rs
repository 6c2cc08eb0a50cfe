//! `upauth`: plain requests in, authenticated requests out.
//!
//! Tenets, in order: correct forwarding · secrets never leak · understandable · fast.
//!
//! # The house
//!
//! Rooms are modules, floors are an order: a room imports only rooms on lower floors; rooms on one floor are
//! strangers; only `app` knows everybody. `tests/tidy.rs` holds the house to it.
//!
//! | floor | rooms |
//! |---|---|
//! | attic | [`app`]: the wiring; [`cli`]: arguments in, exit code out |
//! | 4 | [`proxy`]: the life of a request; [`admin`]: looking inside |
//! | 3 | [`token`]: the token endpoint; [`egress`]: the API; [`server`]: the callers |
//! | 2 | [`provider`]: what is particular to each provider; [`tls`]: TLS from the configuration |
//! | 1 | [`config`]: what the operator decided |
//! | ground | [`message`]: rules of forwarding; [`telemetry`]: words for watching; [`secret`]; [`clock`]; [`code`] |
//! | annex | [`emulator`]: the providers, imitated; imports no room |
//!
//! Above all of them, in tests and in fuzz targets alone, `fuzz`: what these hold true.

pub mod clock;
pub mod code;
pub mod message;
pub mod secret;
pub mod telemetry;

pub mod config;

pub mod provider;
pub mod tls;

pub mod egress;
pub mod server;
pub mod token;

pub mod admin;
pub mod proxy;

pub mod app;
pub mod cli;

pub mod emulator;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
