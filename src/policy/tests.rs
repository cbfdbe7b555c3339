//! Tests of the policies as a whole: those shipped, over the catalogue shipped.

use std::path::Path;

use super::*;

/// A folder of the tree, as the product reads it.
pub(crate) fn folder(name: &str) -> Files {
    fn walk(root: &Path, at: &Path, files: &mut Files) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(root, &path, files),
                false => {
                    let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(key, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut files = Files::default();
    walk(&root, &root, &mut files);
    files
}

/// The catalogue and code tables of the tree.
pub(crate) fn pack() -> (Catalogue, CodeTables) {
    let files = folder("mappings");
    let tables = CodeTables::load(&files).unwrap();
    (Catalogue::load(&files, &tables).unwrap(), tables)
}

/// The policies of the tree.
pub(crate) fn shipped() -> PolicySet {
    let (catalogue, tables) = pack();
    match PolicySet::load(&folder("policies"), &catalogue, &tables) {
        Ok(set) => set,
        Err(faults) => {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    }
}

#[test]
fn the_shipped_policies_hold_their_own_examples() {
    assert!(shipped().rules.len() > 15);
}
