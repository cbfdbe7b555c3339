//! 负荷, how much is worked on at once: whoever asks or brings goes in by a turnstile, and what
//! nobody waits for yields.
//!
//! Whoever is turned away was told nothing, and nothing of his was looked at but what for he
//! asks. He writes no entry of his own, or a flood would fill the ledger it cannot get past: one
//! entry a minute says how many a department was refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use tokio_util::sync::CancellationToken;

use super::question::{Question, Turn};
use super::{Asker, Gateway, counters};
use crate::audit::Kind;
use crate::identity::Certificate;
use crate::inbound::http::Answered;
use crate::inbound::turnstile::{Bounds, Inside, Patience, Rank, Settings, Turned, Turnstile};
use crate::policy::Precedence;
use crate::registry::answer::RefusalMeta;
use crate::registry::writing::{Writing, Written};
use crate::vocabulary::{Department, Entrance, Fault, Source};

/// How often it is looked whether somebody was turned away.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long after an entry about a department the next one may be.
const ENTRY_EVERY: Duration = Duration::from_secs(60);
/// How long what nobody waits for lets others go first.
const YIELDS: Duration = Duration::from_secs(10);
/// Seconds after which to come again while the store cannot be written.
const STORE_AGAIN: u64 = 5;

/// Who asks; whoever is known to nobody shares one part with all such.
type Party = Option<Department>;

/// The turnstiles of a gateway.
pub struct Load {
    questions: Arc<Turnstile<Party>>,
    pushes: Arc<Turnstile<Option<Source>>>,
}

impl Load {
    /// Within these bounds.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let bounds = Bounds {
            most: settings.questions_max,
            emergency: settings.emergency_max,
            background: settings.background_max,
            waiting: settings.waiting_max,
            wait: Duration::from_millis(settings.wait_ms_max),
            share: settings.share_max,
            yields: YIELDS,
        };
        let pushes = Bounds { most: settings.pushes_max, emergency: 0, ..bounds };
        Self {
            questions: Turnstile::new("questions", bounds),
            pushes: Turnstile::new("pushes", pushes),
        }
    }
}

impl Gateway {
    /// After how many seconds whoever is turned away now does well to come again.
    #[must_use]
    pub fn again(&self) -> u64 {
        match self.store.is_ready() {
            true => self.load.questions.again().max(self.load.pushes.again()),
            false => STORE_AGAIN,
        }
    }

    /// Lets a question in: one of a purpose that goes first before others.
    ///
    /// # Errors
    /// What its asker is told if that may not be now.
    pub(super) async fn admit_question(
        &self,
        turn: &Turn,
        (question, asker): (&Question, Option<Asker>),
    ) -> Result<Inside<Party>, Answered> {
        let purpose = question.inquiry.as_ref().map(|inquiry| inquiry.purpose.as_str());
        let rank = match (asker, purpose) {
            (Some(asker), Ok(purpose)) => rank(turn, asker, purpose),
            _ => Rank::Ordinary,
        };
        // A row of a table waits where it stands.
        let patience = question.asker.map_or(Patience::Turned, |_| Patience::Waits);
        let party = asker.map(|(department, _)| department);
        let entered = self.load.questions.enter((party, rank), patience).await;
        entered.map_err(|turned| {
            let fault = fault(turned);
            counters::refused(fault);
            turned_away(question.writing.as_ref(), fault)
        })
    }

    /// Lets in whoever wants something that is no question about a person.
    ///
    /// # Errors
    /// [`Fault::Overloaded`], [`Fault::ShareExceeded`].
    pub async fn admit_visit(
        &self,
        certificate: Option<&Certificate>,
    ) -> Result<Inside<Party>, Fault> {
        let asker = self.rules.load().asker(certificate, (self.clock)()).ok();
        let party = asker.map(|(department, _)| department);
        self.load.questions.enter((party, Rank::Ordinary), Patience::Turned).await.map_err(fault)
    }

    /// Lets in what is brought. Over MLLP, and out of files and tables, it waits where it stands:
    /// nothing more is read meanwhile.
    ///
    /// # Errors
    /// [`Fault::Overloaded`], [`Fault::ShareExceeded`].
    pub async fn admit_push(
        &self,
        (certificate, sender): (Option<&Certificate>, Option<Source>),
        entrance: Entrance,
    ) -> Result<Inside<Option<Source>>, Fault> {
        let sender = self.rules.load().sender(certificate, sender, (self.clock)());
        let (rank, patience) = match entrance {
            Entrance::Https => (Rank::Ordinary, Patience::Turned),
            Entrance::Mllp => (Rank::Ordinary, Patience::Waits),
            Entrance::Folder | Entrance::Table => (Rank::Background, Patience::Waits),
        };
        self.load.pushes.enter((sender, rank), patience).await.map_err(fault)
    }

    /// Goes on with what nobody waits for, once nobody waits.
    pub(super) async fn yielding(&self, department: Department) -> Option<Inside<Party>> {
        let party = (Some(department), Rank::Background);
        // Who waits is not turned away.
        self.load.questions.enter(party, Patience::Waits).await.ok()
    }

    /// Counts and enters who was turned away, until the gateway stops.
    pub async fn keep_tallying(self: Arc<Self>, stop: CancellationToken) {
        let mut owed: HashMap<(Party, Fault), u64> = HashMap::new();
        let mut entered: HashMap<Party, Instant> = HashMap::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => (),
                () = tokio::time::sleep(LOOK_EVERY) => (),
            }
            for ((sender, rank, turned), count) in self.load.pushes.turned() {
                let sender = sender.map_or_else(String::new, |sender| sender.to_string());
                counter!(
                    "kangqiao_turned_away_total", "of" => "pushes", "who" => sender,
                    "rank" => name(rank), "fault" => fault(turned).row().name
                )
                .increment(count);
            }
            for ((party, rank, turned), count) in self.load.questions.turned() {
                let who = party.map_or_else(String::new, |department| department.to_string());
                counter!(
                    "kangqiao_turned_away_total", "of" => "questions", "who" => who,
                    "rank" => name(rank), "fault" => fault(turned).row().name
                )
                .increment(count);
                *owed.entry((party, fault(turned))).or_default() += count;
            }
            entered.retain(|_, at| at.elapsed() < ENTRY_EVERY);
            let due = |party: &Party| stop.is_cancelled() || !entered.contains_key(party);
            let ready: Vec<_> = owed.keys().filter(|(party, _)| due(party)).copied().collect();
            for key in ready {
                if let Some(count) = owed.remove(&key)
                    && self.enter_turned(key, count).await
                {
                    entered.insert(key.0, Instant::now());
                }
            }
        }
    }

    /// One entry for many that were told nothing.
    async fn enter_turned(&self, (party, fault): (Party, Fault), count: u64) -> bool {
        let mut entry = self.event(Kind::Refusal, &format!("turned away {count}"));
        (entry.department, entry.fault) = (party, Some(fault));
        self.append(&entry).await.is_ok()
    }
}

/// What somebody is told who may not come in now, in his own words.
pub(super) fn turned_away(writing: &dyn Writing, fault: Fault) -> Answered {
    let meta = RefusalMeta { fault, at: None, rule: None, receipt: None, remedy: None };
    let Written { status, media, body } = writing.refusal(&meta);
    Answered { status, media, body, entry: None }
}

/// Which rank a question has: its purpose says, to those it was granted.
fn rank(turn: &Turn, asker: Asker, purpose: &str) -> Rank {
    match turn.rules.policies.precedence(asker, purpose) {
        Precedence::Emergency => Rank::Emergency,
        Precedence::Ordinary => Rank::Ordinary,
    }
}

const fn fault(turned: Turned) -> Fault {
    match turned {
        Turned::Full => Fault::Overloaded,
        Turned::Share => Fault::ShareExceeded,
    }
}

const fn name(rank: Rank) -> &'static str {
    match rank {
        Rank::Emergency => "emergency",
        Rank::Ordinary => "ordinary",
        Rank::Background => "background",
    }
}
