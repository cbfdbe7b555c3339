//! 先行, a later release that brings the tables forward, as its first gateway would: by the words
//! that the gateway itself has for it.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use kangqiao::store::Settings;
use kangqiao::store::schema::{SCHEMA, STEPS, Step, bring};
use serde_json::json;

use super::cluster::Cluster;
use crate::rig::{Rig, loudly, until};

/// How a gateway ends that may not write any more: `EX_IOERR` of sysexits, as the documentation
/// has it.
const ENDED: i32 = 74;

/// Brings the tables one step further than they are.
fn take(cluster: &Cluster, last: &Step<'_>) {
    let postgres = json!({
        "host": "127.0.0.1", "port": cluster.server.port, "name": "postgres", "user": "kangqiao",
    });
    let postgres = Some(serde_json::from_value(postgres).unwrap());
    let settings = Settings { postgres, ..Settings::of(Path::new("")) };
    let found = usize::try_from(schema(cluster)).unwrap();
    let before = vec![Step::beside("", SCHEMA); found - STEPS.len()];
    bring(&settings, &[STEPS, &before[..], std::slice::from_ref(last)].concat()).unwrap();
}

/// The schema that the tables have.
fn schema(cluster: &Cluster) -> i64 {
    cluster.server.run("SELECT number FROM schema_version").parse().unwrap()
}

/// Takes a step that only adds.
pub fn adds(cluster: &Cluster) {
    let next = schema(cluster) + 1;
    let words = format!(
        "CREATE TABLE later_{next} (number INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT; \
         ALTER TABLE journal ADD COLUMN later_{next} TEXT; \
         ALTER TABLE person ADD COLUMN later_{next} INTEGER NOT NULL DEFAULT 1; \
         CREATE INDEX person_later_{next} ON person (later_{next});"
    );
    take(cluster, &Step::beside(&words, SCHEMA));
    assert_eq!(schema(cluster), next);
}

/// Every node serves, and says to whom it may concern that a later release was here.
pub fn is_told_by_all(cluster: &Cluster) {
    let found = schema(cluster);
    for rig in &cluster.nodes {
        let ready = rig.operation("/health/ready").unwrap();
        let told = String::from_utf8(ready.body).unwrap();
        let says = format!("ready, on tables of schema {found}: this version's is {SCHEMA}");
        assert!(ready.status == 200 && told.starts_with(&says), "{told}");
        assert!(rig.printed().contains("the tables are of a later schema"), "{}", rig.printed());
        assert_eq!(rig.counted("kangqiao_store_schema", &[]), found.cast_unsigned());
        assert_eq!(rig.counted("kangqiao_store_schema_known", &[]), SCHEMA.cast_unsigned());
    }
    let (content, text) = cluster.nodes[0].order(&["doctor"]);
    let says = format!("{found}, which still serves this version's {SCHEMA}");
    assert!(content && text.contains(&says), "{text}");
}

/// Takes a step that ends all of them: none commits anything after it. Then the rows serve them
/// again, as if it had been another's mistake, and they go on.
pub fn outruns(cluster: &Cluster) {
    let next = schema(cluster) + 1;
    // What the step itself sees: its own turn, after which there is none.
    let words = format!(
        "CREATE TABLE outrun_{next} (turn INTEGER NOT NULL) STRICT; \
         INSERT INTO outrun_{next} SELECT number FROM turn;"
    );
    cluster.gone.store(true, Ordering::SeqCst);
    take(cluster, &Step::alone(&words));
    let begun = Instant::now();
    for rig in &cluster.nodes {
        let status = until("a gateway ends that may not write", || rig.ended());
        assert_eq!(status.code(), Some(ENDED), "{}", rig.printed());
        let says = format!("has schema {next}, this gateway knows up to {SCHEMA}");
        assert!(rig.printed().contains(&says), "{}", rig.printed());
    }
    loudly(&format!("many: the last gateway had ended {:.1?} after the step", begun.elapsed()));
    let since = format!("SELECT (SELECT number FROM turn) - (SELECT turn FROM outrun_{next})");
    assert_eq!(cluster.server.run(&since), "0", "something was committed after the step");
    cluster.server.run(&format!("UPDATE schema_version SET serves_from = {SCHEMA}"));
    cluster.nodes.iter().for_each(Rig::resume);
    cluster.gone.store(false, Ordering::SeqCst);
}
