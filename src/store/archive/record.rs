//! 归档记录, pages that were committed together, as they lie in an archive: their moment, the size
//! of the database, the pages, and a SHA-256 over all of it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::frames::Committed;
use crate::store::sql::sqlite::PAGE_BYTES;

const MAGIC: &[u8; 8] = b"kangqiao";
const HEAD_BYTES: u64 = 24;
const SUM_BYTES: u64 = 32;
const ENTRY_BYTES: u64 = 4 + PAGE_BYTES;

/// What a record says before its pages.
#[derive(Debug, Clone, Copy)]
struct Head {
    at_ms: i64,
    /// Pages of the database; 0 leaves it as it is.
    size: u32,
    count: u32,
}

impl Head {
    fn bytes(self) -> Vec<u8> {
        let (at, size, count) = (self.at_ms, self.size, self.count);
        [&MAGIC[..], &at.to_be_bytes(), &size.to_be_bytes(), &count.to_be_bytes()].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let head = Self {
            at_ms: i64::from_be_bytes(*at),
            size: u32::from_be_bytes(*size),
            count: u32::from_be_bytes(*rest.first_chunk()?),
        };
        (magic == MAGIC).then_some(head)
    }

    fn length(self) -> u64 {
        HEAD_BYTES + u64::from(self.count) * ENTRY_BYTES + SUM_BYTES
    }
}

/// Adds what was committed, its pages read from the log.
pub fn write(to: &mut File, at_ms: i64, (log, all): (&File, &Committed)) -> io::Result<()> {
    let count = u32::try_from(all.pages.len()).map_err(io::Error::other)?;
    let pages = all.pages.iter().map(|(page, at)| {
        let mut entry = vec![0; ENTRY_BYTES as usize];
        let (number, bytes) = entry.split_at_mut(4);
        number.copy_from_slice(&page.to_be_bytes());
        log.read_exact_at(bytes, *at).map(|()| entry)
    });
    add(to, Head { at_ms, size: all.size, count }, pages)
}

/// Adds that nothing was committed until then.
pub fn write_empty(to: &mut File, at_ms: i64) -> io::Result<()> {
    add(to, Head { at_ms, size: 0, count: 0 }, std::iter::empty())
}

fn add(
    to: &mut File,
    head: Head,
    pages: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let begun = to.metadata()?.len();
    let written = (|| {
        let mut hash = Sha256::new();
        let mut out = io::BufWriter::new(&mut *to);
        for piece in std::iter::once(Ok(head.bytes())).chain(pages) {
            let piece = piece?;
            hash.update(&piece);
            out.write_all(&piece)?;
        }
        out.write_all(&hash.finalize())?;
        out.flush()
    })();
    if written.is_err() {
        // What is half written would hide all that comes after it.
        to.set_len(begun)?;
        io::Seek::seek(to, io::SeekFrom::Start(begun))?;
    }
    written
}

/// The moments of the first and the last whole record.
pub fn span(log: &File) -> io::Result<Option<(i64, i64)>> {
    let (mut at, mut found) = (0, None::<(i64, i64)>);
    let length = log.metadata()?.len();
    while let Some(head) = head(log, at)? {
        at += head.length();
        if at > length {
            break;
        }
        found = Some((found.map_or(head.at_ms, |span| span.0), head.at_ms));
    }
    Ok(found)
}

/// Writes into a database what was committed up to a moment; the moment of the last record of it.
pub fn apply(log: &File, until_ms: i64, database: &File) -> io::Result<Option<i64>> {
    let (mut at, mut reached) = (0, None);
    while let Some(head) = head(log, at)?.filter(|head| head.at_ms <= until_ms) {
        // The last may be half written: a process was killed, or the power cut.
        if !is_whole(log, at, head)? {
            break;
        }
        let mut page = vec![0; PAGE_BYTES as usize];
        for entry in 0..u64::from(head.count) {
            let from = at + HEAD_BYTES + entry * ENTRY_BYTES;
            let mut number = [0; 4];
            log.read_exact_at(&mut number, from)?;
            log.read_exact_at(&mut page, from + 4)?;
            let before = u64::from(u32::from_be_bytes(number)).saturating_sub(1);
            database.write_all_at(&page, before * PAGE_BYTES)?;
        }
        if head.size > 0 {
            database.set_len(u64::from(head.size) * PAGE_BYTES)?;
        }
        reached = Some(head.at_ms);
        at += head.length();
    }
    Ok(reached)
}

fn head(log: &File, at: u64) -> io::Result<Option<Head>> {
    let mut bytes = [0; HEAD_BYTES as usize];
    match log.read_exact_at(&mut bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Head::parse(&bytes)),
    }
}

fn is_whole(log: &File, at: u64, head: Head) -> io::Result<bool> {
    let (end, mut from) = (at + head.length() - SUM_BYTES, at);
    if log.metadata()?.len() < end + SUM_BYTES {
        return Ok(false);
    }
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    while from < end {
        let length = usize::try_from(end - from).unwrap_or(usize::MAX).min(piece.len());
        let Some(piece) = piece.get_mut(..length) else { break };
        log.read_exact_at(piece, from)?;
        hash.update(piece);
        from += length as u64;
    }
    let mut sum = [0; SUM_BYTES as usize];
    log.read_exact_at(&mut sum, end)?;
    Ok(hash.finalize()[..] == sum)
}
