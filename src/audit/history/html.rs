//! The account as one file of HTML, without script and with nothing loaded from elsewhere.

use askama::Template;

use super::{Account, TITLE};

#[derive(Template)]
#[template(path = "history.html")]
struct Page<'a> {
    title: &'static str,
    account: &'a Account,
}

/// Writes the page; whatever stands in a title is text there.
///
/// # Errors
/// If the template cannot be written.
pub fn write(account: &Account) -> Result<Vec<u8>, askama::Error> {
    Page { title: TITLE, account }.render().map(String::into_bytes)
}
