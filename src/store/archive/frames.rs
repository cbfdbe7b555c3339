//! 日志帧, what a write-ahead log holds that is committed, read from its bytes.
//!
//! Standard: SQLite, File Format, section 4 ("The Write-Ahead Log").

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::store::sql::sqlite::PAGE_BYTES;

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;
/// The first word of a log; its last bit says in which order the words of sums are.
const MAGIC: u32 = 0x377f_0682;

/// How far a log was read: in which turn of it, how many frames, and the sum over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    salt: [u8; 8],
    frames: u64,
    sum: [u32; 2],
}

/// What was committed since a mark.
#[derive(Debug)]
pub struct Committed {
    /// Of each page where its newest bytes lie in the log.
    pub pages: BTreeMap<u32, u64>,
    /// Pages of the database after it.
    pub size: u32,
    /// Up to where it goes.
    pub mark: Mark,
}

/// What a log holds beyond a mark, or from its first frame where it has begun anew since; `None`
/// if nothing was committed.
///
/// # Errors
/// If it cannot be read.
pub fn committed(log: &File, mark: Option<Mark>) -> io::Result<Option<Committed>> {
    let Some((first, big)) = begun(log)? else { return Ok(None) };
    let mut now = mark.filter(|mark| mark.salt == first.salt).unwrap_or(first);
    let (mut open, mut found) = (BTreeMap::new(), None::<Committed>);
    let mut frame = vec![0; (FRAME_HEADER_BYTES + PAGE_BYTES) as usize];
    loop {
        let at = HEADER_BYTES + now.frames * (FRAME_HEADER_BYTES + PAGE_BYTES);
        if !filled(log, &mut frame, at)? {
            break;
        }
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES as usize);
        let sum = summed(summed(now.sum, head.get(..8), big), Some(page), big);
        let signed = [word(head, 16, true), word(head, 20, true)];
        // What an earlier turn of the log left, or what is being written.
        if head.get(8..16) != Some(&now.salt[..]) || signed != [Some(sum[0]), Some(sum[1])] {
            break;
        }
        now = Mark { frames: now.frames + 1, sum, ..now };
        open.insert(word(head, 0, true).unwrap_or(0), at + FRAME_HEADER_BYTES);
        let size = word(head, 4, true).unwrap_or(0);
        if size > 0 {
            let mut pages = found.take().map(|before| before.pages).unwrap_or_default();
            pages.append(&mut open);
            found = Some(Committed { pages, size, mark: now });
        }
    }
    Ok(found)
}

/// The mark before the first frame of a log, and the order of its words.
fn begun(log: &File) -> io::Result<Option<(Mark, bool)>> {
    let mut head = [0; HEADER_BYTES as usize];
    if !filled(log, &mut head, 0)? {
        return Ok(None);
    }
    let magic = word(&head, 0, true).unwrap_or(0);
    let big = magic & 1 == 1;
    let sum = summed([0, 0], head.get(..24), big);
    let signed = [word(&head, 24, true), word(&head, 28, true)];
    let pages = word(&head, 8, true).map(u64::from);
    if magic & !1 != MAGIC || pages != Some(PAGE_BYTES) || signed != [Some(sum[0]), Some(sum[1])] {
        return Ok(None);
    }
    let salt = head.get(16..24).and_then(|salt| salt.try_into().ok()).unwrap_or_default();
    Ok(Some((Mark { salt, frames: 0, sum }, big)))
}

/// Whether there are so many bytes from there on.
fn filled(log: &File, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    match log.read_exact_at(bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// The sum over words of eight bytes, going on from another.
fn summed([mut one, mut two]: [u32; 2], bytes: Option<&[u8]>, big: bool) -> [u32; 2] {
    for pair in bytes.unwrap_or_default().chunks_exact(8) {
        let [first, second] =
            [word(pair, 0, big), word(pair, 4, big)].map(Option::unwrap_or_default);
        one = one.wrapping_add(first).wrapping_add(two);
        two = two.wrapping_add(second).wrapping_add(one);
    }
    [one, two]
}

fn word(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}
