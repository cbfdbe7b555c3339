//! No text is missing in either language, and none is left over.

use super::*;

/// How templates call a table, its rows, and its file.
type Table = (&'static str, &'static [(&'static str, &'static str, &'static str)], &'static str);

const TABLES: &[Table] = &[
    ("b", rerun::ROWS, include_str!("text/rerun.rs")),
    ("c", confined::ROWS, include_str!("text/confined.rs")),
    ("h", hold::ROWS, include_str!("text/hold.rs")),
    ("m", trace::ROWS, include_str!("text/trace.rs")),
    ("o", openid::ROWS, include_str!("text/openid.rs")),
    ("p", policies::ROWS, include_str!("text/policies.rs")),
    ("r", review::ROWS, include_str!("text/review.rs")),
    ("t", ROWS, include_str!("text.rs")),
    ("v", invite::ROWS, include_str!("text/invite.rs")),
    ("v", saved::ROWS, include_str!("text/saved.rs")),
    ("w", doubt::ROWS, include_str!("text/doubt.rs")),
    ("w", ticket::ROWS, include_str!("text/ticket.rs")),
];

#[test]
fn no_text_is_missing_in_either_language() {
    for (key, zh, en) in TABLES.iter().flat_map(|(_, rows, _)| *rows) {
        assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{key}");
        assert_eq!(zh.matches("{}").count(), en.matches("{}").count(), "{key}");
        let chinese = zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert!(chinese || ["and", "switch", "dash"].contains(key), "{key}");
        assert!(en.is_ascii() || ["switch", "dash"].contains(key), "{key}");
    }
}

/// A text no template and no code uses is a text nobody translates again.
#[test]
fn no_text_is_left_over() {
    let mut used = String::new();
    for folder in [
        "console",
        "src/inbound/console",
        "src/inbound/console/openid",
        "src/inbound/console/policies",
        "src/inbound/console/review",
    ] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() && !path.ends_with("text.rs") {
                used += &std::fs::read_to_string(path).unwrap_or_default();
            }
        }
    }
    for (name, rows, here) in TABLES {
        for (key, _, _) in *rows {
            let by_template = used.contains(&format!("{name}.{key}"));
            assert!(by_template || here.contains(&format!("self.{key}")), "{key}");
        }
    }
}
