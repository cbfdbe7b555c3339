//! The conformance cases, played against our own gateway.

use std::path::Path;

use kangqiao_conformance::{Outcome, Target, case, run};

use crate::rig::{AGENT, CLERK, DOCTOR, HOME, HOME_CLERK, ROOT, Rig, TLS_SENDER, WORKER, at};

#[test]
fn every_conformance_case_passes() {
    let rig = Rig::shared();
    let named = [
        ("", CLERK),
        ("sender", TLS_SENDER),
        ("civil-affairs", CLERK),
        ("hotline", AGENT),
        ("doctor", DOCTOR),
        ("clerk", HOME_CLERK),
        ("home", HOME),
        ("community", WORKER),
        ("stranger", "stranger"),
    ];
    let target = Target {
        mllp: at(rig.ports.mllp),
        mllp_tls: None,
        https: at(rig.ports.https),
        identities: named.map(|(name, who)| (name.to_owned(), rig.tls(who))).into(),
    };
    let cases = case::load(&Path::new(ROOT).join("conformance/cases")).unwrap();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    let mut faults = Vec::new();
    for case in &cases {
        match run(&target, case) {
            Outcome::Passed => (),
            other => faults.push(format!("{}: {}: {other:?}", case.path.display(), case.title)),
        }
    }
    assert!(faults.is_empty(), "{} of {}\n{}", faults.len(), cases.len(), faults.join("\n"));
}
