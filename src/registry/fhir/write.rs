//! From a release to FHIR: the pack makes the resources, this file addresses them.
//!
//! A resource's id is the department's own handle of the person, and for all but the
//! patient a digest of what the resource says: nothing is kept to find it again, and two
//! departments cannot join what they were given.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::operation;
use super::outcome;
use super::parameter::Predicate;
use super::request::{Interaction, SUFFIX};
use crate::policy::Release;
use crate::registry::answer::{AnswerMeta, RefusalMeta};
use crate::registry::released;
use crate::registry::whom::{Grade, Likeness};
use crate::registry::writing::{Found, Several, Window, Writing, Written};
use crate::translate::Pack;
use crate::vocabulary::{Date, Fault, Position};

/// Media type of FHIR in JSON.
pub const FHIR: &str = "application/fhir+json";

/// One question at the FHIR door, and how its answer is written.
pub struct FhirWriting {
    /// What was asked.
    pub interaction: Interaction,
    /// The department's handle of the person asked about.
    pub handle: String,
    /// The address of the door: `https://gateway.example/fhir`.
    pub base: String,
}

impl Writing for FhirWriting {
    fn answer(&self, pack: &Pack, release: &Release, meta: &AnswerMeta<'_>) -> Written {
        let resources = addressed(resources(pack, release), &self.handle);
        match &self.interaction {
            Interaction::Read { resource, id, .. } if resource == "Binary" => {
                binary(&resources, id)
            }
            Interaction::Read { resource, id, .. } => {
                match resources.into_iter().find(|one| is(one, resource, Some(id))) {
                    Some(found) => json_body(200, &by_reference(found)),
                    None => json_body(404, &outcome::not_found()),
                }
            }
            Interaction::Search { resource, predicates, .. } => json_body(
                200,
                &self.bundle(release, meta, plain(matches(resources, resource, predicates))),
            ),
            Interaction::CrossReference { source, targets, .. } => {
                let patient = resources.iter().find(|one| is(one, "Patient", None));
                json_body(200, &operation::references(patient, (source, targets)))
            }
            Interaction::Match { .. } => {
                let found = matches(resources, "Patient", &[]).into_iter();
                let found = found.map(|patient| (patient, Some(CERTAIN))).collect();
                json_body(200, &self.bundle(release, meta, found))
            }
            // Neither asks about a person; the flow answers them itself.
            Interaction::Capability | Interaction::Take => json_body(404, &outcome::not_found()),
        }
    }

    fn refusal(&self, meta: &RefusalMeta<'_>) -> Written {
        // A description has its places in the Patient that was sent.
        let at = meta.at.map(|at| match at {
            Position::Pointer(place) if place.starts_with("/person") => {
                Position::Pointer("Parameters.parameter.resource".to_owned())
            }
            other => other.clone(),
        });
        refusal(&RefusalMeta { at: at.as_ref(), ..*meta })
    }

    fn window(&self) -> Option<Window> {
        match &self.interaction {
            Interaction::Match { window, .. } => Some(*window),
            _ => None,
        }
    }

    fn several(&self, pack: &Pack, several: &Several<'_>) -> Written {
        let mut matches_of = Vec::with_capacity(several.found.len());
        for Found { release, likeness, handle } in several.found {
            let own = addressed(resources(pack, release), handle);
            let own = matches(own, "Patient", &[]);
            matches_of.extend(own.into_iter().map(|patient| (patient, Some(*likeness))));
        }
        let release = several.found.first().map_or(several.nobody, |first| &first.release);
        json_body(200, &self.bundle(release, &several.meta, matches_of))
    }
}

/// A refusal as an `OperationOutcome`.
#[must_use]
pub fn refusal(meta: &RefusalMeta<'_>) -> Written {
    let status = match meta.fault {
        // A handle that leads to nobody is an address with nothing behind it.
        Fault::IdentityMissing => 404,
        fault => fault.row().http_status,
    };
    json_body(status, &outcome::refused(meta))
}

impl FhirWriting {
    /// A searchset: what was found, what was withheld, and where it comes from.
    fn bundle(
        &self,
        release: &Release,
        meta: &AnswerMeta<'_>,
        found: Vec<(Json, Option<Likeness>)>,
    ) -> Json {
        let total = found.len();
        let addresses: Vec<_> =
            found.iter().map(|(one, _)| json!({ "reference": address(one) })).collect();
        let mut entries: Vec<_> = found
            .into_iter()
            .map(|(resource, likeness)| {
                let mut search = json!({ "mode": "match" });
                if let (Some(likeness), Some(search)) = (likeness, search.as_object_mut()) {
                    search.extend(graded(likeness));
                }
                let full = format!("{}/{}", self.base, address(&resource));
                let full = resource.get("id").map(|_| full);
                let mut entry = json!({ "resource": by_reference(resource), "search": search });
                if let (Some(full), Some(entry)) = (full, entry.as_object_mut()) {
                    entry.insert("fullUrl".to_owned(), json!(full));
                }
                entry
            })
            .collect();
        if total > 0 {
            let provenance = provenance(release, meta, &addresses);
            entries.push(json!({ "resource": provenance, "search": { "mode": "include" } }));
        }
        if let Some(withheld) = outcome::withheld(release.withheld()) {
            entries.push(json!({ "resource": withheld, "search": { "mode": "outcome" } }));
        }
        searched((meta.receipt, meta.answered_at), total, entries)
    }
}

/// An identifier that proved itself leads to one person or none.
const CERTAIN: Likeness = Likeness { grade: Grade::Certain, score: 1.0 };

/// FHIR R4 `Patient/$match`: a score and a grade with each match.
fn graded(likeness: Likeness) -> Map<String, Json> {
    let grade = json!([{
        "url": "http://hl7.org/fhir/StructureDefinition/match-grade",
        "valueCode": likeness.grade.as_str(),
    }]);
    // A score of 1 is written as a whole number, as it always was.
    let score = if likeness.score >= 1.0 { json!(1) } else { json!(likeness.score) };
    Map::from_iter([("extension".to_owned(), grade), ("score".to_owned(), score)])
}

fn plain(found: Vec<Json>) -> Vec<(Json, Option<Likeness>)> {
    found.into_iter().map(|resource| (resource, None)).collect()
}

/// The resources the pack makes of what leaves.
fn resources(pack: &Pack, release: &Release) -> Vec<Json> {
    let bundle = pack.write_fhir(&released::record(release)).to_json();
    let entries = bundle.get("entry").and_then(Json::as_array).cloned().unwrap_or_default();
    entries.into_iter().filter(|entry| entry.get("resource").is_some()).collect()
}

/// Gives each resource its id, and lets references follow.
fn addressed(entries: Vec<Json>, handle: &str) -> Vec<Json> {
    let text = |json: &Json, key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let mut known: Vec<(String, String)> = Vec::new();
    let mut resources = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(mut resource) = entry.get("resource").cloned() else { continue };
        let Some(kind) = text(&resource, "resourceType") else { continue };
        let before = text(&resource, "id");
        let id = if kind == "Patient" { handle.to_owned() } else { id(&resource, handle) };
        let now = format!("{kind}/{id}");
        known.extend(text(&entry, "fullUrl").map(|full| (full, now.clone())));
        known.extend(before.map(|before| (format!("{kind}/{before}"), now)));
        if let Some(members) = resource.as_object_mut() {
            members.remove("id");
            // Who has no number known everywhere has no handle: an id is never empty.
            if !handle.is_empty() {
                members.insert("id".to_owned(), json!(id));
            }
        }
        resources.push(resource);
    }
    resources.iter_mut().for_each(|resource| follow(resource, &known));
    resources
}

/// A handle, and a digest of what the resource says of itself; references are left out of
/// it, for they are about to change.
fn id(resource: &Json, handle: &str) -> String {
    use base64::Engine;
    let mut bare = resource.clone();
    strip(&mut bare);
    let digest = Sha256::digest(bare.to_string().as_bytes());
    let signs = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest).replace('_', ".");
    format!("{handle}{}", signs.get(..SUFFIX).unwrap_or_default())
}

fn strip(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(strip),
        Json::Object(members) => {
            members.remove("id");
            members.remove("reference");
            members.values_mut().for_each(strip);
        }
        _ => (),
    }
}

fn follow(json: &mut Json, known: &[(String, String)]) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| follow(item, known)),
        Json::Object(members) => {
            if let Some(Json::String(reference)) = members.get_mut("reference")
                && let Some((_, now)) = known.iter().find(|(before, _)| before == reference)
            {
                reference.clone_from(now);
            }
            members.values_mut().for_each(|member| follow(member, known));
        }
        _ => (),
    }
}

fn is(resource: &Json, kind: &str, id: Option<&str>) -> bool {
    let text = |key: &str| resource.get(key).and_then(Json::as_str);
    text("resourceType") == Some(kind) && id.is_none_or(|id| text("id") == Some(id))
}

fn matches(resources: Vec<Json>, kind: &str, predicates: &[Predicate]) -> Vec<Json> {
    let holds = |one: &Json| predicates.iter().all(|predicate| predicate.holds(one));
    resources.into_iter().filter(|one| is(one, kind, None) && holds(one)).collect()
}

fn address(resource: &Json) -> String {
    let text = |key: &str| resource.get(key).and_then(Json::as_str).unwrap_or_default();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// A document's bytes stand behind an address of their own.
fn by_reference(mut resource: Json) -> Json {
    if !is(&resource, "DocumentReference", None) {
        return resource;
    }
    let id = resource.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
    for attachment in attachments(&mut resource) {
        if attachment.remove("data").is_some() {
            attachment.insert("url".to_owned(), json!(format!("Binary/{id}")));
        }
    }
    resource
}

fn attachments(resource: &mut Json) -> impl Iterator<Item = &mut Map<String, Json>> {
    let contents = resource.get_mut("content").and_then(Json::as_array_mut);
    contents
        .into_iter()
        .flatten()
        .filter_map(|content| content.get_mut("attachment")?.as_object_mut())
}

/// The bytes of a document, as it came.
fn binary(resources: &[Json], id: &str) -> Written {
    use base64::Engine;
    let document = resources.iter().find(|one| is(one, "DocumentReference", Some(id)));
    let attachment = document.and_then(|one| one.pointer("/content/0/attachment"));
    let text = |key: &str| attachment.and_then(|one| one.get(key)).and_then(Json::as_str);
    let engine = base64::engine::general_purpose::STANDARD;
    match text("data").and_then(|data| engine.decode(data).ok()) {
        Some(body) => Written { status: 200, media: media(text("contentType")), body },
        None => json_body(404, &outcome::not_found()),
    }
}

/// What a sender says its bytes are is repeated only where it is one of these: a browser
/// must not take a record for a page.
fn media(said: Option<&str>) -> &'static str {
    const KNOWN: [&str; 5] =
        ["application/pdf", "image/jpeg", "image/png", "text/plain", "text/xml"];
    let known = said.and_then(|said| KNOWN.into_iter().find(|known| *known == said));
    known.unwrap_or("application/octet-stream")
}

/// A searchset of resources that are about nobody's health: entries of the ledger.
#[must_use]
pub fn searchset(base: &str, (receipt, at): (&str, i64), resources: Vec<Json>) -> Written {
    let total = resources.len();
    let entries: Vec<_> = resources
        .into_iter()
        .map(|resource| {
            let full = format!("{base}/{}", address(&resource));
            json!({ "fullUrl": full, "resource": resource, "search": { "mode": "match" } })
        })
        .collect();
    json_body(200, &searched((receipt, at), total, entries))
}

fn searched((receipt, at): (&str, i64), total: usize, entries: Vec<Json>) -> Json {
    json!({
        "resourceType": "Bundle",
        "id": receipt,
        "type": "searchset",
        "timestamp": iso(at),
        "total": total,
        "entry": entries,
    })
}

/// From which systems, by whom, for what: the receipt leads to the ledger.
fn provenance(release: &Release, meta: &AnswerMeta<'_>, targets: &[Json]) -> Json {
    let purpose = release.admission().purpose();
    let entities: Vec<_> = meta
        .sources
        .iter()
        .map(|report| {
            let what = json!({ "display": report.source.as_str() });
            json!({ "role": "source", "what": what })
        })
        .collect();
    let mut provenance = json!({
        "resourceType": "Provenance",
        "id": meta.receipt,
        "target": targets,
        "recorded": iso(meta.answered_at),
        "policy": [format!("urn:kangqiao:policies:{}", release.version())],
        "reason": [{ "coding": [{ "system": "urn:kangqiao:purpose", "code": purpose.as_str() }] }],
        "agent": [{ "who": { "display": "康桥 Kangqiao" } }],
    });
    if let Some(members) = provenance.as_object_mut().filter(|_| !entities.is_empty()) {
        members.insert("entity".to_owned(), Json::Array(entities));
    }
    provenance
}

fn iso(seconds: i64) -> String {
    Date::from_timestamp(seconds).to_iso()
}

/// A resource as an answer.
pub(super) fn json_body(status: u16, resource: &Json) -> Written {
    // Texts, numbers and lists alone: serialising them cannot fail.
    Written { status, media: FHIR, body: serde_json::to_vec(resource).unwrap_or_default() }
}
