//! Reading an acknowledgement: just enough HL7 v2 to look at one field.

/// A reply as text; what is not UTF-8 is read as GB 18030.
#[must_use]
pub fn text(reply: &[u8]) -> String {
    String::from_utf8(reply.to_vec())
        .unwrap_or_else(|_| encoding_rs::GB18030.decode_without_bom_handling(reply).0.into_owned())
}

/// The field, component or sub-component at `SEG-field[.component[.sub]]`, of the
/// first segment with that id (`ERR(2)-3` for the second); `None` if it is empty or absent.
///
/// The separators are those of the reply's own MSH-1 and MSH-2 (HL7 v2.5 section 2.5.4).
#[must_use]
pub fn field(reply: &str, position: &str) -> Option<String> {
    let (segment, path) = position.split_once('-').unwrap_or((position, "0"));
    let (id, occurrence) = match segment.split_once('(') {
        Some((id, rest)) => (id, rest.trim_end_matches(')').parse().unwrap_or(1)),
        None => (segment, 1),
    };
    let separator = reply.chars().nth(3)?;
    let encoding = reply.chars().nth(4)?;
    let sub = reply.chars().nth(7)?;
    let line = reply
        .split('\r')
        .filter(|line| line.split(separator).next() == Some(id))
        .nth(usize::saturating_sub(occurrence, 1))?;
    let mut path = path.split('.').map(|part| part.parse::<usize>().unwrap_or(0));
    // MSH-1 is the separator itself, so every later field of MSH stands one place earlier.
    let shift = usize::from(id == "MSH");
    let number = path.next()?;
    let mut found = match number.checked_sub(shift) {
        Some(0) if id == "MSH" => return Some(separator.to_string()),
        Some(place) => line.split(separator).nth(place)?,
        None => line,
    };
    for (place, between) in path.zip([encoding, sub]) {
        found = found.split(between).nth(place.saturating_sub(1))?;
    }
    (!found.is_empty()).then(|| found.to_owned())
}

/// How many segments with that id there are.
#[must_use]
pub fn count(reply: &str, id: &str) -> usize {
    reply.split('\r').filter(|line| line.starts_with(id)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_the_position_the_standard_gives_it() {
        let reply = "MSH|^~\\&|A|B|||||ACK^A01^ACK|9\rMSA|AE|7\rERR||PID^1^3|102^x&y^z|E\r";
        for (position, expect) in [
            ("MSH-1", Some("|")),
            ("MSH-2", Some("^~\\&")),
            ("MSH-3", Some("A")),
            ("MSH-9.2", Some("A01")),
            ("MSH-10", Some("9")),
            ("MSH-11", None),
            ("MSA-2", Some("7")),
            ("ERR-1", None),
            ("ERR-2.3", Some("3")),
            ("ERR-3.1.2", None),
            ("ERR-3.2.2", Some("y")),
            ("ERR(2)-3", None),
        ] {
            assert_eq!(field(reply, position).as_deref(), expect, "{position}");
        }
        assert_eq!(count(reply, "ERR"), 1);
    }
}
