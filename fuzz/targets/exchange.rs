//! `upauth::fuzz::exchange`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::exchange::check(data));
