//! The pages an auditor reads, by the console's own port, of the ledger that was filled.

use std::time::Instant;

use kangqiao_conformance::https::Link;
use serde_json::{Map, Value, json};

use crate::console::enrol;
use crate::rig::{Rig, at};
use crate::{DEPARTMENTS, entry, spread, summary};

/// Looks at each page.
const LOOKS: u64 = 200;

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

    /// How long a page takes, each time another of it, in milliseconds.
    fn look(&mut self, looks: u64, page: impl Fn(u64) -> (String, String)) -> Value {
        let times = (0..looks).map(|look| {
            let (path, mut form) = page(look);
            let method = if form.is_empty() { "GET" } else { "POST" };
            if !form.is_empty() {
                form = format!("form_token={}&{form}", self.token);
            }
            let began = Instant::now();
            assert!(!self.ask(method, &path, &form).is_empty());
            began.elapsed().as_secs_f64() * 1000.0
        });
        summary(times.collect())
    }
}

/// Every page of the ledger, of one with so many entries, by p50 and p99.
pub fn read(rig: &Rig, entries: u64) -> Value {
    let mut auditor = Auditor::new(rig);
    let number = |look: u64| spread(look, entries);
    let get = |path: String| (path, String::new());
    let department = |look: u64| DEPARTMENTS[look as usize % DEPARTMENTS.len()];
    let whom = |look: u64| entry(number(look)).person.unwrap().0;
    let mut found = Map::new();
    let mut page = |name: &str, looks: u64, page: &dyn Fn(u64) -> (String, String)| {
        found.insert(name.to_owned(), auditor.look(looks, page));
    };
    page("overview", LOOKS, &|_| get("/overview".to_owned()));
    page("newest", LOOKS, &|_| get("/ledger/latest".to_owned()));
    page("newest, far back", LOOKS, &|look| get(format!("/ledger/latest?before={}", number(look))));
    page("department", LOOKS, &|look| get(format!("/ledger/department?name={}", department(look))));
    page("department, far back", LOOKS, &|look| {
        get(format!("/ledger/department?name={}&before={}", department(look), number(look)))
    });
    page("person", LOOKS, &|look| {
        ("/ledger/person".to_owned(), format!("pseudonym={}", whom(look)))
    });
    page("person, far back", LOOKS, &|look| {
        let before = number(look + 1);
        ("/ledger/person".to_owned(), format!("pseudonym={}&before={before}", whom(look)))
    });
    page("receipt", LOOKS, &|look| {
        ("/ledger/entry".to_owned(), format!("receipt={}", entry(number(look)).receipt))
    });
    page("entry", LOOKS, &|look| get(format!("/ledger/entry/{}", number(look))));
    page("proof", LOOKS, &|look| get(format!("/ledger/entry/{}/proof", number(look))));
    page("tickets", LOOKS, &|_| get("/ledger/tickets".to_owned()));
    page("doubts, first", 1, &|_| get("/ledger/doubts".to_owned()));
    page("doubts", 20, &|_| get("/ledger/doubts".to_owned()));
    page("access history", 1, &|look| {
        ("/ledger/history".to_owned(), format!("pseudonym={}&form=html", whom(look)))
    });
    json!(found)
}
