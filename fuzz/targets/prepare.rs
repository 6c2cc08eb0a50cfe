//! `upauth::fuzz::prepare`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::prepare::check(data));
