//! 树, a document as every syntax has it: members in the order of the wire.
//!
//! A JSON value is a tree as it stands. An XML element is a [`Tree::Map`]: its attributes as
//! `@name`, its text as `#text`, then for each name of a child a [`Tree::List`] of the elements
//! of that name; see [`super::xml`].

use std::fmt;

use serde_json::Value as Json;

/// A document, or a part of one.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Tree {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number as it is written: `7.10` stays `7.10`.
    Number(String),
    /// Text.
    Text(String),
    /// Items in order.
    List(Vec<Self>),
    /// Members in order; no name stands twice.
    Map(Vec<(String, Self)>),
}

impl Tree {
    /// The member of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The item of a number, from 0.
    #[must_use]
    pub fn item(&self, index: usize) -> Option<&Self> {
        let Self::List(items) = self else { return None };
        items.get(index)
    }

    /// The text of a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(text)
    }

    /// The items of a list; a single value is a list of itself, nothing one of none.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Null => &[],
            Self::List(items) => items,
            one => std::slice::from_ref(one),
        }
    }

    /// The members of a map.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        let Self::Map(members) = self else { return &[] };
        members
    }

    /// Whether nothing stands here: null, `""`, `{}` or `[]`.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::Bool(_) | Self::Number(_) => false,
        }
    }

    /// A JSON value as a tree.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(*yes),
            Json::Number(number) => Self::Number(number.to_string()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => {
                let member =
                    |(name, value): (&String, &Json)| (name.clone(), Self::from_json(value));
                Self::Map(members.iter().map(member).collect())
            }
        }
    }

    /// A tree as a JSON value; what is no JSON number becomes a string.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(yes) => Json::Bool(*yes),
            Self::Number(number) => serde_json::from_str(number)
                .map_or_else(|_| Json::String(number.clone()), Json::Number),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(members) => {
                let member = |(name, value): &(String, Self)| (name.clone(), value.to_json());
                Json::Object(members.iter().map(member).collect())
            }
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Shows the shape alone: a member's name or text can be a value of somebody's.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(_) => f.write_str("Bool(<masked>)"),
            Self::Number(_) => f.write_str("Number(<masked>)"),
            Self::Text(_) => f.write_str("Text(<masked>)"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(members) => {
                f.write_str("Map")?;
                f.debug_list().entries(members.iter().map(|(_, value)| value)).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_value_comes_back_as_it_was() {
        let text = r#"{"a":[1,-2.5,"x",null,true],"b":{"c":""}}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        let tree = Tree::from_json(&json);
        assert_eq!(tree.to_json(), json);
        assert_eq!(tree.get("a").and_then(|a| a.item(2)).and_then(Tree::text), Some("x"));
        assert!(tree.get("b").and_then(|b| b.get("c")).is_some_and(Tree::is_empty));
        assert_eq!(Tree::Number("7.1.0".to_owned()).to_json(), Json::String("7.1.0".to_owned()));
    }

    #[test]
    fn what_is_printed_for_debugging_shows_no_value() {
        let tree = Tree::Map(vec![("secret".to_owned(), Tree::from("secret"))]);
        assert_eq!(format!("{tree:?}"), "Map[Text(<masked>)]");
    }
}
