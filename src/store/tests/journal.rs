//! Messages: kept once, told apart, held, replayed.

use super::*;

#[tokio::test]
async fn the_same_bytes_again_get_the_stored_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (control_id, proposed) in
        [("a", apply("a", vec![local(1)])), ("b", quarantine()), ("c", refuse())]
    {
        let first = store.keep(arrival(control_id, "x", proposed)).await.unwrap();
        assert!(!first.repeat);
        let mut late = arrival(control_id, "x", refuse());
        late.received_at_ms += 5000;
        let again = store.keep(late).await.unwrap();
        assert_eq!(again, Kept { repeat: true, ..first });
    }
    let count = store.counts().await.unwrap()[0];
    assert_eq!((count.received, count.repeated, count.reused), (3, 3, 0));
}

#[tokio::test]
async fn other_bytes_under_a_used_number_are_kept_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let say = |text: &str| arrival("1", text, apply(text, vec![local(1)]));
    let first = store.keep(say("x")).await.unwrap();
    let other = store.keep(say("y")).await.unwrap();
    assert!(other.control_id_reused && !other.repeat && other.number == 2);
    for (text, number) in [("x", 1), ("y", 2)] {
        let again = store.keep(say(text)).await.unwrap();
        assert!(again.repeat && again.number == number, "each is found by its bytes");
    }
    assert_eq!(texts(&store, first.persons[0]).await, ["y", "x"]);
    let mut elsewhere = say("z");
    elsewhere.source = source("hospital-b");
    assert!(!store.keep(elsewhere).await.unwrap().control_id_reused);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts[0].reused, counts[1].reused), (1, 0));
    let alarms = store.alarms(0, 9).await.unwrap();
    assert_eq!((alarms.len(), alarms[0].number, alarms[0].state), (1, 2, State::Kept));
    assert_eq!(store.alarms(2, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_long_control_id_is_bounded_and_still_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let long = "号".repeat(50_000);
    for (tail, reused) in [("1", false), ("2", false), ("1", true)] {
        let text = if reused { "other" } else { "text" };
        let message = arrival(&format!("{long}{tail}"), text, quarantine());
        assert_eq!(store.keep(message).await.unwrap().control_id_reused, reused);
    }
    let held = store.held(State::Quarantined, 0, 10).await.unwrap();
    assert!(held.iter().all(|held| held.control_id.len() <= 199));
}

#[tokio::test]
async fn a_held_message_can_be_replayed_until_it_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let message = arrival("1", "one", quarantine());
    let raw = message.raw.clone();
    let number = store.keep(message).await.unwrap().number;
    let held = store.held(State::Quarantined, 0, 10).await.unwrap();
    let reason = Reason { fault: Fault::RequiredMissing, at: Some(Position::Byte(3)) };
    assert_eq!((held[0].number, held[0].reason.clone()), (number, Some(reason)));

    for proposed in [quarantine(), refuse(), apply("one", vec![local(1)])] {
        let replay = store.replay(number).await.unwrap().unwrap();
        assert_eq!((replay.raw, replay.source), (raw.clone(), source("hospital-a")));
        assert_eq!(
            store.set_outcome(number, proposed, retrial(Guard::Hold)).await.unwrap().number,
            number
        );
    }
    let person = store.person(&[local(1).token]).await.unwrap().unwrap();
    assert_eq!(texts(&store, person).await, ["one"]);
    assert_eq!(store.replay(number).await.unwrap().unwrap().raw, raw);
    assert!(matches!(
        store.set_outcome(number, refuse(), retrial(Guard::Hold)).await,
        Err(StoreError::Settled)
    ));
    assert!(matches!(
        store.set_outcome(99, refuse(), retrial(Guard::Hold)).await,
        Err(StoreError::Unknown)
    ));
    let count = store.counts().await.unwrap()[0];
    assert_eq!((count.received, count.kept, count.quarantined, count.refused), (1, 1, 0, 0));
}

file_alone! {
#[tokio::test]
async fn nothing_about_a_person_is_on_disk_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let id = "11010519491231002X";
    for (control_id, canary) in [("1", "canary-kept"), ("2", "canary-held"), ("3", "canary-no")] {
        let proposed = match control_id {
            "1" => apply(canary, vec![indexed(IdentifierKind::CitizenId, id)]),
            "2" => quarantine(),
            _ => refuse(),
        };
        let mut message = arrival(control_id, canary, proposed);
        message.raw = Bytes::from(format!("{canary} {id}"));
        store.keep(message).await.unwrap();
    }
    for emptied in [false, true] {
        let disk = bytes_on_disk(folder.path());
        assert!(holds(&disk, b"hospital-a") && holds(&disk, b"required-missing"));
        for canary in [&b"canary"[..], id.as_bytes(), &id.as_bytes()[..15]] {
            assert!(!holds(&disk, canary), "log emptied: {emptied}");
        }
        let digest: [u8; 32] = Sha256::digest(format!("canary-kept {id}")).into();
        assert!(!holds(&disk, &digest[..16]), "a guessed message cannot be tried on the file");
        assert!(store.empty_log().await || emptied);
    }
}
}

#[tokio::test]
async fn reading_is_bounded_and_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let few = Settings { records_max: 3, ..settings(folder.path()) };
    let store = Store::open(few, &MASTER, chain()).unwrap();
    for text in ["a", "b", "c", "d", "e"] {
        keep(&store, text, vec![local(1)]).await;
    }
    assert_eq!(texts(&store, PersonId(1)).await, ["e", "d", "c"]);
    assert_eq!(store.records(PersonId(1), 2).await.unwrap().len(), 2);
    assert_eq!(store.records(PersonId(9), 2).await.unwrap().len(), 0);
}

file_alone! {
#[tokio::test]
async fn a_row_says_what_its_bytes_are_written_in_and_an_old_one_is_hl7() {
    let folder = tempfile::tempdir().unwrap();
    before_rotations(&folder);
    let store = open(&folder);
    let number = keep(&store, "old", vec![local(1)]).await.number;
    drop(store);
    // As the build before left it.
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    put_back(&file);
    file.execute_batch(
        "ALTER TABLE journal DROP COLUMN form; DROP TABLE document; \
         DROP TABLE directory; DROP TABLE exchanged; DROP TABLE mark; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(file);
    let store = open(&folder);
    let form = async |number| store.replay(number).await.unwrap().unwrap().form;
    assert_eq!(form(number).await, Form::Hl7v2);
    for kind in Form::ALL {
        let mut message = arrival(kind.name(), "x", quarantine());
        message.form = *kind;
        let kept = store.keep(message).await.unwrap();
        assert_eq!(form(kept.number).await, *kind);
    }
    assert_eq!(store.counts().await.unwrap()[0].received, 1 + Form::ALL.len() as u64);
}
}

#[tokio::test]
async fn a_mark_is_written_with_its_row_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mark = |value| Some(crate::store::Mark { name: "table".to_owned(), value });
    for (control, value, expect) in [("1", 7, 7), ("2", 9, 9), ("1", 7, 9)] {
        let mut message = arrival(control, control, quarantine());
        message.mark = mark(value);
        store.keep(message).await.unwrap();
        assert_eq!(store.mark("table".to_owned()).await.unwrap(), expect);
    }
    assert_eq!(store.mark("other".to_owned()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_file_taken_whole_is_known_by_its_bytes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let sums = crate::store::Sums { kept: 5, quarantined: 1, refused: 2 };
    let (exchange, digest) = ("city".to_owned(), [7; 32]);
    assert_eq!(store.exchanged(exchange.clone(), digest).await.unwrap(), None);
    let file = crate::store::Exchanged { exchange: exchange.clone(), digest, sums, at_ms: 1 };
    store.note_exchanged(file).await.unwrap();
    drop(store);
    let store = open(&folder);
    assert_eq!(store.exchanged(exchange, digest).await.unwrap(), Some(sums));
    assert_eq!(store.exchanged("other".to_owned(), digest).await.unwrap(), None);
    assert_eq!(sums.received(), 8);
}
