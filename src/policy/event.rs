//! 事件, what may be told unasked, and of which elements: `policies/events.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::page::Page;
use super::purpose::{Bilingual, Terms};
use crate::vocabulary::{Catalogue, Dataset, Diagnostic, ElementId, Event, Files};

/// Where the list stands.
const PATH: &str = "events.toml";

/// 身份变化, the one event that happens in the index and not in a record.
pub const IDENTITY: Event = Event::fixed("identity");

/// One kind of event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its name in subscriptions and notices.
    pub id: Event,
    /// Its name for people.
    pub title: Bilingual,
    /// Which records are such an event.
    pub datasets: Vec<Dataset>,
    /// What a notice of it may tell, within the purpose of the subscription.
    pub tells: Vec<ElementId>,
    /// The HL7 v2 message it is told by, as `ADT^A31`; none if there is no honest one.
    pub hl7v2: Option<String>,
    /// The records the mapping files of HL7 v3 write it as; none if there are no honest ones.
    pub v3: Option<Dataset>,
}

impl EventRow {
    /// Whether somebody with these terms can be told anything of it.
    #[must_use]
    pub fn is_open_to(&self, terms: &Terms) -> bool {
        self.tells.is_empty() || self.tells.iter().any(|id| terms.elements.contains(id))
    }
}

/// All kinds of events.
#[derive(Debug, Clone, Default)]
pub struct Events(BTreeMap<Event, EventRow>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    event: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    zh: String,
    en: String,
    datasets: Vec<Dataset>,
    tells: Vec<Spanned<String>>,
    hl7v2: Option<String>,
    v3: Option<Dataset>,
}

impl Events {
    /// Reads `events.toml`.
    pub(super) fn load(files: &Files, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<EventsFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.event {
            let start = row.id.span().start;
            let mut tells = Vec::new();
            for word in &row.tells {
                let Some(id) = page.name(word, ElementId::parse) else { continue };
                match catalogue.get(id) {
                    Some(_) => tells.push(id),
                    None => {
                        page.fault(word.span().start, format!("the catalogue has no element {id}"));
                    }
                }
            }
            let Some(id) = page.name(&row.id, Event::parse) else { continue };
            // An event that tells nothing would tell, by being sent, what nobody decided on.
            if (row.datasets.is_empty() || tells.is_empty()) != (id == IDENTITY) {
                page.fault(start, "every event but identity has datasets, and elements it tells");
            }
            let title = Bilingual { zh: row.zh, en: row.en };
            let Row { datasets, hl7v2, v3, .. } = row;
            let made = EventRow { id, title, datasets, tells, hl7v2, v3 };
            if found.0.insert(id, made).is_some() {
                page.fault(start, format!("event {id} stands twice"));
            }
        }
        page.close(found)
    }

    /// The event of that name.
    #[must_use]
    pub fn event(&self, id: Event) -> Option<&EventRow> {
        self.0.get(&id)
    }

    /// Every event, by name.
    pub fn iter(&self) -> impl Iterator<Item = &EventRow> {
        self.0.values()
    }

    /// The events a record of that dataset is.
    pub fn of(&self, dataset: Dataset) -> impl Iterator<Item = &EventRow> {
        self.0.values().filter(move |row| row.datasets.contains(&dataset))
    }
}
