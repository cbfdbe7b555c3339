//! Every way to ask, for every grant of `policies/departments.toml`: read from the file, so that
//! a department, role or purpose that comes later is asked for as well.

use std::collections::{BTreeMap, HashMap};

use kangqiao_conformance::https::{Link, Reply};
use serde_json::{Value, json};

use crate::query::query;
use crate::rig::message::{Resident, unique};
use crate::rig::{Rig, at, until};
use crate::services;

/// 查询人, the human for whom a desk asks whose purpose wants to know him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Human {
    /// Who is asked about.
    Himself,
    /// Somebody nobody knows.
    Stranger,
}

/// One role of one department, for one purpose it was granted.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The subject of its certificate.
    pub subject: String,
    /// Another certificate of the role, who must ask the same first.
    pub second: Option<String>,
    pub department: String,
    pub role: String,
    pub purpose: String,
    /// Whether a list may be asked about.
    pub batch: bool,
    /// Whether nobody is told of a person for it.
    pub counts: bool,
    /// Whether the purpose is the first of the role, which is taken where none can be named.
    pub first: bool,
    /// The senders that are the department itself.
    pub sources: Vec<String>,
    /// What the purpose says of the person's word.
    pub consent: String,
    /// For whom it asks.
    pub human: Option<Human>,
}

/// One reply, and by which way it was asked for.
#[derive(Debug)]
pub struct Told {
    pub way: String,
    pub body: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

/// What a scope may have: element, tier of plain values, tier of special ones.
pub type May = HashMap<String, (String, BTreeMap<String, String>)>;

/// A file of the shipped policies.
fn shipped(file: &str) -> toml::Table {
    let path = std::path::Path::new(crate::rig::ROOT).join("policies").join(file);
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A desk for every grant that has a certificate to ask with.
pub fn desks() -> Vec<Desk> {
    let (departments, purposes) = (shipped("departments.toml"), shipped("purposes.toml"));
    let rows = |table: &toml::Table, key: &str| table[key].as_array().unwrap().clone();
    let text = |row: &toml::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let flag = |row: Option<&toml::Value>| row.and_then(toml::Value::as_bool).unwrap_or(false);
    let required = |terms: &toml::Value, key: &str| {
        let rows = terms.get("requires").and_then(toml::Value::as_array);
        rows.into_iter().flatten().any(|row| row["evidence"].as_str() == Some(key))
    };
    let mut found = Vec::new();
    for department in rows(&departments, "department") {
        let certificates = department["certificates"].as_array().unwrap();
        for grant in department["grants"].as_array().unwrap() {
            let purpose = text(grant, "purpose");
            let terms = rows(&purposes, "purpose");
            let terms = terms.iter().find(|terms| terms["id"].as_str() == Some(&purpose)).unwrap();
            let four_eyes = flag(terms.get("ticket").and_then(|ticket| ticket.get("four_eyes")));
            for role in grant["roles"].as_array().unwrap() {
                let of_role = certificates.iter().filter(|one| one["role"] == *role);
                let subjects: Vec<_> = of_role.map(|one| text(one, "subject")).collect();
                let Some(subject) = subjects.first() else { continue };
                let first = found.iter().all(|desk: &Desk| desk.subject != *subject);
                let sources = department.get("sources").and_then(toml::Value::as_array);
                let sources = sources.into_iter().flatten();
                let desk = Desk {
                    first,
                    sources: sources.map(|one| one.as_str().unwrap().to_owned()).collect(),
                    subject: subject.clone(),
                    second: subjects.get(1).filter(|_| four_eyes).cloned(),
                    department: text(&department, "name"),
                    role: role.as_str().unwrap().to_owned(),
                    purpose: purpose.clone(),
                    batch: flag(terms.get("batch")),
                    counts: flag(terms.get("counts")),
                    consent: text(terms, "consent"),
                    human: None,
                };
                let humans = match required(terms, "asked_by") {
                    true => vec![Some(Human::Himself), Some(Human::Stranger)],
                    false => vec![None],
                };
                found.extend(humans.into_iter().map(|human| Desk { human, ..desk.clone() }));
            }
        }
    }
    found
}

/// Lists (名单) without which no batch is answered: one for each desk that may bring one.
pub fn lists() -> String {
    let purposes = shipped("purposes.toml");
    let is_batch = |id: &toml::Value| {
        let all = purposes["purpose"].as_array().unwrap();
        let terms = all.iter().find(|one| one["id"] == *id).unwrap();
        terms.get("batch").is_some()
    };
    let mut text = String::new();
    for department in shipped("departments.toml")["department"].as_array().unwrap() {
        for grant in department["grants"].as_array().unwrap() {
            for role in grant["roles"].as_array().unwrap() {
                if is_batch(&grant["purpose"]) {
                    let (name, purpose) = (&department["name"], &grant["purpose"]);
                    let list = list(name.as_str().unwrap(), purpose.as_str().unwrap());
                    text += &format!(
                        "\n[[subscription]]\nname = \"{list}\"\ndepartment = {name}\n\
                         role = {role}\npurpose = {purpose}\n"
                    );
                }
            }
        }
    }
    text
}

fn list(department: &str, purpose: &str) -> String {
    // A name has at most 32 characters.
    format!("{department}-{purpose}").chars().take(32).collect()
}

impl Desk {
    /// The number of the human for whom it asks about somebody.
    fn asked_by(&self, citizen: &str) -> Option<String> {
        self.human.map(|human| match human {
            Human::Himself => citizen.to_owned(),
            Human::Stranger => Resident::new().citizen,
        })
    }

    /// The same in a header.
    fn asked_by_header(&self, citizen: &str) -> String {
        let number = self.asked_by(citizen);
        number.map_or_else(String::new, |number| {
            format!("kangqiao-asked-by: citizen-id|{number}\r\n")
        })
    }

    /// What it may have, as `kangqiao explain` says, where these relations tie it to the person.
    pub fn may(&self, rig: &Rig, relations: &[&str]) -> May {
        let Self { department, role, purpose, .. } = self;
        let mut words = vec!["explain", "--json", "--department", department, "--role", role];
        words.extend(["--purpose", purpose]);
        let own = self.human.filter(|human| *human == Human::Himself).map(|_| "person");
        let relations = relations.iter().copied().chain(own);
        relations.for_each(|relation| words.extend(["--relation", relation]));
        let told: Value = serde_json::from_str(&rig.succeed(&words)).unwrap();
        let rows = told[0]["elements"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.map(|row| {
            let special = row["special"].as_object().into_iter().flatten();
            let special = special.map(|(class, tier)| (class.clone(), text(tier))).collect();
            (text(&row["element"]), (text(&row["tier"]), special))
        })
        .collect()
    }
}

/// Connections of all desks to one gateway.
pub struct Doors<'r> {
    rig: &'r Rig,
    links: HashMap<String, Link>,
    /// The resources that are served.
    kinds: Vec<String>,
}

impl<'r> Doors<'r> {
    pub fn new(rig: &'r Rig) -> Self {
        let mut doors = Self { rig, links: HashMap::new(), kinds: Vec::new() };
        let served = doors.ask(crate::rig::CLERK, "GET /fhir/metadata", ("", b"")).json();
        let resources = served["rest"][0]["resource"].as_array().unwrap().iter();
        doors.kinds = resources.map(|one| one["type"].as_str().unwrap().to_owned()).collect();
        doors
    }

    /// A request on the kept connection of a certificate.
    pub fn ask(&mut self, who: &str, line: &str, (headers, body): (&str, &[u8])) -> Reply {
        let (host, length) = (at(self.rig.ports.https), body.len());
        let head =
            format!("{line} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n");
        let request = [head.as_bytes(), body].concat();
        let link = self.links.entry(who.to_owned()).or_insert_with(|| self.rig.https(who));
        if let Ok(reply) = link.ask(&request) {
            return reply;
        }
        *link = self.rig.https(who);
        link.ask(&request).unwrap()
    }

    /// A request that needs evidence: each is of a case of its own, and where two must ask the
    /// other asks first.
    fn due(&mut self, desk: &Desk, ask: impl Fn(&mut Self, &str, &str) -> Reply) -> Reply {
        let case = format!("CASE-{}", unique());
        if let Some(second) = &desk.second {
            ask(self, second, &case);
        }
        ask(self, &desk.subject, &case)
    }

    /// The published interface.
    pub fn json(&mut self, desk: &Desk, citizen: &str) -> Told {
        let reply = self.due(desk, |doors, who, case| {
            let mut evidence = json!({ "call": case, "case": case, "reason": "走失" });
            if let Some(number) = desk.asked_by(citizen) {
                evidence["asked_by"] = json!({ "kind": "citizen-id", "value": number });
            }
            let question = json!({ "purpose": desk.purpose, "evidence": evidence,
                "identifier": { "kind": "citizen-id", "value": citizen } });
            let headers = "content-type: application/json\r\n";
            doors.ask(who, "POST /v1/inquiries", (headers, question.to_string().as_bytes()))
        });
        told("json".to_owned(), &reply)
    }

    /// A search for each resource that is served; where they would be too many, a part of them.
    pub fn fhir(&mut self, desk: &Desk, citizen: &str, part: (usize, usize)) -> Vec<Told> {
        let kinds = self.kinds.clone().into_iter().skip(part.0).step_by(part.1);
        let search = kinds.map(|kind| {
            let by = if kind == "Patient" { "identifier" } else { "patient.identifier" };
            let line = format!("GET /fhir/{kind}?{by}=urn:oid:2.16.156.10011.1.3%7C{citizen}");
            let reply = self.due(desk, |doors, who, case| {
                let purpose = &desk.purpose;
                let headers = format!(
                    "kangqiao-purpose: {purpose}\r\nkangqiao-call: {case}\r\n\
                     kangqiao-case: {case}\r\nkangqiao-reason: lost\r\n"
                ) + &desk.asked_by_header(citizen);
                doors.ask(who, &line, (&headers, b""))
            });
            told(format!("fhir {kind}"), &reply)
        });
        search.collect()
    }

    /// Both dialects of the exchange services, PDQ and PIX.
    pub fn exchange(&mut self, desk: &Desk, citizen: &str) -> Vec<Told> {
        let mut found = Vec::new();
        for dialect in ["hospital", "regional"] {
            let reply = self.due(desk, |doors, who, case| {
                let header = |name: &str, value: &str| {
                    format!("<{name} xmlns='urn:hl7-org:v3'>{value}</{name}>")
                };
                let asked_by = desk
                    .asked_by(citizen)
                    .map(|number| header("AskedBy", &format!("citizen-id|{number}")));
                let headers = header("Purpose", &desk.purpose)
                    + &asked_by.unwrap_or_default()
                    + &header("Call", case)
                    + &header("Case", case)
                    + &header("Reason", "走失");
                let message = services::query(dialect, citizen);
                let envelope = services::envelope((dialect, &headers), &message);
                let head = "content-type: text/xml; charset=utf-8\r\n";
                doors.ask(who, &format!("POST /soap/{dialect}"), (head, envelope.as_bytes()))
            });
            found.push(told(format!("soap {dialect}"), &reply));
        }
        let pdq = query("Q22", &format!("@PID.3.1^{citizen}~@PID.3.5^NI"));
        let pix = query("Q23", &format!("{citizen}^^^^NI"));
        for (way, body) in [("pdq", pdq), ("pix", pix)].into_iter().filter(|_| desk.first) {
            let headers = "content-type: application/hl7-v2\r\n";
            let reply = self.ask(&desk.subject, "POST /v1/messages", (headers, &body));
            found.push(told(way.to_owned(), &reply));
        }
        found
    }

    /// A batch of one row, as objects and as a table.
    pub fn batch(&mut self, desk: &Desk, citizen: &str) -> Vec<Told> {
        let subject = desk.subject.as_str();
        let name = list(&desk.department, &desk.purpose);
        let elder = json!({ "identifier": { "kind": "citizen-id", "value": citizen },
            "reference": "R" });
        if desk.batch {
            let body = json!({ "subscription": name, "enrol": [elder] }).to_string();
            let headers = "content-type: application/json\r\n";
            let reply = self.ask(subject, "POST /v1/subscriptions", (headers, body.as_bytes()));
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        }
        let case = format!("CASE-{}", unique());
        let headers = format!(
            "kangqiao-purpose: {}\r\ncontent-type: application/x-ndjson\r\n\
             kangqiao-call: {case}\r\nkangqiao-case: {case}\r\nkangqiao-reason: lost\r\n",
            desk.purpose
        ) + &desk.asked_by_header(citizen);
        let row = elder.to_string() + "\n";
        let brought = self.ask(subject, "POST /v1/batches", (&headers, row.as_bytes()));
        let mut found = vec![told("batch".to_owned(), &brought)];
        if brought.status != 202 {
            assert!(!desk.batch, "{}", String::from_utf8_lossy(&brought.body));
            return found;
        }
        let place = format!("/v1/batches/{}", brought.json()["batch"].as_str().unwrap());
        until("the row is checked", || {
            let state = self.ask(subject, &format!("GET {place}"), ("", b"")).json();
            (state["state"] == "ready").then_some(())
        });
        for (way, media) in [("ndjson", "application/x-ndjson"), ("csv", "text/csv")] {
            let accept = format!("accept: {media}\r\n");
            let reply = self.ask(subject, &format!("GET {place}/answers?from=1"), (&accept, b""));
            assert_eq!(reply.status, 200);
            found.push(told(way.to_owned(), &reply));
        }
        self.ask(subject, &format!("DELETE {place}"), ("", b""));
        found
    }

    /// All of them, with a part of the searches of FHIR.
    pub fn all(&mut self, desk: &Desk, citizen: &str, part: (usize, usize)) -> Vec<Told> {
        let mut found = vec![self.json(desk, citizen)];
        found.extend(self.fhir(desk, citizen, part));
        found.extend(self.exchange(desk, citizen));
        found.extend(self.batch(desk, citizen));
        found
    }
}

fn told(way: String, reply: &Reply) -> Told {
    Told { way, body: reply.body.clone(), headers: reply.headers.clone() }
}
