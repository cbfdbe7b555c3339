//! The policy administrator's templates.

use askama::Template;

use super::AskingQuery;
use crate::inbound::console::pages::Frame;
use crate::inbound::console::text::Lang;
use crate::inbound::console::view::Named;
use crate::inbound::console::view::policies::{MatrixView, ProposalView, SheetView, WhyView};
use crate::policy::{Asking, Cell, Form};
use crate::vocabulary::{Relation, Tier};

/// Departments and purposes.
#[derive(Template)]
#[template(path = "policies.html")]
pub(super) struct MatrixPage {
    pub(super) f: Frame,
    pub(super) view: MatrixView,
}

/// What one asker gets.
#[derive(Template)]
#[template(path = "policy_cells.html")]
pub(super) struct SheetPage {
    pub(super) f: Frame,
    pub(super) asking: Asking,
    pub(super) sheets: Vec<SheetView>,
}

/// Why.
#[derive(Template)]
#[template(path = "policy_why.html")]
pub(super) struct WhyPage {
    pub(super) f: Frame,
    pub(super) asked: AskingQuery,
    pub(super) choices: MatrixView,
    pub(super) view: Option<WhyView>,
}

/// What waits.
#[derive(Template)]
#[template(path = "policy_proposal.html")]
pub(super) struct ProposalPage {
    pub(super) f: Frame,
    pub(super) view: Option<ProposalView>,
    pub(super) said: Option<&'static str>,
    /// Who looks.
    pub(super) user: String,
}

impl Frame {
    /// The name of an element in the language of the page.
    fn element_name<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match self.t.lang {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }

    /// The tier of a cell in words.
    fn tier_of(&self, cell: &Cell) -> &'static str {
        self.t.tier(&cell.tier())
    }

    /// What is done to the values of a cell.
    fn treatment(&self, cell: &Cell) -> &'static str {
        let first = cell.forms.first();
        first.map_or(self.t.dash, |(_, treatment)| self.p.treatment_of(*treatment))
    }

    /// Tier and treatment in words.
    fn form(&self, form: &Form) -> String {
        let tier = self.t.tier(&form.tier);
        match form.treatment.map(|treatment| self.p.treatment_of(treatment)) {
            Some(treatment) if !matches!(form.tier, Tier::Full | Tier::Existence) => {
                format!("{tier} · {treatment}")
            }
            _ => tier.to_owned(),
        }
    }

    /// What the asker brings, in words; nothing is a dash.
    fn brings(&self, asking: &Asking) -> String {
        let brings = asking.brings.iter().map(|key| self.p.brings_of(key));
        let words: Vec<&str> =
            brings.chain(asking.relations.iter().map(Relation::as_str)).collect();
        match words.is_empty() {
            true => self.t.dash.to_owned(),
            false => words.join(self.t.and),
        }
    }

    fn rules(&self, rules: &[std::sync::Arc<str>]) -> String {
        rules.iter().map(|rule| &**rule).collect::<Vec<_>>().join(", ")
    }
}

impl MatrixPage {
    fn granted<'a>(
        &'a self,
        grants: &'a [Option<(usize, usize)>],
    ) -> impl Iterator<Item = (&'a Named, &'a Option<(usize, usize)>)> {
        self.view.purposes.iter().zip(grants)
    }
}

impl WhyPage {
    /// The roles of all departments, each once.
    fn roles(&self) -> std::collections::BTreeSet<String> {
        self.choices.rows.iter().map(|row| row.role.clone()).collect()
    }

    /// The departments, each once.
    fn departments(&self) -> Vec<&Named> {
        let mut found: Vec<&Named> = Vec::new();
        for row in &self.choices.rows {
            if found.iter().all(|known| known.id != row.department.id) {
                found.push(&row.department);
            }
        }
        found
    }
}

impl ProposalPage {
    /// Whether whoever looks has accepted it.
    fn own(&self, view: &ProposalView) -> bool {
        view.accepted_by.contains(&self.user)
    }
}
