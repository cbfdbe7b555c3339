//! Writes a set of invented elders as CSV: `cargo run --release --example population -- SEED
//! PERSONS FOLDER [RATE_SCALE]`. The same sets as those the benchmark of matching makes.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../benches/identity/population.rs"]
mod population;

use std::path::Path;

use population::{Rates, generate, write_csv};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [seed, persons, folder, scale @ ..] = words.as_slice() else {
        eprintln!("SEED PERSONS FOLDER [RATE_SCALE]");
        std::process::exit(2);
    };
    let scale = scale.first().map_or(1.0, |text| text.parse().unwrap());
    let rates = Rates::default().scaled(scale);
    let population = generate(seed.parse().unwrap(), persons.parse().unwrap(), &rates);
    write_csv(&population, Path::new(folder)).unwrap();
    println!("{} records", population.records.len());
}
