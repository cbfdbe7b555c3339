//! 汇集, own records and upstream replies through one cache, unfiltered.
//!
//! What comes back is filtered under the asker's scope by `policy`, hit or miss.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;

use super::question::{Refused, Turn};
use super::{Gateway, OWN, counters};
use crate::audit::Entry;
use crate::identity::{PersonId, Pseudonym, Subject, Token};
use crate::outbound::Upstream;
use crate::policy::{self, Admission, Evidence, Stale};
use crate::registry::{self, Body, answer::SourceReport, platform};
use crate::store::cache::{Cache, Fetched, Records};
use crate::store::{Holder, Store, StoreError};
use crate::vocabulary::{
    Department, Fault, Freshness, Identifier, IdentifierKind, Record, Role, Source,
};

/// The role in which an upstream system is told whom a question is about.
const SYSTEM: Role = Role::fixed("system");

/// Records of one person that an answer looks at, newest first.
const RECORDS_MAX: usize = 500;

/// Identifiers of one record, as they are indexed.
type Named = Vec<(IdentifierKind, Token)>;

/// About whom a question is.
#[derive(Debug, Clone)]
pub(super) struct Resident {
    /// The identifier asked by.
    pub identifier: Identifier,
    /// Its token.
    pub token: Token,
    /// The person of the index, if there is one.
    pub person: Option<PersonId>,
    /// The same, and the entry by which he was found.
    holder: Option<Holder>,
    /// What stands for him in the ledger.
    pub pseudonym: Pseudonym,
}

/// What the sources say about a person.
pub(super) struct Gathered {
    parts: Vec<(Source, Fetched)>,
    at: i64,
}

impl Gathered {
    fn new(turn: &Turn, parts: Vec<(Source, Fetched)>) -> Self {
        Self { parts, at: turn.at_ms / 1000 }
    }

    /// Every record, for the decision.
    pub(super) fn records(&self) -> Vec<policy::Gathered<'_>> {
        let records = self.parts.iter().flat_map(|(_, part)| part.records.iter());
        let records = records.map(|(record, at_ms)| (record, at_ms / 1000));
        records.map(|(record, as_of)| policy::Gathered { record, as_of }).collect()
    }

    /// How current each source is, for the ledger.
    pub(super) fn states(&self) -> BTreeMap<Source, Freshness> {
        self.parts.iter().map(|(source, part)| (*source, part.state)).collect()
    }

    /// How current each source is, for the asker.
    pub(super) fn reports(&self) -> Vec<SourceReport> {
        let report = |(source, part): &(Source, Fetched)| SourceReport {
            source: *source,
            state: part.state,
            as_of: part.as_of_ms.map(|at_ms| at_ms / 1000),
        };
        self.parts.iter().map(report).collect()
    }
}

impl Gateway {
    /// Who in the index an identifier leads to.
    pub(super) async fn resident(&self, identifier: &Identifier) -> Result<Resident, Refused> {
        let (kind, token) = self.keys.indexed(identifier)?;
        let holder = self.alone_under(&token).await?;
        // In its one spelling, so that an upstream is asked the same however it was written.
        let identifier = Identifier::new(kind, identifier.normalised()?);
        Ok(self.known(identifier, (token, holder)))
    }

    /// Whose number it is; until it is settled whose, nobody's to ask about: that several are known
    /// by it is told to no one who asks.
    pub(super) async fn alone_under(&self, token: &Token) -> Result<Option<Holder>, StoreError> {
        match self.store.holder(*token).await {
            Err(StoreError::Conflict) => Ok(None),
            other => other,
        }
    }

    /// Somebody by a number of his, and by whom that leads to.
    pub(super) fn known(
        &self,
        identifier: Identifier,
        (token, holder): (Token, Option<Holder>),
    ) -> Resident {
        let pseudonym = match holder {
            Some(holder) => self.keys.pseudonym(holder.root),
            None => self.keys.pseudonym_of_token(&token),
        };
        let person = holder.map(|holder| holder.root);
        Resident { identifier, token, person, holder, pseudonym }
    }

    /// Asks the own store, then every upstream system of the purpose, all at once. Where the
    /// person's consent is needed and is not there, no system hears of the question.
    pub(super) async fn gather(
        &self,
        turn: &Turn,
        admission: &Admission,
        resident: &Resident,
    ) -> Result<Gathered, Refused> {
        let terms = admission.terms();
        let own = self.ask_store(turn, admission, resident).await;
        // Without the own records what the person said is not heard.
        if own.1.state == Freshness::Unavailable {
            return Err(Fault::Unavailable.into());
        }
        let mut gathered = Gathered::new(turn, vec![own]);
        if !admission.lacks_consent(&gathered.records(), gathered.at) {
            let upstreams = self.upstreams.load_full();
            let asked = terms.upstreams.iter().map(async |name| {
                match upstreams.iter().find(|upstream| upstream.name() == *name) {
                    Some(upstream) => {
                        self.ask_upstream(turn, (admission, upstream), resident).await
                    }
                    // The purpose needs what nobody configured: as good as down.
                    None => (*name, Fetched::unavailable()),
                }
            });
            gathered.parts.extend(join_all(asked).await);
        }
        let down = gathered.parts.iter().any(|(_, part)| match part.state {
            Freshness::Cached | Freshness::Fresh => false,
            Freshness::Stale | Freshness::Unavailable => true,
        });
        if down && terms.stale == Stale::Refuse {
            return Err(Fault::UpstreamUnavailable.into());
        }
        Ok(gathered)
    }

    /// The own store alone.
    pub(super) async fn gather_own(
        &self,
        turn: &Turn,
        admission: &Admission,
        resident: &Resident,
    ) -> Result<Gathered, Refused> {
        let own = self.ask_store(turn, admission, resident).await;
        match own.1.state {
            Freshness::Unavailable => Err(Fault::Unavailable.into()),
            Freshness::Cached | Freshness::Fresh | Freshness::Stale => {
                Ok(Gathered::new(turn, vec![own]))
            }
        }
    }

    /// The own store for a notice, which tells what a sender brought, and asks no upstream system,
    /// which would hear of it; and the place of the record the message brought. It is read past the
    /// cache: a notice may be quicker than the invalidation of what is told.
    pub(super) async fn gather_told(
        &self,
        turn: &Turn,
        (resident, message): (&Resident, Option<i64>),
    ) -> Result<(Gathered, Option<usize>), Refused> {
        let (records, place) = match resident.person {
            Some(person) => self.store.told_by((person, RECORDS_MAX), message).await?,
            None => (Records::new(), None),
        };
        let (state, as_of_ms) = (Freshness::Fresh, Some(turn.at_ms));
        let own = Fetched { state, records: Arc::new(records), as_of_ms };
        Ok((Gathered::new(turn, vec![(OWN, own)]), place))
    }

    /// What the own store has of a person. It is remembered for the entry that was found: a copy of
    /// the person from before a join would else be given for an entry that joined him since.
    pub(super) async fn ask_person(
        &self,
        turn: &Turn,
        admission: &Admission,
        holder: Holder,
    ) -> Fetched {
        let about = (admission.department(), holder);
        remembered((&self.store, &self.cache), about, turn.at_ms).await
    }

    async fn ask_store(
        &self,
        turn: &Turn,
        admission: &Admission,
        resident: &Resident,
    ) -> (Source, Fetched) {
        let Some(holder) = resident.holder else {
            let nothing = async || Ok::<_, StoreError>(Records::new());
            let key = (admission.department(), OWN, Subject::Token(resident.token));
            return (OWN, self.cache.get(key, turn.at_ms, nothing).await);
        };
        (OWN, self.ask_person(turn, admission, holder).await)
    }

    async fn ask_upstream(
        &self,
        turn: &Turn,
        (admission, upstream): (&Admission, &Arc<Upstream>),
        resident: &Resident,
    ) -> (Source, Fetched) {
        let key = (admission.department(), upstream.name(), Subject::Token(resident.token));
        let load = async || {
            let found = self.look_up(turn, upstream, resident).await;
            if let Err(error) = &found {
                let name = upstream.name();
                tracing::warn!(upstream.name = %name, fault = error.row().name, "look-up failed");
            }
            found
        };
        (upstream.name(), self.cache.get(key, turn.at_ms, load).await)
    }

    /// Asks one upstream. Telling it whom we look for is a disclosure with its own entry.
    async fn look_up(
        &self,
        turn: &Turn,
        upstream: &Upstream,
        resident: &Resident,
    ) -> Result<Records, Fault> {
        let asker = (upstream.department(), SYSTEM);
        let dialect = registry::find(upstream.dialect()).ok_or(Fault::Internal)?;
        let Some(subject) = platform::subject(&resident.identifier) else {
            return Ok(Records::new());
        };
        let admitted =
            turn.rules.policies.admit(asker, platform::PURPOSE.as_str(), Evidence::default());
        let admission = admitted.map_err(|refusal| refusal.fault)?;
        let now = turn.at_ms / 1000;
        let subject = [policy::Gathered { record: &subject, as_of: now }];
        let scope = admission.towards(&subject, now);
        let release = policy::decide(&scope, None, &subject, &self.keys);
        let circumstances = Self::circumstances(turn, Some(resident), BTreeMap::new());
        let entry = Entry::location(&release, circumstances);
        self.append(&entry).await.map_err(|_| Fault::Unavailable)?;
        let replies = upstream.look_up(&release, dialect, turn.at_ms).await;
        let replies = dialect.decode(&replies.map_err(|error| error.fault())?);
        let mut records = Records::new();
        for reply in replies.map_err(|error| error.fault)? {
            let pack = &turn.rules.pack;
            let read = match &reply.body {
                Body::Json(body) => pack
                    .read_json(dialect.name(), upstream.name(), body)
                    .map_err(|error| error.fault())?,
                Body::Unit(form, bytes) => pack
                    .read((*form, upstream.name()), bytes, &self.limits)
                    .map_err(|unread| unread.fault)?,
            };
            records.extend(read.into_iter().map(|translation| (translation.record, turn.at_ms)));
        }
        self.own_alone(resident, records, upstream.name()).await
    }

    /// Leaves out what an upstream says about somebody else: a record that names no one
    /// is about whom was asked, one that names another is used for nobody.
    async fn own_alone(
        &self,
        resident: &Resident,
        records: Records,
        upstream: Source,
    ) -> Result<Records, Fault> {
        let mut known: HashMap<Named, bool> = HashMap::new();
        let (mut own, mut foreign) = (Records::new(), 0);
        for (record, at_ms) in records {
            let named = self.named(resident, &record);
            let speaks = match named.as_ref().map(|named| (named, known.get(named))) {
                None => false,
                Some((_, Some(speaks))) => *speaks,
                Some((named, None)) => {
                    let speaks = self.store.is_one(named.clone()).await.map_err(|e| e.fault())?;
                    known.insert(named.clone(), speaks);
                    speaks
                }
            };
            match speaks {
                true => own.push((record, at_ms)),
                false => foreign += 1,
            }
        }
        counters::foreign(upstream, foreign);
        Ok(own)
    }

    /// How a record names its person, beside what was asked by; `None` if the number it has
    /// of the kind asked by is another one, or none at all.
    fn named(&self, resident: &Resident, record: &Record) -> Option<Named> {
        let mut named = vec![(resident.identifier.kind, resident.token)];
        for identifier in platform::named(record) {
            let indexed = match self.keys.indexed(identifier) {
                Ok(indexed) => indexed,
                Err(_) if identifier.kind == resident.identifier.kind => return None,
                // A slip in a number nobody asked by says nothing about whose record it is.
                Err(_) => continue,
            };
            if indexed.0 == resident.identifier.kind && indexed.1 != resident.token {
                return None;
            }
            if !named.contains(&indexed) {
                named.push(indexed);
            }
        }
        Some(named)
    }
}

/// What the own store has of a person, from the cache if that is good.
pub(super) async fn remembered(
    (store, cache): (&Store, &Cache),
    (department, Holder { entry, root }): (Department, Holder),
    at_ms: i64,
) -> Fetched {
    // What is remembered of before others changed it is nobody's answer.
    if store.is_past() {
        return Fetched::unavailable();
    }
    let load = async || {
        let read = store.records(root, RECORDS_MAX).await;
        let read = read.inspect_err(|error| {
            tracing::error!(error.kind = %error, "own records cannot be read");
        })?;
        // What is released to nobody is not remembered either.
        let told = |record| Record { carried: Vec::new(), wire: None, ..record };
        let told = read.into_iter().map(|(record, at_ms)| (told(record), at_ms));
        Ok::<_, StoreError>(told.collect())
    };
    cache.get((department, OWN, Subject::Entry { entry, of: root }), at_ms, load).await
}
