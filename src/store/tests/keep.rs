//! Messages that are kept together, and rows whose mark goes with them.

use super::*;

/// What became of some messages, in few words.
fn told(each: &[Result<Kept, StoreError>]) -> Vec<&'static str> {
    let word = |one: &Result<Kept, StoreError>| match one {
        Ok(kept) if kept.repeat => "again",
        Ok(_) => "kept",
        Err(StoreError::Damaged) => "damaged",
        Err(StoreError::Unavailable) => "unavailable",
        Err(_) => "otherwise",
    };
    each.iter().map(word).collect()
}

#[tokio::test]
async fn messages_kept_together_are_kept_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    assert_eq!(told(&store.keep_all(Vec::new()).await), [""; 0]);
    let say = |text: &str| arrival(text, text, apply(text, vec![local(1)]));
    let all = || vec![say("a"), say("b"), say("a"), arrival("c", "c", refuse()), say("d")];
    let each = store.keep_all(all()).await;
    assert_eq!(told(&each), ["kept", "kept", "again", "kept", "kept"]);
    let numbers = each.iter().map(|one| one.as_ref().unwrap().number);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 1, 3, 4]);
    assert_eq!(texts(&store, PersonId(1)).await, ["d", "b", "a"]);
    assert_eq!(told(&store.keep_all(all()).await), ["again"; 5]);
}

file_alone! {
#[tokio::test]
async fn messages_of_which_one_finds_no_room_fall_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    keep(&store, "before", vec![local(1)]).await;
    store.write(Request::Pages(1)).await.unwrap();
    let big = "x".repeat(500_000);
    let all = || {
        let say = |name: &str, text: &str| arrival(name, text, apply(text, vec![local(1)]));
        vec![say("a", "a"), say("b", &big), say("c", "c")]
    };
    assert_eq!(told(&store.keep_all(all()).await), ["unavailable"; 3]);
    assert_eq!(texts(&store, PersonId(1)).await, ["before"]);
    store.write(Request::Pages(1_000_000)).await.unwrap();
    assert_eq!(told(&store.keep_all(all()).await), ["kept"; 3]);
    assert_eq!(texts(&store, PersonId(1)).await, ["c", &big[..], "a", "before"]);
}

/// A store in which nothing can be kept of person 1.
async fn damaged(folder: &TempDir) -> Store {
    let store = open(folder);
    keep(&store, "1", vec![local(1)]).await;
    keep(&store, "2", vec![local(2)]).await;
    drop(store);
    let file = sql::sqlite::open(&file::database(folder.path())).unwrap();
    file.execute("UPDATE person SET wrapped = zeroblob(40) WHERE id = 1", []).unwrap();
    drop(file);
    open(folder)
}

#[tokio::test]
async fn behind_a_message_that_is_refused_none_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = damaged(&folder).await;
    let say = |text: &str, who| arrival(text, text, apply(text, vec![local(who)]));
    let each = store.keep_all(vec![say("a", 2), say("b", 1), say("c", 2), say("d", 2)]).await;
    assert_eq!(told(&each), ["kept", "damaged", "unavailable", "unavailable"]);
    assert_eq!(texts(&store, PersonId(2)).await, ["a", "2"]);
    assert_eq!(store.counts().await.unwrap()[0].received, 3);
}

#[tokio::test]
async fn a_row_that_is_refused_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = damaged(&folder).await;
    for (text, who, value, word, mark) in [
        ("a", 2, 7, "kept", 7),
        ("b", 1, 8, "damaged", 7),
        // One that came before is read again, and marked though it is not kept anew.
        ("a", 2, 9, "again", 9),
    ] {
        let mut row = arrival(text, text, apply(text, vec![local(who)]));
        row.mark = Some(crate::store::Mark { name: "table".to_owned(), value });
        assert_eq!(told(&[store.keep(row).await]), [word]);
        assert_eq!(store.mark("table".to_owned()).await.unwrap(), mark, "{text}");
    }
}
}
