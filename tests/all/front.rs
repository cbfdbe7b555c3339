//! 前置库, what stands in the tables of answers: no word that the department may not have.

use crate::canary::{PEOPLE, arrives, check, opens, site};
use crate::rig::PLAIN_SENDER;
use crate::rig::database::Server;
use crate::rig::message::unique;
use crate::ways::{Desk, Told, desks};
use crate::words::Words;

/// What the tables of a desk are called.
fn tables(number: usize) -> [String; 2] {
    [format!("asked_{number}"), format!("told_{number}")]
}

#[test]
fn no_word_stands_in_a_table_that_its_department_may_not_have() {
    let Some(server) = Server::start() else { return };
    let all = desks();
    let mut configured = String::new();
    for (number, Desk { department, role, .. }) in all.iter().enumerate() {
        let [asked, answers] = tables(number);
        server.inquiries(&asked, &answers);
        configured += &server.asked(&asked, (department, role), (&asked, &answers));
    }
    let (rig, _receiver) = site(&configured);
    let mut words = Words::new();
    let people: Vec<_> =
        (0..PEOPLE.len()).map(|number| arrives(&rig, &mut words, number)).collect();
    let mut read = 0;
    for (number, desk) in all.iter().enumerate() {
        let [asked, answers] = tables(number);
        for (person, resident) in people.iter().enumerate() {
            let (purpose, case, citizen) = (&desk.purpose, unique(), &resident.citizen);
            server.run(&format!(
                "INSERT INTO {asked} (id, identifier_kind, identifier, purpose, \"call\", \
                 \"case\", reason) VALUES ({person}, 'citizen-id', '{citizen}', '{purpose}', \
                 'CASE-{case}', 'CASE-{case}', '走失')"
            ));
        }
        server.answered(&asked);
        let may = [&[][..], &["treating"]].map(|relations| desk.may(&rig, relations));
        let by = format!("{} {} {}", desk.department, desk.role, desk.purpose);
        for (person, (word, treated, _)) in PEOPLE.into_iter().enumerate() {
            let treats = treated && desk.sources.iter().any(|one| one == PLAIN_SENDER);
            let open = opens(desk, &may[usize::from(treats)], word);
            let rows = server.run(&format!(
                "SELECT row_to_json(a), row_to_json(i) FROM {asked} i LEFT JOIN {answers} a \
                 ON a.inquiry = i.id WHERE i.id = {person}"
            ));
            assert!(!rows.is_empty());
            let (way, body) = ("table".to_owned(), rows.into_bytes());
            read += check(&words, &Told { way, body, headers: Vec::new() }, (&by, &open));
        }
    }
    assert!(read > 0, "nothing at all was told");
}
