//! The public corpus: 373 messages of other people's software, none of which may stay unanswered.

use std::path::{Path, PathBuf};

use crate::rig::message::field;
use crate::rig::{ROOT, Rig, loudly};

fn messages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            messages(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "csv" && extension != "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_message_of_the_corpus_ends_applied_quarantined_or_refused() {
    let folder = Path::new(ROOT).join("../shared/corpus/hl7v2");
    let mut paths = Vec::new();
    messages(&folder, &mut paths);
    if paths.is_empty() {
        // Not even in CI a failure: it is other people's, and not ours to give away.
        return loudly("SKIPPED: the corpus is not beside the repository");
    }
    paths.sort();
    let rig = Rig::start();
    let mut codes = std::collections::BTreeMap::new();
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        // Every message gets an answer of its own even where two files bear one control id.
        let mut link = rig.mllp();
        let reply = link.exchange(&bytes);
        let reply = reply.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let code = field(&reply, "MSA-1");
        let known = ["AA", "AE", "AR", "CA", "CE", "CR"].contains(&code.as_str());
        assert!(known, "{}: {}", path.display(), String::from_utf8_lossy(&reply));
        if !code.ends_with('A') {
            let told = field(&reply, "ERR-3.1") + &field(&reply, "ERR-1");
            assert!(!told.is_empty(), "{}: refused without a reason", path.display());
        }
        *codes.entry(code).or_insert(0) += 1;
    }
    loudly(&format!("{} messages of the corpus: {codes:?}", paths.len()));
    let all = rig.counted("kangqiao_messages_total", &[]);
    assert!(all > 0 && all <= paths.len() as u64, "{all} counted of {}", paths.len());
}
