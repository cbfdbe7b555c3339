//! Where a value stands in a resource: `/name/*`,
//! `/participant/*[type/coding/code='ATND']/individual`.
//!
//! Steps are separated by `/`. On a list a plain name is its first item, `name[a/b='x']` the
//! item in which the constants hold, `*` after a name each item, `*[…]` each item in which
//! they hold. Several constants are joined by `;`. Writing makes the item and sets them.

use super::structure::{Member, Structure};
use crate::wire::Tree;

/// How many steps a path may have, so that walking one never recurses deeper.
const STEPS_MAX: usize = 16;

/// A place in one kind of resource, checked against its structure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Path(pub Vec<Step>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub name: String,
    /// Whether JSON has a list here.
    pub many: bool,
    pub choice: Option<String>,
    /// Whether every item is meant.
    pub each: bool,
    /// What must hold in an item.
    pub only: Vec<Constant>,
}

/// A place and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constant {
    pub path: Path,
    pub is: Tree,
}

/// Why a text is no path of a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathFault {
    pub message: String,
    pub hint: Option<String>,
}

fn fault<T>(message: String, hint: Option<String>) -> Result<T, PathFault> {
    Err(PathFault { message, hint })
}

impl Path {
    /// Whether items are chosen by what they hold.
    pub fn is_narrowed(&self) -> bool {
        self.0.iter().any(|step| !step.only.is_empty())
    }

    /// The steps to the innermost item of a list on the way; none if there is no list.
    pub fn to_item(&self) -> &[Step] {
        let last = self.0.iter().rposition(|step| step.many).map_or(0, |last| last + 1);
        self.0.get(..last).unwrap_or_default()
    }

    /// Reads a path that begins in a type, and the member at its end.
    pub fn parse(
        structure: &Structure,
        owner: &str,
        text: &str,
    ) -> Result<(Self, Member), PathFault> {
        let Some(rest) = text.strip_prefix('/') else {
            return fault("a path begins with /".to_owned(), None);
        };
        Self::relative(structure, owner, rest)
    }

    fn relative(
        structure: &Structure,
        owner: &str,
        text: &str,
    ) -> Result<(Self, Member), PathFault> {
        let mut steps: Vec<Step> = Vec::new();
        let mut end = Member { of: owner.to_owned(), ..Member::default() };
        let parts = split(text, '/');
        if parts.len() > STEPS_MAX {
            return fault(format!("a path has at most {STEPS_MAX} steps"), None);
        }
        for part in parts {
            let (name, only) = match part.split_once('[') {
                Some((name, rest)) => (name, rest.strip_suffix(']')),
                None => (part, Some("")),
            };
            let Some(only) = only else {
                return fault(format!("`{part}` lacks its ]"), None);
            };
            if name == "*" {
                let Some(last) = steps.last_mut().filter(|last| last.many && !last.each) else {
                    return fault("`*` stands after a member that is a list".to_owned(), None);
                };
                last.each = true;
                last.only.extend(constants(structure, &end.of, only)?);
                continue;
            }
            end = member(structure, &end.of, name)?;
            let only = constants(structure, &end.of, only)?;
            let Member { many, choice, .. } = end.clone();
            steps.push(Step { name: name.to_owned(), many, choice, each: false, only });
        }
        Ok((Self(steps), end))
    }

    /// A place and the constant text there, of the type the place has.
    pub fn constant(
        structure: &Structure,
        owner: &str,
        (path, is): (&str, &str),
    ) -> Result<Constant, PathFault> {
        let (path, end) = Self::relative(structure, owner, path.trim_start_matches('/'))?;
        let is = match (end.of.as_str(), is) {
            ("boolean", "true" | "false") => Tree::Bool(is == "true"),
            ("boolean", _) => return fault("a boolean is true or false".to_owned(), None),
            ("decimal" | "integer" | "positiveInt" | "unsignedInt", _) => {
                Tree::Number(is.to_owned())
            }
            (of, _) if of.starts_with(|sign: char| sign.is_ascii_uppercase()) => {
                return fault(format!("a constant cannot be a {of}"), None);
            }
            _ => Tree::from(is),
        };
        Ok(Constant { path, is })
    }

    /// How many of its steps are `*`.
    pub fn stars(&self) -> usize {
        self.0.iter().filter(|step| step.each).count()
    }
}

fn member(structure: &Structure, owner: &str, name: &str) -> Result<Member, PathFault> {
    let Some(found) = structure.member(owner, name) else {
        let hint = structure.near(owner, name).map(|near| format!("did you mean {near}?"));
        return fault(format!("{owner} has no member `{name}`"), hint);
    };
    Ok(found)
}

fn constants(structure: &Structure, owner: &str, text: &str) -> Result<Vec<Constant>, PathFault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let one = |part: &str| {
        let quoted = part.split_once('=').and_then(|(path, is)| {
            let is = is.strip_prefix('\'')?.strip_suffix('\'')?;
            Some((path, is))
        });
        let Some(constant) = quoted else {
            let hint = "type/coding/code='ATND'".to_owned();
            return fault(format!("`{part}` is no condition"), Some(hint));
        };
        Path::constant(structure, owner, constant)
    };
    split(text, ';').into_iter().map(one).collect()
}

/// Parts of a text at a sign outside brackets and quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut quoted, mut depth, mut start) = (false, 0_usize, 0);
    let mut parts = Vec::new();
    for (index, sign) in text.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            _ if sign == at && !quoted && depth == 0 => {
                parts.extend(text.get(start..index));
                start = index + sign.len_utf8();
            }
            _ => (),
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Files;

    fn structure() -> Structure {
        let mut files = Files::default();
        files.insert(super::super::structure::FILE, include_str!("../../../mappings/fhir/r4.csv"));
        Structure::load(&files).unwrap()
    }

    fn check(owner: &str, text: &str, end: Result<&str, &str>) {
        let found = Path::parse(&structure(), owner, text);
        let found = found.as_ref().map(|(_, end)| end.of.as_str());
        assert_eq!(found.map_err(|fault| fault.message.as_str()), end, "{text}");
    }

    #[test]
    fn a_path_names_members_that_exist() {
        check("Patient", "/name/*", Ok("HumanName"));
        check("Patient", "/contact/*/name", Ok("HumanName"));
        check("Patient", "/_birthDate/extension[url='http://x/y']/valueDateTime", Ok("dateTime"));
        let path = "/participant/*[type/coding/code='ATND';period/start='2026']/individual";
        check("Encounter", path, Ok("Reference"));
        check("Observation", "/valueQuantity/value", Ok("decimal"));
        check("Patient", "/nmae/*", Err("Patient has no member `nmae`"));
        check("Patient", "/gender/*", Err("`*` stands after a member that is a list"));
        check("Patient", "name", Err("a path begins with /"));
        check("Patient", "/name[use]", Err("`use` is no condition"));
        check("Patient", "/name[use='usual'", Err("`name[use='usual'` lacks its ]"));
    }
}
