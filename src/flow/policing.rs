//! 策略页, the policies as a policy administrator at the console sees them.

use futures_util::FutureExt;

use super::policies::{Said, Weighed};
use super::{Gateway, Sights};
use crate::inbound::console::view::policies::{
    MatrixRow, MatrixView, PoliciesJudged, Policing, ProposalView, SheetView, WhyView,
};
use crate::inbound::console::view::{Asker, Named, Seen};
use crate::policy::{Asking, Bilingual, Cell, Evidence, PolicySet};
use crate::vocabulary::{ElementId, Fault, Tier};

impl Policing for Sights {
    fn matrix(&self) -> Seen<'_, MatrixView> {
        async move {
            let waits =
                self.gateway.store.waiting_policies().await.map_err(|error| error.fault())?;
            Ok(matrix(&self.gateway.rules.load().policies, waits.is_some()))
        }
        .boxed()
    }

    fn sheet<'a>(&'a self, asked: &'a Asking) -> Seen<'a, Vec<SheetView>> {
        async move { Ok(sheet(&self.gateway.rules.load().policies, asked)) }.boxed()
    }

    fn why<'a>(&'a self, asked: &'a Asking, element: &'a str) -> Seen<'a, WhyView> {
        async move { Ok(why(&self.gateway.rules.load().policies, asked, element)) }.boxed()
    }

    fn proposal(&self) -> Seen<'_, Option<ProposalView>> {
        self.gateway.proposal().boxed()
    }

    fn judge_policies<'a>(
        &'a self,
        asker: &'a Asker,
        said: (&'a str, bool),
    ) -> Seen<'a, PoliciesJudged> {
        async move {
            match self.gateway.judge_policies(asker, said).await? {
                Said::Own => Ok(PoliciesJudged::Own),
                Said::Refused => Ok(PoliciesJudged::Refused),
                Said::Settled => Ok(PoliciesJudged::Settled),
                Said::Waits => Ok(PoliciesJudged::Waits),
                Said::Accepted => match (self.enforce)(asker.user.clone()).await {
                    Ok(()) => Ok(PoliciesJudged::InForce),
                    Err(reason) => {
                        tracing::error!(reason, "accepted policies are not in force");
                        Ok(PoliciesJudged::Failed)
                    }
                },
            }
        }
        .boxed()
    }
}

impl Gateway {
    async fn proposal(&self) -> Result<Option<ProposalView>, Fault> {
        let waiting = self.store.waiting_policies().await.map_err(|error| error.fault())?;
        let Some(waiting) = waiting else { return Ok(None) };
        let weighed = serde_json::from_str(&waiting.difference).map_err(|_| Fault::Internal)?;
        let Weighed { difference, differing } = weighed;
        Ok(Some(ProposalView {
            digest: waiting.digest(),
            version: waiting.proposed.version,
            before: waiting.before.version,
            by: waiting.by,
            at_ms: waiting.at_ms,
            widened: waiting.widened,
            differ: differing.differ,
            of: differing.of,
            accepted_by: waiting.accepted_by,
            difference,
        }))
    }
}

/// Who was granted what, and how much of it leaves.
#[must_use]
pub fn matrix(set: &PolicySet, waits: bool) -> MatrixView {
    let cells: Vec<Cell> = set.cells(&set.dimensions()).collect();
    let purposes: Vec<_> = set.purposes().iter().collect();
    let mut rows = Vec::new();
    for row in set.departments().iter() {
        let roles = row.grants.iter().flat_map(|grant| grant.roles.iter().copied());
        let roles: std::collections::BTreeSet<_> = roles.collect();
        for role in roles {
            let grants = purposes.iter().map(|terms| {
                let own = |cell: &&Cell| {
                    let Asking { department, role: asks, purpose, .. } = &cell.asking;
                    (*department, *asks, *purpose) == (row.name, role, terms.id)
                };
                let granted = row
                    .grants
                    .iter()
                    .any(|grant| grant.purpose == terms.id && grant.roles.contains(&role));
                let plain = cells.iter().filter(own).filter(|cell| cell.special.is_none());
                let given = plain.filter(|cell| cell.tier() != Tier::Withheld);
                let given: std::collections::BTreeSet<_> =
                    given.map(|cell| cell.element.id).collect();
                granted.then_some((given.len(), terms.elements.len()))
            });
            rows.push(MatrixRow {
                department: named(row.name.as_str(), &row.title),
                role: role.to_string(),
                grants: grants.collect(),
            });
        }
    }
    let purposes = purposes.iter().map(|terms| named(terms.id.as_str(), &terms.title));
    let relations = set.relations().iter().map(|row| named(row.id.as_str(), &row.title));
    MatrixView {
        version: set.version().to_owned(),
        purposes: purposes.collect(),
        relations: relations.collect(),
        rows,
        waits,
    }
}

/// What one kind of asker gets, for each thing he may bring that makes a difference.
#[must_use]
pub fn sheet(set: &PolicySet, asked: &Asking) -> Vec<SheetView> {
    let own = |cell: &Cell| {
        let Asking { department, role, purpose, .. } = &cell.asking;
        (department, role, purpose) == (&asked.department, &asked.role, &asked.purpose)
    };
    let mut sheets: Vec<SheetView> = Vec::new();
    for cell in set.cells(&set.dimensions()).filter(own) {
        if sheets.last().is_none_or(|sheet| sheet.asking != cell.asking) {
            sheets.push(SheetView { asking: cell.asking.clone(), rows: Vec::new() });
        }
        let Some(sheet) = sheets.last_mut() else { continue };
        match (cell.special, sheet.rows.last_mut()) {
            (Some(_), Some((plain, less))) if cell.tier() > plain.tier() => less.push(cell),
            (Some(_), _) => (),
            (None, _) => sheet.rows.push((cell, Vec::new())),
        }
    }
    let seen: Vec<Vec<_>> = sheets.iter().map(said).collect();
    let mut first =
        seen.iter().enumerate().map(|(at, one)| !seen.iter().take(at).any(|before| before == one));
    sheets.retain(|_| first.next().unwrap_or(true));
    sheets
}

/// What a sheet says, whoever reads it.
fn said(sheet: &SheetView) -> Vec<(ElementId, String)> {
    let each = sheet.rows.iter().flat_map(|(plain, less)| std::iter::once(plain).chain(less));
    each.map(|cell| (cell.element.id, format!("{:?} {:?}", cell.special, cell.forms))).collect()
}

/// Why an asker gets an element, or not.
#[must_use]
pub fn why(set: &PolicySet, asked: &Asking, element: &str) -> WhyView {
    let evidence = Evidence::supposed(|key| asked.brings.contains(key.as_str()));
    let asker = (asked.department, asked.role);
    let known = ElementId::parse(element).ok().filter(|id| set.know(&[*id]).is_ok());
    let Some(id) = known.filter(|_| set.departments().department(asked.department).is_some())
    else {
        return WhyView::Unknown;
    };
    let brought = (evidence, &asked.relations);
    let from = match set.standpoint(asker, asked.purpose.as_str(), brought) {
        Ok(from) => from,
        Err(refusal) => {
            return WhyView::Refused(refusal.rule.to_string(), named("", &refusal.remedy));
        }
    };
    let mut cells = from.cells_of(id);
    let plain = cells.first().map_or(Tier::Withheld, Cell::tier);
    cells.retain(|cell| cell.special.is_none() || cell.tier() > plain);
    let tied: Vec<_> = from.asking().relations.into_iter().collect();
    let told = from.admission().explain(&tied, Some(id)).unwrap_or_default();
    let told = told.into_iter().find_map(|one| one.remedy);
    WhyView::Told(cells, told.map(|remedy| named("", &remedy)))
}

fn named(id: &str, title: &Bilingual) -> Named {
    Named { id: id.to_owned(), zh: title.zh.clone(), en: title.en.clone() }
}
