//! `upauth::fuzz::links`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upauth::fuzz::links::check(data));
