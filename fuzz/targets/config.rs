//! `upauth::fuzz::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::config::check(data));
