//! The auditor's page of doubts: what in the ledger is to be looked at, and why.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Query as Asked;
use askama::Template;
use serde::Deserialize;

use super::access::Area;
use super::guard::{Problem, Visit};
use super::pages::{Frame, show};
use super::text::Lang;
use super::text::doubt::DoubtText;
use super::view::doubt::{DoubtPage, DoubtQuery, ListState};
use crate::audit::doubt::{Doubt, Inquiry, Reason};
use crate::policy::Change;

const ROWS_MAX: usize = 50;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PageQuery {
    of: Option<String>,
    skip: usize,
}

#[derive(Template)]
#[template(path = "ledger_doubts.html")]
struct DoubtList {
    f: Frame,
    w: &'static DoubtText,
    lang: Lang,
    of: Option<Inquiry>,
    page: DoubtPage,
}

/// What is to be looked at.
pub(super) async fn list(visit: Visit, asked: Asked<PageQuery>) -> HttpResponse {
    let page = list_page(&visit, asked.into_inner()).await;
    visit.answer(page)
}

async fn list_page(visit: &Visit, asked: PageQuery) -> Result<HttpResponse, Problem> {
    let asker = visit.asker(Area::Ledger)?;
    let of = asked.of.filter(|name| !name.is_empty());
    let of = of.map(|name| Inquiry::parse(&name).ok_or(Problem::NotFound)).transpose()?;
    let query = DoubtQuery { of, skip: asked.skip, limit: ROWS_MAX };
    let page = visit.console.sight().doubts(&asker, query).await?;
    let f = visit.frame(Some(Area::Ledger));
    let lang = visit.t.lang;
    Ok(show(&DoubtList { f, w: DoubtText::of(lang), lang, of, page }, StatusCode::OK))
}

impl DoubtList {
    fn inquiry(&self, inquiry: &Inquiry) -> &'static str {
        match self.lang {
            Lang::En => inquiry.as_str(),
            Lang::Zh => inquiry.zh(),
        }
    }

    fn found_by(&self, doubt: &Doubt) -> &'static str {
        self.inquiry(&doubt.reason.inquiry())
    }

    fn is_asked(&self, inquiry: &Inquiry) -> bool {
        self.of == Some(*inquiry)
    }

    fn reason(&self, doubt: &Doubt) -> String {
        match self.lang {
            Lang::En => doubt.en(),
            Lang::Zh => doubt.zh(),
        }
    }

    /// Whether it is about more entries than it names.
    fn has_more(&self, doubt: &Doubt) -> bool {
        usize::try_from(doubt.count).is_ok_and(|count| count > doubt.entries.len())
    }

    /// What policies opened, each cell in a line.
    fn opened(&self, doubt: &Doubt) -> Vec<String> {
        let Reason::Opened { cells: Some(cells), .. } = &doubt.reason else { return Vec::new() };
        let line = |change: &Change| {
            let Change { asking, element, name, from, to, .. } = change;
            let name = if self.lang == Lang::En { &name.en } else { &name.zh };
            format!("{asking} {element} {name}: {} → {}", from.tier.as_str(), to.tier.as_str())
        };
        cells.iter().map(line).collect()
    }
}
