//! 患者关联, `Patient.link`: which patient is used no more, and who is used instead.
//!
//! Standard: FHIR R4 `Patient.link` and value set `link-type`. `replaced-by` and `replaces`
//! say what ADT^A40 says. `refer` and `seealso` join nobody: they are carried.

use super::super::error::TranslateError;
use super::super::overlay::Overlay;
use super::super::plan::{Bin, Read};
use super::super::reading::with_authority;
use super::super::{Claim, Merge};
use super::form::Forms;
use super::gather::Entry;
use super::leaves::Leaves;
use super::plan::{FhirRow, ResourcePlan};
use crate::vocabulary::{Field, Identifier, IdentifierKind, Position, Source, Value};
use crate::wire::Tree;

/// One of the two a link is between.
enum Side<'t> {
    /// A patient of the document, by the number of its entry.
    Entry(usize),
    /// Somebody by a number alone, and where it stands.
    Named(&'t Tree, String),
}

/// What the links of a document say.
pub(super) struct Linked {
    /// The merge.
    pub merge: Merge,
    /// Numbers of who is used instead, where no patient of the document says them.
    pub named: Vec<Field>,
}

/// Finds who is merged into whom. Whoever is used no more is read by no file from then on:
/// what is said of him is not the other's.
///
/// # Errors
/// [`TranslateError::Missing`] if either side has no number here,
/// [`TranslateError::SubjectRepeated`] if more than one is used instead.
pub(super) fn linked<'t>(
    forms: Forms<'_>,
    (entries, leaves): (&mut [Entry<'t>], &mut Leaves<'t>),
    (overlay, source): (&Overlay, Source),
) -> Result<Option<Linked>, TranslateError> {
    let links = links(entries, leaves)?;
    let Some((_, kept, first)) = links.first() else { return Ok(None) };
    let place = |at: &str| Position::Pointer(at.to_owned());
    let rows = patient(forms, entries);
    let rows = rows.ok_or_else(|| TranslateError::UnsupportedMessage(place(first)))?;
    let reading = Reading { forms, rows, overlay, source };
    // Before who is gone is put aside: he may be the one who says it.
    let named = match kept {
        Side::Entry(_) => None,
        Side::Named(tree, at) => {
            let number = reading.number((tree, at), leaves);
            Some(number.ok_or_else(|| TranslateError::Missing(place(at)))?)
        }
    };
    let named = named.and_then(|number| reading.field(number)).into_iter().collect();
    let mut from = Vec::new();
    for (gone, stays, at) in &links {
        // One is used instead, and is not gone as well.
        if !stays.is(kept) || links.iter().any(|(gone, ..)| gone.is(stays)) {
            return Err(TranslateError::SubjectRepeated(place(at)));
        }
        let numbers = match gone {
            Side::Named(tree, at) => reading.number((tree, at), leaves).into_iter().collect(),
            Side::Entry(index) => match entries.get_mut(*index) {
                // Another link may have said the same of him.
                Some(entry) if entry.file.is_none() => continue,
                Some(entry) => reading.gone(entry, leaves),
                None => Vec::new(),
            },
        };
        if numbers.is_empty() {
            return Err(TranslateError::Missing(place(at)));
        }
        from.extend(numbers);
    }
    Ok(Some(Linked { merge: Merge { from, claim: Claim::Merged }, named }))
}

impl Side<'_> {
    /// Whether both are one.
    fn is(&self, other: &Self) -> bool {
        let text = |tree: &Tree, name| tree.get(name).and_then(Tree::text).map(str::to_owned);
        match (self, other) {
            (Self::Entry(one), Self::Entry(other)) => one == other,
            (Self::Named(one, _), Self::Named(other, _)) => {
                ["system", "value"].iter().all(|name| text(one, name) == text(other, name))
            }
            _ => false,
        }
    }
}

/// Who goes, who stays, and where it is said: of every link that is a merge.
fn links<'t>(
    entries: &[Entry<'t>],
    leaves: &mut Leaves<'t>,
) -> Result<Vec<(Side<'t>, Side<'t>, String)>, TranslateError> {
    let mut found = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if entry.tree.get("resourceType").and_then(Tree::text) != Some("Patient") {
            continue;
        }
        let links = entry.tree.get("link").map(Tree::items).unwrap_or_default();
        for (number, link) in links.iter().enumerate() {
            let at = format!("{}/link/{number}", entry.pointer);
            let kind = link.get("type").and_then(Tree::text).unwrap_or_default();
            if !matches!(kind, "replaced-by" | "replaces") {
                leaves.take_all(link, Bin::Carried);
                continue;
            }
            let other = other(entries, leaves, link, &at)?;
            leaves.take_all(link.get("type").unwrap_or(link), Bin::Mapped);
            if let Some(leaf) = link.get("other").and_then(|other| other.get("reference")) {
                leaves.take(leaf, Bin::Mapped);
            }
            let own = Side::Entry(index);
            found.push(match kind {
                "replaces" => (other, own, at),
                _ => (own, other, at),
            });
        }
    }
    Ok(found)
}

/// The other side of a link: a patient of the document, else whoever has the number.
fn other<'t>(
    entries: &[Entry<'t>],
    leaves: &Leaves<'t>,
    link: &'t Tree,
    at: &str,
) -> Result<Side<'t>, TranslateError> {
    let reference = link.get("other");
    let resolved = leaves.resolved(reference);
    let entry = entries.iter().position(|entry| {
        let patient = entry.tree.get("resourceType").and_then(Tree::text) == Some("Patient");
        patient && resolved.is_some_and(|tree| std::ptr::eq(tree, entry.tree))
    });
    let number = reference.and_then(|reference| reference.get("identifier"));
    match (entry, number) {
        (Some(index), _) => Ok(Side::Entry(index)),
        (None, Some(tree)) => Ok(Side::Named(tree, format!("{at}/other/identifier"))),
        // A patient of the sender's own server: nobody here can tell who that is.
        (None, None) => {
            Err(TranslateError::Missing(Position::Pointer(format!("{at}/other/identifier"))))
        }
    }
}

/// The file that reads patients.
fn patient<'p>(forms: Forms<'p>, entries: &[Entry<'_>]) -> Option<&'p ResourcePlan> {
    let mut files = entries.iter().filter_map(|entry| forms.plan.files.get(entry.file?));
    files.find(|file| file.resource == "Patient")
}

/// How numbers of patients are read.
struct Reading<'p> {
    forms: Forms<'p>,
    rows: &'p ResourcePlan,
    overlay: &'p Overlay,
    source: Source,
}

impl<'p> Reading<'p> {
    /// Every number that was a patient's own, who is read by no file from now on.
    fn gone<'t>(
        &self,
        entry: &mut Entry<'t>,
        leaves: &mut Leaves<'t>,
    ) -> Vec<(Identifier, Position)> {
        let list = entry.tree.get("identifier").map(Tree::items).unwrap_or_default();
        let own = |tree: &Tree| {
            !matches!(tree.get("use").and_then(Tree::text), Some("old" | "secondary"))
        };
        let list = list.iter().enumerate().filter(|(_, tree)| own(tree));
        let at = |number| format!("{}/identifier/{number}", entry.pointer);
        let found: Vec<_> =
            list.filter_map(|(number, tree)| self.number((tree, &at(number)), leaves)).collect();
        leaves.take_all(entry.tree, Bin::Carried);
        entry.file = None;
        found
    }

    fn number<'t>(
        &self,
        (tree, at): (&'t Tree, &str),
        leaves: &mut Leaves<'t>,
    ) -> Option<(Identifier, Position)> {
        let row = self.row(IdentifierKind::Local)?;
        match self.forms.read(row, tree, leaves)? {
            Value::Identifier(identifier) => {
                let identifier = with_authority(identifier, self.overlay, self.source);
                Some((identifier, Position::Pointer(at.to_owned())))
            }
            _ => None,
        }
    }

    /// A number as the record holds it.
    fn field(&self, (identifier, at): (Identifier, Position)) -> Option<Field> {
        let row = self.row(identifier.kind).or_else(|| self.row(IdentifierKind::Local))?;
        let element = row.meaning.element;
        Some(Field { element, value: Value::Identifier(identifier), at: Some(at) })
    }

    /// The row of a kind that asks nothing else of its place.
    fn row(&self, kind: IdentifierKind) -> Option<&'p FhirRow> {
        self.rows.rows.iter().find(|row| {
            let own = matches!(row.meaning.read, Read::Identifier(Some(own)) if own == kind);
            own && !row.path.is_narrowed() && row.from.is_none()
        })
    }
}
