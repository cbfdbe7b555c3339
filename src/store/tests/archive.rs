//! A file goes back to each moment that was archived, and to none that was not whole.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::archive::{lay, span};
use super::super::backup::check;
use super::*;

/// A store with an archive beside it, copied into its file often.
fn archived(folder: &Path) -> Settings {
    Settings {
        archive: Some(folder.join("archive")),
        checkpoint_ms: 1,
        ..Settings::of(&folder.join("data"))
    }
}

fn begun(settings: &Settings) -> Store {
    Store::open(settings.clone(), &MASTER, chain()).unwrap()
}

/// A moment that nothing else is of.
fn now_ms() -> i64 {
    std::thread::sleep(Duration::from_millis(2));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    std::thread::sleep(Duration::from_millis(2));
    since.try_into().unwrap()
}

/// What a store holds: entries of the ledger, messages that came, and what is told of somebody.
async fn holdings(store: &Store) -> (u64, u64, Vec<String>) {
    let received = store.counts().await.unwrap().iter().map(|count| count.received).sum();
    let person = store.person(&[local(1).token]).await.unwrap();
    let told = match person {
        Some(person) => texts(store, person).await,
        None => Vec::new(),
    };
    (store.ledger_size().await.unwrap(), received, told)
}

/// What a store held at a moment, laid out of its archive.
async fn at(settings: &Settings, moment: i64) -> (u64, u64, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let laid = Settings::of(&place.path().join("data"));
    let reached = lay(settings.archive.as_ref().unwrap(), moment, &laid.folder).unwrap();
    assert!(reached <= moment);
    assert!(check(&laid).unwrap());
    holdings(&begun(&laid)).await
}

#[tokio::test]
async fn a_file_goes_back_to_each_moment_through_kills_and_starts() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    let mut store = begun(&settings);
    let mut moments = Vec::new();
    for turn in 0..12 {
        let text = format!("turn {turn}");
        let person = keep(&store, &text, vec![local(1), citizen(1)]).await.persons[0];
        for entry in 0..turn * 20 {
            store.append(row(&entry.to_string(), None, None)).await.unwrap();
        }
        match turn {
            3 => drop(store.erase(person, 1).await.unwrap()),
            6 => {
                drop(store);
                store = begun(&settings);
            }
            8 => {
                // As a kill leaves it: what the log of the store holds is in no file yet.
                let killed = wreck_of(&settings.folder);
                drop(store);
                std::fs::remove_dir_all(&settings.folder).unwrap();
                std::fs::rename(killed, &settings.folder).unwrap();
                store = begun(&settings);
            }
            _ => (),
        }
        // Under the writer's own eyes: all that was answered is archived now.
        assert!(store.empty_log().await);
        moments.push((now_ms(), holdings(&store).await));
    }
    drop(store);
    assert_eq!(moments[3].1.2, Vec::<String>::new(), "erased");
    for (moment, held) in moments {
        assert_eq!(at(&settings, moment).await, held);
    }
}

fn wreck_of(data: &Path) -> PathBuf {
    let copy = data.with_extension("killed");
    std::fs::create_dir(&copy).unwrap();
    for name in ["kangqiao.db", "kangqiao.db-wal"] {
        let copied =
            std::process::Command::new("cp").args([data.join(name), copy.join(name)]).status();
        assert!(copied.unwrap().success());
    }
    copy
}

#[tokio::test]
async fn what_is_answered_is_archived_before_it_is_copied_and_when_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    let store = begun(&settings);
    for turn in 0..200 {
        keep(&store, &format!("turn {turn}"), vec![local(1), citizen(1)]).await;
    }
    let held = holdings(&store).await;
    drop(store);
    assert_eq!(at(&settings, now_ms()).await, held);
    let (first, _) = span(settings.archive.as_ref().unwrap()).unwrap().unwrap();
    let none = lay(settings.archive.as_ref().unwrap(), first - 1, &folder.path().join("x"));
    assert!(matches!(none, Err(StoreError::Unknown)));
}

#[tokio::test]
async fn a_record_that_is_not_whole_ends_what_the_archive_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    let store = begun(&settings);
    let mut moments = Vec::new();
    for turn in 0..3 {
        keep(&store, &format!("turn {turn}"), vec![local(1), citizen(1)]).await;
        assert!(store.empty_log().await);
        moments.push((now_ms(), holdings(&store).await));
    }
    let archive = settings.archive.clone().unwrap();
    let stretch = std::fs::read_dir(&archive).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(stretch.join("log")).unwrap();
    drop(store);
    let last = moments[2].0;
    for (bytes, held) in [
        (whole.clone(), &moments[2].1),
        // Cut in the middle of the last record, as by a kill.
        (whole[..whole.len() - 9].to_vec(), &moments[1].1),
        (
            [&whole[..whole.len() - 9], &[whole[whole.len() - 9] ^ 1], &whole[whole.len() - 8..]]
                .concat(),
            &moments[1].1,
        ),
    ] {
        std::fs::write(stretch.join("log"), bytes).unwrap();
        assert_eq!(&at(&settings, last).await, held);
    }
}

#[tokio::test]
async fn while_the_archive_cannot_be_written_nothing_is_copied_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    let store = begun(&settings);
    keep(&store, "before", vec![local(1), citizen(1)]).await;
    assert!(store.empty_log().await);
    let archive = settings.archive.clone().unwrap();
    // It is made anew as soon as it is missed.
    let mut away = 0;
    while std::fs::write(&archive, "in its place").is_err() {
        away += 1;
        std::fs::rename(&archive, folder.path().join(format!("away-{away}"))).unwrap();
    }
    for turn in 0..20 {
        keep(&store, &format!("turn {turn}"), vec![local(1), citizen(1)]).await;
        assert!(!store.empty_log().await);
    }
    let held = holdings(&store).await;
    std::fs::remove_file(&archive).unwrap();
    std::fs::create_dir(&archive).unwrap();
    // It rests a little after what could not be begun.
    while !store.empty_log().await {}
    assert_eq!(at(&settings, now_ms()).await, held);
}

#[tokio::test]
async fn what_comes_after_a_clock_that_was_ahead_stands_behind_what_it_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    let archive = settings.archive.clone().unwrap();
    let only = || std::fs::read_dir(&archive).unwrap().next().unwrap().unwrap().path();
    let store = begun(&settings);
    keep(&store, "before", vec![local(1), citizen(1)]).await;
    assert!(store.empty_log().await);
    drop(store);
    // As a start leaves it whose clock was eight hours ahead.
    let ahead = chrono::Utc::now() + chrono::TimeDelta::hours(8);
    let ahead = archive.join(ahead.format("%Y%m%dT%H%M%S%3fZ").to_string());
    std::fs::rename(only(), &ahead).unwrap();
    let before = std::fs::read(ahead.join("log")).unwrap();
    // The clock is right again, and put back once more.
    for text in ["after", "last"] {
        let store = begun(&settings);
        keep(&store, text, vec![local(1), citizen(1)]).await;
        assert!(store.empty_log().await);
    }
    assert_eq!(std::fs::read(ahead.join("log")).unwrap(), before, "nothing is written over");
    let nine_hours = now_ms() + 9 * 60 * 60 * 1000;
    assert_eq!(at(&settings, nine_hours).await.2, ["last", "after", "before"]);
}

#[test]
fn stretches_go_once_the_next_is_older_than_the_archive_reaches() {
    let folder = tempfile::tempdir().unwrap();
    let settings = archived(folder.path());
    drop(begun(&settings));
    let archive = settings.archive.clone().unwrap();
    for day in 1..=20 {
        let stretch = archive.join(format!("202001{day:02}T000000000Z"));
        std::fs::create_dir(&stretch).unwrap();
        std::fs::write(stretch.join("base.db"), "").unwrap();
        std::fs::write(stretch.join("log"), "").unwrap();
    }
    // Nothing is ours that does not look like it.
    std::fs::create_dir(archive.join("20200101")).unwrap();
    drop(begun(&settings));
    let names = std::fs::read_dir(&archive).unwrap().map(|one| one.unwrap().file_name());
    let old: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("2020")).collect();
    assert_eq!(old.len(), 2, "the last of them leads up to today's: {old:?}");
}
