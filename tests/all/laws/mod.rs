//! What holds for every message there can be: what was accepted comes out as the same bytes.

mod document;
mod fresh;
pub mod message;

use std::path::Path;
use std::time::Instant;

use kangqiao::config::files::read_folder;
use kangqiao::translate::Pack;
use kangqiao::vocabulary::{Files, Record, Source};
use kangqiao::wire::Charset;
use kangqiao::wire::hl7v2::{Limits, Message};

use crate::rig::{ROOT, loudly};
use message::{Grammar, Random};

/// As many as the issue asks for; they are read by as many threads as there are.
const MESSAGES: u64 = 100_000;
const THREADS: u64 = 2;

/// The tables of HL7 v2; those of other formats have laws of their own.
pub fn pack() -> Pack {
    let folder = Path::new(ROOT).join("mappings");
    let all = read_folder(&folder).unwrap();
    let mut files = Files::default();
    for part in ["codes", "elements", "hl7v2", "senders"] {
        for path in all.under(part, "toml").chain(all.under(part, "csv")) {
            files.insert(path, all.bytes(path).unwrap());
        }
    }
    files.insert("senders/corpus.toml", crate::corpus::OVERLAY);
    Pack::load(&files).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The records of a message; `None` if it is refused.
fn read(pack: &Pack, sender: Source, bytes: &[u8]) -> Option<Vec<Record>> {
    let charset = pack.overlay(sender).charset.unwrap_or(Charset::Utf8);
    let message = Message::read(bytes, charset, &Limits::default()).ok()?;
    let found = pack.read_hl7(sender, &message).ok()?;
    assert_eq!(usize::try_from(found.bins.leaves()).unwrap(), message.leaves().count());
    Some(vec![found.record])
}

/// The same record after the store has had it.
fn stored(record: &Record) -> Record {
    serde_json::from_slice(&serde_json::to_vec(record).unwrap()).unwrap()
}

fn check(pack: &Pack, sender: Source, bytes: &[u8], (which, number): (&str, u64)) -> bool {
    let Some(mut records) = read(pack, sender, bytes) else { return false };
    // The store's part is the same for all, and slow where nothing is optimised.
    if number.is_multiple_of(16) {
        records = records.iter().map(stored).collect();
    }
    let written: Vec<_> = records.iter().filter_map(|record| pack.write_back(record)).collect();
    let same = written.len() == records.len() && written.iter().all(|found| found == bytes);
    // Invented or public messages alone, so they may be shown.
    assert!(
        same,
        "{which} {number}\n{}\n{}",
        String::from_utf8_lossy(bytes),
        written.iter().map(|found| String::from_utf8_lossy(found)).collect::<String>()
    );
    true
}

#[test]
fn an_accepted_message_written_back_is_the_same_bytes() {
    let (pack, grammar) = (pack(), Grammar::read(&Path::new(ROOT).join("mappings/hl7v2")));
    let began = Instant::now();
    let accepted: u64 = std::thread::scope(|scope| {
        let part = |thread: u64| {
            let (pack, grammar) = (&pack, &grammar);
            scope.spawn(move || {
                let senders = ["example", "hospital-a", "hospital-b"];
                let senders = senders.map(|name| Source::parse(name).unwrap());
                let numbers = (thread..MESSAGES).step_by(usize::try_from(THREADS).unwrap());
                let accepted = numbers.filter(|number| {
                    let mut random = Random::new(*number);
                    let sender = *random.pick(&senders);
                    let bytes = grammar.message(&mut random);
                    check(pack, sender, &bytes, ("message", *number))
                });
                u64::try_from(accepted.count()).unwrap()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(part).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    loudly(&format!("{accepted} of {MESSAGES} generated messages in {:?}", began.elapsed()));
    // Else the law would be kept by refusing.
    assert!(accepted * 10 > MESSAGES * 9, "only {accepted} were accepted");
}

#[test]
fn every_accepted_message_of_the_corpus_comes_out_as_the_same_bytes() {
    let mut paths = Vec::new();
    for beside in ["../shared", "../../shared"] {
        crate::corpus::messages(&Path::new(ROOT).join(beside).join("corpus/hl7v2"), &mut paths);
    }
    if paths.is_empty() {
        return loudly("SKIPPED: the corpus is not beside the repository");
    }
    let (pack, sender) = (pack(), Source::parse("corpus").unwrap());
    let mut accepted = 0;
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        accepted += usize::from(check(&pack, sender, &bytes, (&path.display().to_string(), 0)));
    }
    loudly(&format!("{accepted} of {} messages of the corpus written back", paths.len()));
    assert!(accepted > 0, "not one was accepted");
}
