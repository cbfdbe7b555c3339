//! JSON lines: the entry's own bytes under its number, for another program.

use std::io::{self, Write};

use super::Export;
use crate::audit::search::Found;

/// `{"number":1,"entry":{…}}`, one a line; the entry is byte for byte the leaf that was hashed.
pub struct JsonLines;

impl Export for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn write(
        &self,
        entries: &mut dyn Iterator<Item = Found>,
        out: &mut dyn Write,
    ) -> io::Result<u64> {
        let mut written = 0;
        for found in entries {
            write!(out, "{{\"number\":{},\"entry\":", found.number)?;
            out.write_all(&found.entry.to_bytes())?;
            out.write_all(b"}\n")?;
            written += 1;
        }
        out.flush()?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Entry, Kind};

    #[test]
    fn a_line_holds_the_very_bytes_of_the_entry() {
        let entry = Entry::new(Kind::Start, 5, [2; 16]);
        let found = |number| Found { number, entry: entry.clone() };
        let mut out = Vec::new();
        let written = JsonLines.write(&mut [found(1), found(2)].into_iter(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let bytes = String::from_utf8(entry.to_bytes()).unwrap();
        let expected = format!("{{\"number\":1,\"entry\":{bytes}}}\n");
        assert_eq!((written, text.lines().count()), (2, 2));
        assert!(text.starts_with(&expected));
    }
}
