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
use crate::{spread, summary};

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
    let mut auditor = Auditor::new(rig);
    let number = |look: u64| spread(look, entries);
    let get = |path: String| (path, String::new());
    let asks = |look: u64| ASKS[look as usize % ASKS.len()];
    let whom = |look: u64| person(number(look)).0;
    // The time of an entry, as a field of the form has it.
    let at = |number: u64| {
        let at = chrono::DateTime::from_timestamp_millis(entry(number).at_ms).unwrap();
        at.format("%Y-%m-%dT%H:%M").to_string()
    };
    let terms = |words: &[(&str, &str)]| {
        let words: Vec<_> = words.iter().map(|(name, value)| format!("{name}={value}")).collect();
        get(format!("/ledger/department?{}", words.join("&")))
    };
    let mut found = Map::new();
    let mut page = |name: &str, looks: u64, page: &dyn Fn(u64) -> (String, String)| {
        eprintln!("{name}");
        found.insert(name.to_owned(), auditor.look(rig, looks, page));
    };
    page("overview", LOOKS, &|_| get("/overview".to_owned()));
    page("begin", LOOKS, &|_| get("/ledger".to_owned()));
    page("newest", LOOKS, &|_| get("/ledger/latest".to_owned()));
    page("newest, far back", LOOKS, &|look| get(format!("/ledger/latest?before={}", number(look))));
    page("department", LOOKS, &|look| terms(&[("name", asks(look).0)]));
    page("department, far back", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("before", &number(look).to_string())])
    });
    page("department that asks rarely", LOOKS, &|_| terms(&[("name", RARELY.0)]));
    page("kind", LOOKS, &|look| terms(&[("kind", ["disclosure", "sign-in"][look as usize % 2])]));
    page("refusals of a department, far back", LOOKS, &|look| {
        let before = number(look).to_string();
        terms(&[("name", asks(look).0), ("kind", "refusal"), ("before", &before)])
    });
    page("break-glass, which is rare", LOOKS, &|_| terms(&[("kind", "break-glass")]));
    page("break-glass of a department", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("kind", "break-glass")])
    });
    page("what happened once", LOOKS, &|_| terms(&[("kind", ONCE_KIND.as_str())]));
    page("what never happened", LOOKS, &|look| {
        terms(&[("kind", ["witness", "merge", "retention"][look as usize % 3])])
    });
    page("what never happened together", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("kind", "query")])
    });
    page("purpose", LOOKS, &|look| terms(&[("purpose", asks(look).2)]));
    page("purpose that is rare", LOOKS, &|_| terms(&[("purpose", RARELY.2)]));
    page("element", LOOKS, &|look| terms(&[("element", ELEMENTS[look as usize % ELEMENTS.len()])]));
    page("element that is rare", LOOKS, &|_| terms(&[("element", RARE_ELEMENT)]));
    page("element that never left", LOOKS, &|_| terms(&[("element", "DE99.99.999.99")]));
    page("element for a department and purpose", LOOKS, &|look| {
        let (department, _, purpose) = asks(look);
        let element = ELEMENTS[look as usize % ASKS.len() * 2];
        terms(&[("name", department), ("purpose", purpose), ("element", element)])
    });
    page("element of refusals, which have none", LOOKS, &|look| {
        terms(&[("kind", "refusal"), ("element", ELEMENTS[look as usize % ELEMENTS.len()])])
    });
    page("all terms at once, of an hour", LOOKS, &|look| {
        let (from, (department, _, purpose)) = (number(look) / 2, asks(look));
        let element = ELEMENTS[look as usize % ASKS.len() * 2];
        terms(&[
            ("name", department),
            ("kind", "disclosure"),
            ("purpose", purpose),
            ("element", element),
            ("since", &at(from)),
            ("until", &at(from + 90_000)),
        ])
    });
    page("an hour", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("since", &at(from)), ("until", &at(from + 90_000))])
    });
    page("refusals of an hour", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("kind", "refusal"), ("since", &at(from)), ("until", &at(from + 90_000))])
    });
    page("what is rare, of an hour without it", LOOKS, &|look| {
        let from = number(look) / 2;
        terms(&[("kind", "policy"), ("since", &at(from)), ("until", &at(from + 90_000))])
    });
    page("since the beginning", LOOKS, &|look| {
        terms(&[("name", asks(look).0), ("since", &at(0)), ("until", &at(number(look) + 2000))])
    });
    page("person", LOOKS, &|look| {
        ("/ledger/person".to_owned(), format!("pseudonym={}", whom(look)))
    });
    page("person, far back", LOOKS, &|look| {
        let before = number(look + 1);
        ("/ledger/person".to_owned(), format!("pseudonym={}&before={before}", whom(look)))
    });
    page("person asked about most, far back", LOOKS, &|look| {
        let (whom, before) = (pseudonym(OFTEN).0, number(look));
        ("/ledger/person".to_owned(), format!("pseudonym={whom}&before={before}"))
    });
    page("person, by 64 names", LOOKS, &|look| {
        let names: Vec<_> = (0..64).map(|step| whom(look * 64 + step)).collect();
        ("/ledger/person".to_owned(), format!("pseudonym={}", names.join("+")))
    });
    page("person nobody knows, by number", LOOKS, &|_| {
        ("/ledger/person".to_owned(), format!("kind=citizen-id&value={}", Resident::new().citizen))
    });
    page("receipt", LOOKS, &|look| {
        ("/ledger/entry".to_owned(), format!("receipt={}", entry(number(look)).receipt))
    });
    page("number", LOOKS, &|look| {
        ("/ledger/entry".to_owned(), format!("receipt={}", number(look)))
    });
    page("entry", LOOKS, &|look| get(format!("/ledger/entry/{}", number(look))));
    page("entry, the first there are", LOOKS, &|look| get(format!("/ledger/entry/{look}")));
    page("proof", LOOKS, &|look| get(format!("/ledger/entry/{}/proof", number(look))));
    page("tickets", LOOKS, &|_| get("/ledger/tickets".to_owned()));
    page("holds", LOOKS, &|_| get("/ledger/holds".to_owned()));
    page("trace", LOOKS, &|_| get("/trace".to_owned()));
    page("doubts, as they are read", 20, &|_| get("/ledger/doubts".to_owned()));
    page("doubts, bulk", 20, &|_| get("/ledger/doubts?of=bulk".to_owned()));
    // What a person is handed is no search: every entry is read for it, for the search tables are
    // not signed. Of very many that takes longer than our client waits.
    if entries <= HANDED_MAX {
        page("access history", 1, &|look| {
            ("/ledger/history".to_owned(), format!("pseudonym={}&form=html", whom(look)))
        });
    }
    let once = terms(&[("kind", ONCE_KIND.as_str())]).0;
    let told = String::from_utf8(auditor.ask("GET", &once, "")).unwrap();
    assert!(told.contains(&format!("/ledger/entry/{ONCE}\"")), "what happened once is found");
    json!(found)
}
