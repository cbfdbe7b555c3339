//! 路径, a place in a document, for every item of the lists on the way.
//!
//! `/contacts/*/name`, `/id[@root='2.16.156.10011.1.3']/@extension`,
//! `/participant/*[type/coding/code='ATND']/individual`.

use std::fmt;

/// How many steps a path may have, so that walking one never recurses deeper.
const STEPS_MAX: usize = 32;

/// A text that is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path is written /name/name, with * for each item of a list, [name='X'] for one")]
pub(in crate::translate) struct PathError;

/// What tells an item from the others of its list: all of these constants.
pub(in crate::translate) type Test = Vec<(Vec<String>, String)>;

/// One step: a member's name, and which items where the member is a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::translate) struct Step {
    pub name: String,
    /// Each item (`*`), not only the first.
    pub each: bool,
    /// Only items for which these hold; written back as constants.
    pub test: Test,
}

/// The steps from the root of a document to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::translate) struct Pattern(pub Vec<Step>);

impl Pattern {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut rest = text.strip_prefix('/').ok_or(PathError)?;
        let mut steps: Vec<Step> = Vec::new();
        loop {
            let end = rest.find(['/', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end).ok_or(PathError)?;
            let (test, after) = match after.strip_prefix('[') {
                Some(inside) => tests(inside)?,
                None => (Vec::new(), after),
            };
            match (name, steps.last_mut()) {
                ("", _) => return Err(PathError),
                ("*", Some(step)) if !step.each && step.test.is_empty() => {
                    (step.each, step.test) = (true, test);
                }
                ("*", _) => return Err(PathError),
                (name, _) => steps.push(Step { name: unescape(name), each: false, test }),
            }
            match after.strip_prefix('/') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err(PathError),
            }
        }
        if steps.len() <= STEPS_MAX { Ok(Self(steps)) } else { Err(PathError) }
    }

    /// Names alone.
    pub fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let step = |name: &str| Step { name: name.to_owned(), ..Step::default() };
        Self(names.into_iter().map(step).collect())
    }

    /// How many `*` stand in it.
    pub fn lists(&self) -> usize {
        self.0.iter().filter(|step| step.each).count()
    }

    /// Its steps up to and with the last `*`.
    pub fn stem(&self) -> &[Step] {
        let end = self.0.iter().rposition(|step| step.each).map_or(0, |at| at + 1);
        self.0.get(..end).unwrap_or_default()
    }

    /// Whether it ends in `*`: its values repeat.
    pub fn repeats(&self) -> bool {
        self.0.last().is_some_and(|step| step.each)
    }
}

/// `@root='X';@a/b='Y']…`: the constants, and what stands behind the bracket.
fn tests(mut rest: &str) -> Result<(Test, &str), PathError> {
    let mut test = Vec::new();
    loop {
        let (path, after) = rest.split_once("='").ok_or(PathError)?;
        let (value, after) = after.split_once('\'').ok_or(PathError)?;
        let names: Vec<_> = path.split('/').map(unescape).collect();
        let odd = |name: &String| name.is_empty() || name.contains(['*', '[', ']', ';']);
        if names.iter().any(odd) {
            return Err(PathError);
        }
        test.push((names, value.to_owned()));
        if let Some(after) = after.strip_prefix(']') {
            return Ok((test, after));
        }
        rest = after.strip_prefix(';').ok_or(PathError)?;
    }
}

/// A path as its file writes it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            write!(f, "/{}", escape_name(&step.name))?;
            if step.each {
                f.write_str("/*")?;
            }
            for (index, (names, value)) in step.test.iter().enumerate() {
                let names: Vec<_> = names.iter().map(|name| escape_name(name)).collect();
                let open = if index == 0 { '[' } else { ';' };
                write!(f, "{open}{}='{value}'", names.join("/"))?;
            }
            if !step.test.is_empty() {
                f.write_str("]")?;
            }
        }
        Ok(())
    }
}

/// One member name as RFC 6901 writes it.
pub(in crate::translate) fn escape_name(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_it_was_read() {
        for text in [
            "/a",
            "/contacts/*/a~1b",
            "/id[@root='2.16.156.10011.1.3']/@extension",
            "/a/*[type/coding/code='ATND';use='a/b]']/individual",
            "/a/*",
        ] {
            assert_eq!(Pattern::parse(text).map(|path| path.to_string()).as_deref(), Ok(text));
        }
        let path = Pattern::parse("/contacts/*/a~1b").unwrap();
        assert_eq!((path.lists(), path.stem().len(), path.repeats()), (1, 1, false));
        assert_eq!(path.0.last().map(|step| step.name.as_str()), Some("a/b"));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "/",
            "a/b",
            "/*",
            "//a",
            "/a/",
            "/a[b]",
            "/a[b='x'",
            "/a[b='x]",
            "/a[='x']",
            "/a[b='x';]",
            "/a[b/*='x']",
            "/a[b='x']c",
            "/a[b='x']/*",
            "/a/*/*",
            &"/a".repeat(33),
        ] {
            assert_eq!(Pattern::parse(text), Err(PathError), "{text}");
        }
    }
}
