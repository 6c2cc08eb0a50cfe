//! `upauth::fuzz::judge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::judge::check(data));
