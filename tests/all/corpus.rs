//! The public corpus: 373 messages of other people's software, none of which may stay unanswered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kangqiao::vocabulary::{Date, Source};
use kangqiao::wire::Charset;
use kangqiao::wire::hl7v2::{self, batch};

use crate::rig::message::field;
use crate::rig::{ROOT, Rig, TLS_SENDER, loudly};

/// One in seven was written on a system for training or debugging.
pub const OVERLAY: &str = "title = \"the public corpus\"\nprocessing = [\"D\", \"T\"]\n";

pub fn messages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            messages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "hl7") {
            found.push(path);
        }
    }
}

#[test]
fn every_message_of_the_corpus_ends_applied_quarantined_or_refused() {
    let mut paths = Vec::new();
    for beside in ["../shared", "../../shared"] {
        messages(&Path::new(ROOT).join(beside).join("corpus/hl7v2"), &mut paths);
    }
    if paths.is_empty() {
        // Not even in CI a failure: it is other people's, and not ours to give away.
        return loudly("SKIPPED: the corpus is not beside the repository");
    }
    paths.sort();
    let rig = Rig::prepare("");
    let overlay = rig.path().join("mappings/senders").join(format!("{TLS_SENDER}.toml"));
    let habits = std::fs::read_to_string(&overlay).unwrap();
    std::fs::write(overlay, format!("processing = [\"D\", \"T\"]\n{habits}")).unwrap();
    rig.resume();
    let mut codes = BTreeMap::new();
    let mut sent = 0;
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        sent += members(&bytes).iter().filter(|one| !is_question(one)).count();
        let reply =
            rig.https(TLS_SENDER).post("/v1/messages", "application/hl7-v2", &bytes).unwrap();
        // MSH-15 and MSH-16 of some want no acknowledgement at all.
        if reply.status == 204 {
            *codes.entry("none wanted".to_owned()).or_insert(0) += 1;
            continue;
        }
        assert_eq!(reply.status, 200, "{}", path.display());
        let reply = reply.body;
        if batch::is_batch(&bytes) {
            assert!(batch::is_batch(&reply), "{}: a batch is answered by one", path.display());
            continue;
        }
        let code = field(&reply, "MSA-1");
        let known = ["AA", "AE", "AR", "CA", "CE", "CR"].contains(&code.as_str());
        assert!(known, "{}: {}", path.display(), String::from_utf8_lossy(&reply));
        if !code.ends_with('A') {
            let told = field(&reply, "ERR-3.1") + &field(&reply, "ERR-1");
            assert!(!told.is_empty(), "{}: refused without a reason", path.display());
        }
        *codes.entry(code).or_insert(0) += 1;
    }
    let count = |state: &str| rig.counted("kangqiao_messages_total", &[("state", state)]);
    let ended = ["kept", "quarantined", "refused", "repeated"].map(count);
    loudly(&format!(
        "{} messages of the corpus: {codes:?}; kept, quarantined, refused, repeated: {ended:?}",
        paths.len()
    ));
    assert_eq!(ended.iter().sum::<u64>(), sent as u64, "{ended:?}");
}

/// The messages of a file: of a batch, each.
fn members(file: &[u8]) -> Vec<Vec<u8>> {
    if !batch::is_batch(file) {
        return vec![file.to_vec()];
    }
    let mut cut = batch::Batch::new(1_048_576, Date::parse("2026").unwrap());
    cut.feed(file);
    cut.end();
    let parts = std::iter::from_fn(|| cut.next_part().ok().flatten());
    let messages = |part| match part {
        batch::Part::Messages(messages) => messages,
        batch::Part::Reply(_) => Vec::new(),
    };
    parts.flat_map(messages).collect()
}

/// PDQ and PIX are answered, not kept.
fn is_question(message: &[u8]) -> bool {
    let read = hl7v2::Message::read(message, Charset::Utf8, &hl7v2::Limits::default());
    read.is_ok_and(|message| {
        let header = message.header();
        header.message_type == "QBP" && matches!(header.trigger.as_str(), "Q22" | "Q23")
    })
}

/// Segments whose names begin with Z are their senders' own: no standard says what they mean.
fn is_own(at: &str) -> bool {
    at.starts_with('Z')
}

#[test]
fn every_message_is_read_whole_or_refused_by_position_and_no_leaf_is_unmapped() {
    let mut paths = Vec::new();
    for beside in ["../shared", "../../shared"] {
        messages(&Path::new(ROOT).join(beside).join("corpus/hl7v2"), &mut paths);
    }
    if paths.is_empty() {
        return loudly("SKIPPED: the corpus is not beside the repository");
    }
    let (pack, sender) = (crate::laws::pack(), Source::parse("corpus").unwrap());
    let (mut read, mut refused) = (0, BTreeMap::<String, usize>::new());
    let mut left = BTreeMap::<String, usize>::new();
    let files: Vec<_> = paths.iter().map(|path| members(&std::fs::read(path).unwrap())).collect();
    let files = files.concat();
    for bytes in &files {
        let outcome = hl7v2::Message::read(bytes, Charset::Utf8, &hl7v2::Limits::default());
        let outcome = match outcome {
            Ok(message) => pack.read_hl7(sender, &message).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(found) => {
                read += 1;
                for at in &found.bins.first_unmapped {
                    let at = at.to_string();
                    let place = at.split('.').next().unwrap_or_default().to_owned();
                    if !is_own(&at) {
                        *left.entry(place).or_insert(0) += 1;
                    }
                }
            }
            Err(why) => *refused.entry(why).or_insert(0) += 1,
        }
    }
    loudly(&format!("{read} of {} read whole; refused: {refused:#?}", files.len()));
    loudly(&format!("unmapped leaves of standard segments: {left:#?}"));
    assert_eq!(read + refused.values().sum::<usize>(), files.len());
    assert!(left.is_empty(), "leaves of standard segments that no table names");
}
