//! Settings of a receiver; what it says is heard through sockets in `tests/all/notices_soap.rs`.

use super::*;

const TLS: &str = "tls = { authority = \"a\", certificate = \"b\", key = \"c\" }";

fn settings(form: &str, more: &str) -> Settings {
    let text = format!(
        "url = \"https://receiver.example/pix\"\nform = \"{form}\"\nauthority = \"1.2.3\"\n\
         receiver = \"1.2.4\"\nsender = \"1.2.5^kangqiao\"\n{more}\n{TLS}\n"
    );
    toml::from_str(&text).unwrap()
}

#[test]
fn what_does_not_go_together_is_said() {
    let check = |(form, more): (&str, &str), expect: Option<&str>| {
        assert_eq!(settings(form, more).wrong(), expect, "{form} {more}");
    };
    check(("v3-pix", ""), None);
    check(("v3-pix", "edition = \"1.1\"\nsoap_action = \"urn:x\""), None);
    check(("v3-hospital", "action = \"H0202\"\nnamespace = \"http://tempuri.org/\""), None);
    let bare = Some("v3-pix is the body itself: no namespace, operation or action");
    check(("v3-pix", "operation = \"x\""), bare);
    let each = Some("v3-regional has an operation for each service: no action");
    check(("v3-regional", "action = \"x\""), each);
    let line = Some("soap_action is a line of ASCII without quotes");
    check(("v3-hospital", "soap_action = \"a\\\"b\""), line);
    check(("v3-hospital", "soap_action = \"a\\nb\""), line);
    let named = |key: &str, value: &str| {
        let mut settings = settings("v3-pix", "");
        match key {
            "authority" => value.clone_into(&mut settings.authority),
            _ => value.clone_into(&mut settings.sender),
        }
        settings.wrong()
    };
    assert_eq!(named("authority", "MZJ"), Some("soap authority is an OID"));
    assert_eq!(named("authority", "1..2"), Some("soap authority is an OID"));
    let device = Some("soap receiver and sender are an OID, or OID^NAME");
    assert_eq!(named("sender", "kangqiao^1.2"), device);
    assert_eq!(named("sender", "1.2^kangqiao"), None);
}

#[test]
fn the_action_stands_where_the_edition_has_it() {
    let check = |more: &str, media: &str| {
        assert_eq!(settings("v3-pix", more).media(), media, "{more}");
    };
    check("", "application/soap+xml; charset=utf-8");
    check("soap_action = \"urn:x\"", "application/soap+xml; charset=utf-8; action=\"urn:x\"");
    check("edition = \"1.1\"\nsoap_action = \"urn:x\"", "text/xml; charset=utf-8");
}
