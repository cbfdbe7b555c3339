//! Invented persons and numbers, new for every run, so that a case never meets its own past.
//!
//! `{citizen}`, `{citizen:NAME}` a citizen id with a right check character,
//! `{citizen-15}` its 15-digit form, `{citizen-bad}` the same with a wrong one,
//! `{local}` a hospital number, `{record}` a record number, `{id}` a control id
//! (`{id:2}` that of step 2), `{now}` the time as HL7 writes it.

use std::collections::BTreeMap;

/// Weights of the first seventeen digits, GB 11643-1999 section 4.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The values of one case in one run.
pub struct Values {
    seed: u64,
    now: String,
    step: usize,
    made: BTreeMap<String, String>,
}

impl Values {
    /// Values that differ for every seed.
    #[must_use]
    pub fn new(seed: u64, now: &str) -> Self {
        Self { seed, now: now.to_owned(), step: 0, made: BTreeMap::new() }
    }

    /// From now on `{id}` is that of this step, counted from 1.
    pub fn step(&mut self, number: usize) {
        self.step = number;
    }

    /// The text with every `{name}` we know replaced; other braces stay as they are.
    pub fn fill(&mut self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let value = after.split_once('}').and_then(|(name, _)| self.value(name));
            match (value, after.split_once('}')) {
                (Some(value), Some((_, after))) => {
                    filled.push_str(&value);
                    rest = after;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let (kind, which) = name.split_once(':').unwrap_or((name, ""));
        match kind {
            "now" => Some(self.now.clone()),
            "id" if which.is_empty() => {
                let key = format!("id:{}", self.step);
                Some(self.kept(&key, |number| format!("K{number:016X}")))
            }
            "id" => Some(self.kept(name, |number| format!("K{number:016X}"))),
            "local" => Some(self.kept(name, |number| format!("L{number:016X}"))),
            "record" => {
                Some(self.kept(name, |number| format!("110105{:011}", number % 100_000_000_000)))
            }
            "citizen" => Some(self.citizen(which)),
            "citizen-15" => {
                let long = self.citizen(which);
                Some(format!("{}{}", long.get(..6)?, long.get(8..17)?))
            }
            "citizen-bad" => {
                let good = self.citizen(which);
                let (body, check) = good.split_at_checked(17)?;
                Some(format!("{body}{}", if check == "1" { "2" } else { "1" }))
            }
            _ => None,
        }
    }

    fn citizen(&mut self, which: &str) -> String {
        self.kept(&format!("citizen:{which}"), citizen_id)
    }

    fn kept(&mut self, key: &str, make: impl Fn(u64) -> String) -> String {
        let number = mix(self.seed, key);
        self.made.entry(key.to_owned()).or_insert_with(|| make(number)).clone()
    }
}

/// A citizen id, GB 11643-1999, of a man who is nobody in particular, born 1930 to 1959: with
/// another sex beside it a case would be about a borrowed number.
#[must_use]
pub fn citizen_id(number: u64) -> String {
    let (year, number) = (1930 + number % 30, number / 30);
    let (month, number) = (1 + number % 12, number / 12);
    let (day, number) = (1 + number % 28, number / 28);
    let body = format!("110105{year}{month:02}{day:02}{:03}", number % 500 * 2 + 1);
    let sum: u32 = body.chars().zip(WEIGHTS).map(|(c, w)| c.to_digit(10).unwrap_or(0) * w).sum();
    let check = "10X98765432".chars().nth(usize::try_from(sum % 11).unwrap_or(0));
    format!("{body}{}", check.unwrap_or('0'))
}

/// FNV-1a over seed and name, then a finaliser so that near seeds lie far apart.
fn mix(seed: u64, name: &str) -> u64 {
    let bytes = seed.to_be_bytes().into_iter().chain(name.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_value_and_unknown_braces_stay() {
        let mut values = Values::new(7, "20260101");
        values.step(1);
        let first = values.fill("{id} {citizen} {citizen:b} {\"a\":1} {who}");
        assert_eq!(first, values.fill("{id:1} {citizen} {citizen:b} {\"a\":1} {who}"));
        values.step(2);
        assert_ne!(values.fill("{id}"), values.fill("{id:1}"));
        assert_ne!(values.fill("{citizen}"), values.fill("{citizen:b}"));
        assert_ne!(values.fill("{citizen}"), Values::new(8, "").fill("{citizen}"));
    }

    #[test]
    fn the_forms_of_one_citizen_id_belong_together() {
        let mut values = Values::new(7, "");
        let long = values.fill("{citizen}");
        assert_eq!(long.len(), 18);
        let short = values.fill("{citizen-15}");
        assert_eq!(short, format!("{}{}", &long[..6], &long[8..17]));
        assert_ne!(values.fill("{citizen-bad}"), long);
    }
}
