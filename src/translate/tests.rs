//! The engine from outside: files in, records, bins and refusals out.

use std::path::Path;

use super::*;

/// scratch
#[test]
fn scratch_data() {
    let files = crate::config::files::read_folder(Path::new("/work/wt/data/mappings")).unwrap();
    match Pack::load(&files) {
        Ok(pack) => {
            for fault in pack.check_examples(&files) {
                println!("{fault}");
            }
        }
        Err(faults) => faults.iter().for_each(|fault| println!("{fault}")),
    }
}
