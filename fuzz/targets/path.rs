//! `upauth::fuzz::path`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::path::check(data));
