#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| powertune_fuzz::check("price_list", bytes));
