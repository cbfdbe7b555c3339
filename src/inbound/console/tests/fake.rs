//! A gateway that exists only for the console's tests.

use std::sync::Mutex;

use crate::audit::history::Form;
use crate::inbound::console::view::*;
use crate::store::opinion::Opinion;
use crate::vocabulary::position::Hl7Position;
use crate::vocabulary::{Fault, Position, Tier};

/// Remembers what it was asked, and by whom.
#[derive(Default)]
pub struct Fake {
    /// What was asked, in the words of `Debug`.
    pub asked: Mutex<Vec<String>>,
    /// What was written to its ledger.
    pub recorded: Mutex<Vec<Occasion>>,
    /// Whether its ledger can be written.
    pub full: std::sync::atomic::AtomicBool,
    /// Who has proposed that the pair that waits is one person.
    pub proposed: Mutex<Option<String>>,
    /// Who has accepted the policies that wait.
    pub accepted: Mutex<Vec<String>>,
    /// What somebody has said of the message that is held.
    pub voiced: Mutex<Option<(Opinion, String)>>,
    /// Who wants that the first hold ends.
    pub lifting: Mutex<Option<String>>,
    /// Who has saved which searches where.
    pub saved: Mutex<Vec<(String, saved::Shelf, saved::SavedSearch)>>,
    /// What was proposed to be tried again.
    pub rerun: Mutex<Option<rerun::RerunView>>,
}

impl Fake {
    pub fn ask(&self, asker: &Asker, what: impl std::fmt::Debug) -> Result<(), Fault> {
        if self.full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Fault::Unavailable);
        }
        self.asked.lock().unwrap().push(format!("{}: {what:?}", asker.user));
        Ok(())
    }
}

/// A person, and who became him by a merge.
pub const PERSON: &str = "9f86d081884c7d659a2feaa0c55ad015";
pub const FORMER: &str = "0a3d72134fb3d6c024db4c510bc1605b";

/// When everything is so.
pub const AT: i64 = 1_795_248_000_000;

fn named(id: &str, zh: &str, en: &str) -> Named {
    Named { id: id.to_owned(), zh: zh.to_owned(), en: en.to_owned() }
}

/// A line of the fake ledger.
pub fn row(number: u64) -> LedgerRow {
    let refused = number % 5 == 3;
    LedgerRow {
        number,
        at_ms: AT - 61_000 * i64::try_from(90 - number.min(90)).unwrap(),
        kind: ["query", "disclosure", "disclosure", "refusal", "merge"][number as usize % 5].into(),
        department: (number % 5 != 4).then(|| named("subsidy", "社会救助科", "Subsidy office")),
        role: (number % 5 != 4).then(|| "clerk".to_owned()),
        asker: number.is_multiple_of(5).then(|| "lin".to_owned()),
        purpose: (number % 5 != 4)
            .then(|| named("subsidy-eligibility", "困难补贴资格审核", "Subsidy eligibility")),
        person: Some("9f86d081884c7d659a2feaa0c55ad015".to_owned()),
        receipt: Some(format!("0193f2c4-7b1e-7a55-9c00-{number:012}")),
        released: if refused || number % 5 == 4 { 0 } else { 9 },
        withheld: if refused || number % 5 == 4 { 0 } else { 14 },
        fault: refused.then_some(Fault::PurposeNotGranted),
    }
}

impl history::Accounting for Fake {
    fn access_history<'a>(
        &'a self,
        asker: &'a Asker,
        known: &'a [String],
        form: Form,
    ) -> Seen<'a, history::History> {
        Box::pin(async move {
            self.ask(asker, (form, known))?;
            Ok(match form {
                Form::Html => history::History::Written(b"<!doctype html>".to_vec()),
                Form::Pdf => history::History::NoFont,
            })
        })
    }
}

impl Sight for Fake {
    fn overview(&self) -> Seen<'_, Overview> {
        Box::pin(async move { Ok(overview()) })
    }

    fn departments(&self) -> Seen<'_, Vec<Named>> {
        let departments = vec![
            named("subsidy", "社会救助科", "Subsidy office"),
            named("desk-12349", "12349 服务热线", "12349 desk"),
        ];
        Box::pin(async move { Ok(departments) })
    }

    fn purposes(&self) -> Seen<'_, Vec<Named>> {
        let purposes = vec![named("living-check", "生存核验", "check that someone is alive")];
        Box::pin(async move { Ok(purposes) })
    }

    fn search<'a>(&'a self, asker: &'a Asker, query: &'a Query) -> Seen<'a, LedgerPage> {
        Box::pin(async move {
            self.ask(asker, query)?;
            let known = match &query.whose {
                Whose::Person(_) => [PERSON, FORMER].map(str::to_owned).to_vec(),
                Whose::Known(known) => known.clone(),
                _ => Vec::new(),
            };
            let top = query.before.unwrap_or(90);
            let rows: Vec<_> = (0..top).rev().take(12).map(row).collect();
            let older = rows.last().map(|row| row.number).filter(|number| *number > 0);
            Ok(LedgerPage { rows, known, older, tired: false })
        })
    }

    fn proof<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            self.ask(asker, number)?;
            Ok((number < 90).then(|| b"c2sp.org/tlog-proof@v1\n".to_vec()))
        })
    }

    fn entry<'a>(&'a self, asker: &'a Asker, key: &'a EntryKey) -> Seen<'a, Option<EntryView>> {
        Box::pin(async move {
            self.ask(asker, key)?;
            Ok(match key {
                EntryKey::Number(number) if *number < 90 => Some(entry(*number)),
                EntryKey::Receipt(receipt) if receipt == "r-1" => Some(entry(1)),
                _ => None,
            })
        })
    }

    fn record<'a>(&'a self, occasion: &'a Occasion) -> Seen<'a, ()> {
        Box::pin(async move {
            if self.full.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Fault::Unavailable);
            }
            self.recorded.lock().unwrap().push(occasion.clone());
            Ok(())
        })
    }
}

fn entry(number: u64) -> EntryView {
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned();
    EntryView {
        row: row(number),
        asked_by: None,
        legal_basis: Some("民发〔2022〕58号 第三条".to_owned()),
        released: vec![
            (
                Tier::Full,
                vec![
                    named("MZ.person.deceased", "是否死亡", "Deceased"),
                    named("MZ.stay.over-30-days", "住院超过三十天", "In hospital over 30 days"),
                ],
            ),
            (
                Tier::Generalised,
                vec![
                    named("DE02.01.039.00", "本人姓名", "Name"),
                    named("DE02.01.030.00", "身份证件号码", "Identity document number"),
                    named("DE02.01.005.01", "出生日期", "Date of birth"),
                ],
            ),
            (Tier::Existence, vec![named("DE05.01.024.00", "疾病诊断编码", "Diagnosis code")]),
        ],
        withheld: vec![
            named("DE02.10.028.00", "疾病史", "History of disease"),
            named("DE04.50.010.00", "乙肝表面抗原", "Hepatitis B surface antigen"),
            named("DE06.00.287.00", "住院者疾病状态", "State of illness"),
        ],
        rules: vec!["subsidy.identity".to_owned(), "subsidy.stay-flag".to_owned()],
        sources: vec!["own store: fresh".to_owned(), "record-platform: cached".to_owned()],
        policy: Some("61c2e8a04be9d1f7".to_owned()),
        mappings: Some("0b7ac31e55d28c90".to_owned()),
        answer_sha256: Some(hash.clone()),
        line: format!("{{\"at\":{AT},\"department\":\"subsidy\",\"kind\":\"disclosure\"}}"),
        proof: (number != 2).then(|| Proof {
            leaf: hash.clone(),
            size: 90,
            path: vec![hash.clone(), hash.clone(), hash],
            checkpoint: "kangqiao.example/ledger\n90\n\
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
                — kangqiao.example/ledger Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO\n"
                .to_owned(),
            holds: number != 6,
        }),
    }
}

/// PID-3.1.
fn identifier() -> Position {
    Position::Hl7(Hl7Position { component: 1, ..Hl7Position::field(*b"PID", 3) })
}

fn held() -> QuarantineRow {
    QuarantineRow {
        number: 214_002,
        sender: "hospital-b".to_owned(),
        at_ms: AT - 90_000,
        fault: Fault::IdentifierInvalid,
        at: Some(identifier()),
    }
}

fn subscriptions() -> Vec<SubscriptionRow> {
    let subscription = |name: &str, state, dead| SubscriptionRow {
        name: name.to_owned(),
        state,
        enrolled: 20_418,
        waiting: 7,
        oldest_ms: Some(AT - 5_400_000),
        delivered: 1_204,
        passed: 31,
        dead,
    };
    vec![
        subscription("payments", Some(UpstreamState::Up), 0),
        subscription("care-homes", Some(UpstreamState::Open), 2),
        subscription("gone", None, 0),
    ]
}

fn quarantine() -> Vec<QuarantineRow> {
    let other = QuarantineRow { number: 213_877, fault: Fault::CharacterSet, at: None, ..held() };
    vec![held(), other]
}

/// One that takes nothing.
fn sink() -> SinkRow {
    let (connected, oldest_ms) = (Some(false), Some(AT - 7_200_000));
    SinkRow { name: "regional-arr".to_owned(), connected, waiting: 1_204, oldest_ms }
}

fn expiry(subject: &str, used_for: &str, days: i64) -> ExpiryRow {
    ExpiryRow {
        subject: subject.to_owned(),
        used_for: used_for.to_owned(),
        not_after: AT / 1000 + days * 86_400,
    }
}

/// Two half hours.
fn beats() -> pulse::Beats {
    use pulse::Counted::{Ledger, Sender, Subscription};
    let beat = |at_ms, counts: [u64; 3]| {
        let names = [(Sender, "hospital-a"), (Ledger, "disclosure"), (Subscription, "payments")];
        let names = names.map(|(of, name)| (of, name.to_owned()));
        pulse::Beat { at_ms, counts: names.into_iter().zip(counts).collect() }
    };
    pulse::Beats { beats: vec![beat(AT - 1_800_000, [1_204, 31, 7]), beat(AT, [377, 0, 1])] }
}

fn overview() -> Overview {
    let sender = |name: &str, kept, quarantined, refused| SenderRow {
        name: name.to_owned(),
        received: kept + quarantined + refused,
        kept,
        quarantined,
        refused,
    };
    let upstream = |name: &str, state, failed| UpstreamRow {
        name: name.to_owned(),
        state,
        answered: 18_233,
        failed,
        last_ms: Some(AT - 14),
    };
    Overview {
        at_ms: AT,
        started_ms: AT - 86_400_000 * 3,
        version: "0.1.0".to_owned(),
        mappings: "0b7ac31e55d28c90".to_owned(),
        policy: "61c2e8a04be9d1f7".to_owned(),
        beats: beats(),
        senders: vec![
            sender("hospital-a", 184_220, 1_380, 122),
            sender("hospital-b", 20_418, 7_122, 2_040),
            sender("elder-registry", 3_004, 0, 4),
        ],
        quarantine: quarantine(),
        queue: Queue { waiting: 18, capacity: 4_096 },
        room: Some(Room { used: 93 << 30, left: 7 << 30, fill: Fill::Filling }),
        confined: Confined { files: true, ports: false, calls: true },
        upstreams: vec![
            upstream("record-platform", UpstreamState::Up, 2),
            upstream("elder-registry", UpstreamState::Open, 310),
        ],
        subscriptions: subscriptions(),
        backlog: super::fake_review::BACKLOG,
        cache: Cache { entries: 12_004, hits: 88_120, misses: 9_113, stale: 41 },
        expiries: vec![
            expiry("CN=gateway", "MLLP, HTTPS", 310),
            expiry("CN=Kangqiao site authority", "客户端证书 CRL", 12),
            expiry("CN=console", "console", -1),
        ],
        ledger: Ledger {
            entries: 128_402,
            checkpoint: Some(Checkpoint {
                size: 128_402,
                root: "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".to_owned(),
                at_ms: AT - 800,
            }),
            verified: Verified::Sound { at_ms: AT - 3_600_000, entries: 128_001 },
            witnesses: [
                (
                    "audit.example/witness",
                    WitnessState::Signed { size: 128_001, at_ms: AT - 60_000 },
                ),
                ("other.example/witness", WitnessState::Contradicts),
                ("third.example/witness", WitnessState::Silent),
                ("last.example/witness", WitnessState::NotYet),
            ]
            .map(|(name, state)| WitnessRow { name: name.to_owned(), state })
            .to_vec(),
            sinks: vec![sink()],
        },
    }
}
