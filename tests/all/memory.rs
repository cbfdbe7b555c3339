//! 内存, what is left in the memory of the process once a message is carried and a question is
//! answered: nothing of what they said.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use serde_json::json;

use crate::rig::message::{Message, Resident, field, unique};
use crate::rig::{AGENT, Rig, until};

/// Memory read at once.
const PART: usize = 1 << 14;

/// How often a word stands in the writable memory of a process.
fn found(process: &str, word: &[u8]) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let (mut count, zero) = (0, vec![0; PART + word.len()]);
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, rest) = line.split_once('-').unwrap();
        let (to, _) = rest.split_once(' ').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut part = vec![0; usize::try_from(to - from).unwrap().min(PART) + word.len()];
        let mut at = from;
        while at < to {
            let rest = usize::try_from(to - at).unwrap().min(part.len());
            // What is mapped and not there cannot be read, and holds nothing.
            let read =
                memory.seek(SeekFrom::Start(at)).and_then(|_| memory.read(&mut part[..rest]));
            let read = read.unwrap_or(0);
            // Most of what is reserved was never written.
            if part[..read] != zero[..read] {
                count += part[..read].windows(word.len()).filter(|some| some == &word).count();
            }
            at += u64::try_from(PART).unwrap();
        }
    }
    count
}

#[test]
fn nothing_of_a_message_or_an_answer_stays_in_memory() {
    let rig = Rig::prepare("[cache]\nseconds = 0\nbytes_max = 0\n");
    rig.resume();
    let word = format!("过敏{}", unique());
    let resident = Resident::new();
    let mut message = Message::new("A01", &resident);
    message.segments.push(format!("AL1|1|DA|^{word}^|SV|{word}"));
    let reply = rig.mllp().exchange(&message.bytes()).unwrap();
    assert_eq!(field(&reply, "MSA-1"), "AA");
    let question = json!({ "purpose": "emergency-card",
        "evidence": { "call": format!("CALL-{}", unique()) },
        "identifier": { "kind": "citizen-id", "value": resident.citizen } });
    let answer = rig.ask(AGENT, &question);
    assert!(String::from_utf8_lossy(&answer.body).contains(&word));
    assert!(found("self", word.as_bytes()) > 0, "the search finds nothing at all");
    until("no memory holds it", || (found(&rig.pid(), word.as_bytes()) == 0).then_some(()));
}
