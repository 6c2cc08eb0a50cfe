//! `upauth::fuzz::answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::answer::check(data));
