//! Filters from anywhere against events from anywhere: `cargo +nightly fuzz run filter`, from the repository's root.
//!
//! What is asked of each input stands in `../filter_body.rs`. The tests of postrider-core ask it of the corpus and of random
//! changes to it, on the stable compiler.

#![no_main]

#[path = "../filter_body.rs"]
mod filter_body;
#[path = "../../crates/postrider-core/tests/it/reference.rs"]
mod reference;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    filter_body::run(input);
});
