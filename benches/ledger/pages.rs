//! The pages an auditor reads, by the console's own port, of the ledger that was filled.

use std::time::{Duration, Instant};

use kangqiao_conformance::https::Link;
use serde_json::{Map, Value, json};

use crate::console::enrol;
use crate::generated::{
    ASKS, ELEMENTS, OFTEN, ONCE, ONCE_KIND, RARE_ELEMENT, RARELY, entry, person, pseudonym,
};
use crate::rig::message::Resident;
use crate::rig::{Rig, at};
use crate::{UNDER_WAY, spread, summary};

/// Looks at each page.
const LOOKS: u64 = 200;
/// Of so many entries an access history is made in what a client waits.
const HANDED_MAX: u64 = 1_000_000;
/// What no page may take, in milliseconds.
const SLOW_MS: f64 = 1000.0;

/// Somebody who has signed in.
struct Auditor {
    link: Link,
    host: String,
    cookies: String,
    token: String,
}

impl Auditor {
    fn new(rig: &Rig) -> Self {
        let (link, cookies) = enrol(rig, "lin", "auditor").signed_in(rig, "lin");
        let (host, token) = (at(rig.ports.console), String::new());
        let mut auditor = Self { link, host, cookies, token };
        // A form without its token leads nowhere.
        let page = String::from_utf8(auditor.ask("GET", "/ledger", "")).unwrap();
        let token = page.split_once("name=\"form_token\" value=\"").unwrap().1;
        auditor.token = token.split('"').next().unwrap().to_owned();
        auditor
    }

    /// What a page holds.
    fn ask(&mut self, method: &str, path: &str, form: &str) -> Vec<u8> {
        let Self { host, cookies, .. } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookies}\r\n\
             sec-fetch-site: same-origin\r\norigin: https://{host}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        let reply = self.link.ask(request.as_bytes()).unwrap();
        assert_eq!(reply.status, 200, "{path}");
        reply.body
    }

    /// How long a page takes in milliseconds: once after the disk's cache was emptied of the
    /// ledger, then each time another of it.
    fn look(&mut self, rig: &Rig, looks: u64, page: &dyn Fn(u64) -> (String, String)) -> Value {
        let mut look = |number| {
            let (path, mut form) = page(number);
            let method = if form.is_empty() { "GET" } else { "POST" };
            if !form.is_empty() {
                form = format!("form_token={}&{form}", self.token);
            }
            let began = Instant::now();
            assert!(!self.ask(method, &path, &form).is_empty());
            began.elapsed().as_secs_f64() * 1000.0
        };
        forget(rig);
        let cold = look(looks);
        let mut found = summary((0..looks).map(look).collect());
        found["cold"] = json!(cold);
        found
    }
}

/// Has the system let go of what it remembers of the file.
fn forget(rig: &Rig) {
    let file = std::fs::File::open(rig.path().join("data/kangqiao.db")).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

/// The pages that once took too long. What a person is handed is not asked for in a second.
pub fn missed(pages: &Value) -> Vec<&str> {
    let slow = |found: &Value| {
        ["cold", "slowest"].iter().any(|which| found[which].as_f64().unwrap() > SLOW_MS)
    };
    let pages = pages.as_object().unwrap().iter();
    let searches = pages.filter(|(name, _)| *name != "access history");
    searches.filter(|(_, found)| slow(found)).map(|(name, _)| name.as_str()).collect()
}

/// Waits until the gateway knows by which words the entries are found; how long that took.
pub fn followed(rig: &Rig, entries: u64) -> f64 {
    let began = Instant::now();
    while rig.stored("SELECT until FROM worded") < entries {
        std::thread::sleep(Duration::from_millis(100));
    }
    began.elapsed().as_secs_f64()
}

/// Every page of the ledger and every question it can be asked, of one with so many entries.
pub fn read(rig: &Rig, entries: u64) -> Value {
    let mut pages = Pages { rig, auditor: Auditor::new(rig), entries, found: Map::new() };
    for some in [lists, rare_and_common, elements, times, persons, single] {
        some(&mut pages);
    }
    // What a person is handed is no search: every entry is read for it, for the search tables are
    // not signed. Of very many that takes longer than our client waits.
    if entries <= HANDED_MAX {
        pages.look("access history", 1, &|look| {
            let whom = person(spread(look, entries)).0;
            ("/ledger/history".to_owned(), format!("pseudonym={whom}&form=html"))
        });
    }
    let once = terms(&[("kind", ONCE_KIND.as_str())]).0;
    let told = String::from_utf8(pages.auditor.ask("GET", &once, "")).unwrap();
    // Many are appended at once, so its number is near that and not always that.
    let near = (ONCE.saturating_sub(UNDER_WAY)..ONCE + UNDER_WAY)
        .any(|number| told.contains(&format!("/ledger/entry/{number}\"")));
    assert!(near, "what happened once is found");
    json!(pages.found)
}

/// What was looked at, and how long it took.
struct Pages<'a> {
    rig: &'a Rig,
    auditor: Auditor,
    entries: u64,
    found: Map<String, Value>,
}

impl Pages<'_> {
    fn look(&mut self, name: &str, looks: u64, page: &dyn Fn(u64) -> (String, String)) {
        eprintln!("{name}");
        self.found.insert(name.to_owned(), self.auditor.look(self.rig, looks, page));
    }
}

/// A page without a form.
const fn get(path: String) -> (String, String) {
    (path, String::new())
}

/// Whom, for whom and for what an entry of a look is.
fn asks(look: u64) -> (&'static str, &'static str, &'static str) {
    ASKS[look as usize % ASKS.len()]
}

/// The time of an entry, as a field of the form has it.
fn moment(number: u64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(entry(number).at_ms).unwrap();
    at.format("%Y-%m-%dT%H:%M").to_string()
}

/// The page of entries by what they say.
fn terms(words: &[(&str, &str)]) -> (String, String) {
    let words: Vec<_> = words.iter().map(|(name, value)| format!("{name}={value}")).collect();
    get(format!("/ledger/department?{}", words.join("&")))
}

/// The pages that list the newest.
fn lists(pages: &mut Pages<'_>) {
    let entries = pages.entries;
    let number = |look: u64| spread(look, entries);
    pages.look("overview", LOOKS, &|_| get("/overview".to_owned()));
    pages.look("begin", LOOKS, &|_| get("/ledger".to_owned()));
    pages.look("newest", LOOKS, &|_| get("/ledger/latest".to_owned()));
    pages.look("newest, far back", LOOKS, &|look| {
        get(format!("/ledger/latest?before={}", number(look)))
    });
}

/// What is asked by kind, department and purpose, often and rarely.
fn rare_and_common(pages: &mut Pages<'_>) {
    let entries = pages.entries;
    let number = |look: u64| spread(look, entries);
    pages.look("department", LOOKS, &|look| terms(&[("name", asks(look).0)]));
    pages.look("department, far back", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("before", &number(look).to_string())])
    });
    pages.look("department that asks rarely", LOOKS, &|_| terms(&[("name", RARELY.0)]));
    pages.look("kind", LOOKS, &|look| {
        terms(&[("kind", ["disclosure", "sign-in"][look as usize % 2])])
    });
    pages.look("refusals of a department, far back", LOOKS, &|look| {
        let before = number(look).to_string();
        terms(&[("name", asks(look).0), ("kind", "refusal"), ("before", &before)])
    });
    pages.look("break-glass, which is rare", LOOKS, &|_| terms(&[("kind", "break-glass")]));
    pages.look("break-glass of a department", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("kind", "break-glass")])
    });
    pages.look("what happened once", LOOKS, &|_| terms(&[("kind", ONCE_KIND.as_str())]));
    pages.look("what never happened", LOOKS, &|look| {
        terms(&[("kind", ["witness", "merge", "retention"][look as usize % 3])])
    });
    pages.look("what never happened together", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("kind", "query")])
    });
    pages.look("purpose", LOOKS, &|look| terms(&[("purpose", asks(look).2)]));
    pages.look("purpose that is rare", LOOKS, &|_| terms(&[("purpose", RARELY.2)]));
}

/// What is asked by element.
fn elements(pages: &mut Pages<'_>) {
    pages.look("element", LOOKS, &|look| {
        terms(&[("element", ELEMENTS[look as usize % ELEMENTS.len()])])
    });
    pages.look("element that is rare", LOOKS, &|_| terms(&[("element", RARE_ELEMENT)]));
    pages.look("element that never left", LOOKS, &|_| terms(&[("element", "DE99.99.999.99")]));
    pages.look("element for a department and purpose", LOOKS, &|look| {
        let (department, _, purpose) = asks(look);
        let element = ELEMENTS[look as usize % ASKS.len() * 2];
        terms(&[("name", department), ("purpose", purpose), ("element", element)])
    });
    pages.look("element of refusals, which have none", LOOKS, &|look| {
        terms(&[("kind", "refusal"), ("element", ELEMENTS[look as usize % ELEMENTS.len()])])
    });
}

/// What is asked of a time.
fn times(pages: &mut Pages<'_>) {
    let entries = pages.entries;
    let number = |look: u64| spread(look, entries);
    pages.look("all terms at once, of an hour", LOOKS, &|look| {
        let (from, (department, _, purpose)) = (number(look) / 2, asks(look));
        let element = ELEMENTS[look as usize % ASKS.len() * 2];
        terms(&[
            ("name", department),
            ("kind", "disclosure"),
            ("purpose", purpose),
            ("element", element),
            ("since", &moment(from)),
            ("until", &moment(from + 90_000)),
        ])
    });
    pages.look("an hour", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("since", &moment(from)), ("until", &moment(from + 90_000))])
    });
    pages.look("refusals of an hour", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("kind", "refusal"), ("since", &moment(from)), ("until", &moment(from + 90_000))])
    });
    pages.look("what is rare, of an hour without it", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("kind", "policy"), ("since", &moment(from)), ("until", &moment(from + 90_000))])
    });
    pages.look("since the beginning", LOOKS, &|look| {
        let until = moment(number(look) + 2000);
        terms(&[("name", asks(look).0), ("since", &moment(0)), ("until", &until)])
    });
}

/// What is asked about persons.
fn persons(pages: &mut Pages<'_>) {
    let entries = pages.entries;
    let number = |look: u64| spread(look, entries);
    let whom = |look: u64| person(number(look)).0;
    pages.look("person", LOOKS, &|look| {
        ("/ledger/person".to_owned(), format!("pseudonym={}", whom(look)))
    });
    pages.look("person, far back", LOOKS, &|look| {
        let before = number(look + 1);
        ("/ledger/person".to_owned(), format!("pseudonym={}&before={before}", whom(look)))
    });
    pages.look("person asked about most, far back", LOOKS, &|look| {
        let (whom, before) = (pseudonym(OFTEN).0, number(look));
        ("/ledger/person".to_owned(), format!("pseudonym={whom}&before={before}"))
    });
    pages.look("person, by 64 names", LOOKS, &|look| {
        let names: Vec<_> = (0..64).map(|step| whom(look * 64 + step)).collect();
        ("/ledger/person".to_owned(), format!("pseudonym={}", names.join("+")))
    });
    pages.look("person nobody knows, by number", LOOKS, &|_| {
        ("/ledger/person".to_owned(), format!("kind=citizen-id&value={}", Resident::new().citizen))
    });
}

/// One entry, its proof, and the pages beside the ledger.
fn single(pages: &mut Pages<'_>) {
    let entries = pages.entries;
    let number = |look: u64| spread(look, entries);
    pages.look("receipt", LOOKS, &|look| {
        ("/ledger/entry".to_owned(), format!("receipt={}", entry(number(look)).receipt))
    });
    pages.look("number", LOOKS, &|look| {
        ("/ledger/entry".to_owned(), format!("receipt={}", number(look)))
    });
    pages.look("entry", LOOKS, &|look| get(format!("/ledger/entry/{}", number(look))));
    pages.look("entry, the first there are", LOOKS, &|look| get(format!("/ledger/entry/{look}")));
    pages.look("proof", LOOKS, &|look| get(format!("/ledger/entry/{}/proof", number(look))));
    pages.look("tickets", LOOKS, &|_| get("/ledger/tickets".to_owned()));
    pages.look("holds", LOOKS, &|_| get("/ledger/holds".to_owned()));
    pages.look("trace", LOOKS, &|_| get("/trace".to_owned()));
    pages.look("doubts, as they are read", 20, &|_| get("/ledger/doubts".to_owned()));
    pages.look("doubts, bulk", 20, &|_| get("/ledger/doubts?of=bulk".to_owned()));
}
