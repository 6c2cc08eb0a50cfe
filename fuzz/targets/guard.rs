//! `upauth::fuzz::guard`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::guard::check(data));
