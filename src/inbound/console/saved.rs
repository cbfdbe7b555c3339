//! Searches that a user has given a name: kept, run and deleted by him alone. None names a person.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Form;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::Area;
use super::guard::{Problem, Visit, see};
use super::ledger::TermsForm;
use super::text::saved::SavedText;
use super::trace::SearchForm;
use super::view::saved::{Kept, SavedSearch, Shelf};
use crate::audit::Reference;

/// Longest name, in characters.
const NAME_MAX: usize = 40;
/// Most bytes of one field.
const FIELD_BYTES_MAX: usize = 64;

/// A form whose fields are a search's and its name.
type Fields = Form<BTreeMap<String, String>>;

impl Shelf {
    const fn area(self) -> Area {
        match self {
            Self::Ledger => Area::Ledger,
            Self::Trace => Area::Trace,
        }
    }

    /// Where its searches are kept.
    pub(super) const fn kept_at(&self) -> &'static str {
        match self {
            Self::Ledger => "/ledger/saved",
            Self::Trace => "/trace/saved",
        }
    }

    /// Where they are run, and how.
    pub(super) const fn run_at(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ledger => ("/ledger/department", "get"),
            Self::Trace => ("/trace/search", "post"),
        }
    }

    /// The fields that are kept.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Ledger => &["name", "kind", "purpose", "element", "since", "until"],
            Self::Trace => &["sender", "state", "form", "since", "until", "fault", "place"],
        }
    }
}

/// Those of whoever looks, and what has just become of one.
pub(super) struct Shelved {
    pub(super) v: &'static SavedText,
    pub(super) shelf: Shelf,
    pub(super) rows: Vec<SavedSearch>,
    pub(super) said: Option<&'static str>,
}

impl Shelved {
    /// Those on a page of its own area.
    pub(super) async fn of(
        visit: &Visit,
        shelf: Shelf,
        said: Option<&str>,
    ) -> Result<Self, Problem> {
        let asker = visit.asker(shelf.area())?;
        let rows = visit.console.sight().saved(&asker, shelf).await?;
        let v = SavedText::of(visit.t.lang);
        let said = match said {
            Some("saved") => Some(v.saved),
            Some("forgotten") => Some(v.forgotten),
            _ => None,
        };
        Ok(Self { v, shelf, rows, said })
    }
}

/// A search of the ledger is kept, or no longer.
pub(super) async fn of_ledger(visit: Visit, form: Fields) -> HttpResponse {
    let kept = kept(&visit, Shelf::Ledger, form.into_inner()).await;
    visit.answer(kept)
}

/// A search for messages is kept, or no longer.
pub(super) async fn of_trace(visit: Visit, form: Fields) -> HttpResponse {
    let kept = kept(&visit, Shelf::Trace, form.into_inner()).await;
    visit.answer(kept)
}

async fn kept(
    visit: &Visit,
    shelf: Shelf,
    form: BTreeMap<String, String>,
) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(shelf.area())?;
    let word = |field: &str| form.get(field).map(String::as_str).unwrap_or_default().trim();
    visit.own_form(word("form_token"))?;
    let v = SavedText::of(visit.t.lang);
    let sight = visit.console.sight();
    let (saved, forgotten) = match shelf {
        Shelf::Ledger => ("/ledger?said=saved", "/ledger?said=forgotten"),
        Shelf::Trace => ("/trace?said=saved", "/trace?said=forgotten"),
    };
    match word("decision") {
        "forget" => match sight.forget(&asker, shelf, word("title")).await? {
            true => Ok(see(forgotten)),
            false => Err(Problem::NotFound),
        },
        "save" => {
            let refused = Problem::Unchanged(v.refused);
            let name = Some(word("title")).filter(|name| is_plain(name, NAME_MAX * 4));
            let name = name.filter(|name| name.chars().count() <= NAME_MAX).ok_or(refused)?;
            let fields = shelf.fields().iter().map(|field| (*field, word(field)));
            let fields: Vec<_> = fields.filter(|(_, value)| !value.is_empty()).collect();
            if !fields.iter().all(|(_, value)| is_plain(value, FIELD_BYTES_MAX)) {
                return Err(refused);
            }
            let can_be_run = match shelf {
                Shelf::Ledger => typed::<TermsForm>(&fields).can_be_run(visit).await?,
                Shelf::Trace => typed::<SearchForm>(&fields).can_be_run(visit),
            };
            if !can_be_run {
                return Err(refused);
            }
            let fields = fields.into_iter().map(|(field, value)| (field.into(), value.into()));
            let one = SavedSearch { name: name.to_owned(), fields: fields.collect() };
            match sight.save(&asker, shelf, one).await? {
                Kept::Full => Err(Problem::Unchanged(v.full)),
                Kept::Saved => Ok(see(saved)),
            }
        }
        _ => Err(Problem::Form),
    }
}

/// A form with these fields.
fn typed<T: DeserializeOwned + Default>(fields: &[(&str, &str)]) -> T {
    let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).into()));
    serde_json::from_value(Value::Object(fields.collect())).unwrap_or_default()
}

/// Whether a word is short and holds no number of a person, nor anything unseen.
fn is_plain(word: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&word.len()) && Reference::new(word).as_str() == word
}
