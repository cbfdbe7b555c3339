//! `make bench-identity`: who is one person, judged by truth on sets of invented elders.
//!
//! Sets differ in seed, size, and how often each fault is made; some are changed further, as
//! a place can be that the generator did not think of. Nothing is learned from truth. With
//! the sample beside the repository, its truth judges too. `-- QUICK` measures few of them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[path = "identity/judged.rs"]
mod judged;
#[path = "identity/population.rs"]
mod population;
#[path = "identity/sets.rs"]
mod sets;

use std::path::Path;

use judged::{Figures, measured};
use sets::Set;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo bench` hands over `--bench`.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let quick = words.iter().any(|word| word == "QUICK");
    let mut report = serde_json::Map::new();
    for set in Set::all(quick) {
        let figures = measured(&set);
        println!("{}\n{}", set.name, figures.table());
        report.insert(set.name.clone(), figures.json());
    }
    println!("{}", Figures::AIMS);
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = Path::new(&target).join("identity.json");
    std::fs::write(path, serde_json::to_vec_pretty(&report).unwrap()).unwrap();
}
