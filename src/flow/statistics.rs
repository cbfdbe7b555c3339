//! 统计, counts of a closed list, of a year that is over: made once, then always the same.
//!
//! Who is counted is read off what `policy` releases of each person to the role that asks, and
//! the counts are guarded before anything is kept. Nothing of a person leaves or is kept; one
//! person's records are in memory at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::question::{Refused, Turn};
use super::{Asker, Gateway, OWN};
use crate::audit::{Entry, Reference};
use crate::identity::{Certificate, PersonId};
use crate::inbound::http::Answered;
use crate::policy::tally::{Cells, Published};
use crate::policy::{self, Admission, Evidence, Indicator, fixed};
use crate::registry::statistic::{self, Wanted};
use crate::store::StoreError;
use crate::store::statistic::Frozen;
use crate::vocabulary::{Date, ElementId, Fault, Freshness, Position, Tier};

/// Media type of returns.
const JSON: &str = "application/json";
/// Persons that are listed at once.
const PERSONS_AT_ONCE: usize = 512;
/// Records of one person that are looked at.
const RECORDS_MAX: usize = 500;
/// How long ago a year may have ended, seconds: each return is one more look at the same people.
const AGO_MAX: i64 = 3 * 366 * 86_400;
/// Places one table may have.
const PLACES_MAX: usize = 10_000;
/// What is told while it is made.
const MAKING: &[u8] = br#"{"state":"making"}"#;

/// Which return is being made; one at a time.
pub type Making = Arc<Mutex<()>>;

impl Gateway {
    /// Carries one request for a return to its answer; a refusal is entered too.
    pub async fn statistics(
        self: Arc<Self>,
        certificate: Option<Certificate>,
        body: Bytes,
    ) -> Answered {
        let turn = self.turn();
        let asker = turn.rules.asker(certificate.as_ref(), turn.at_ms);
        let told = match (asker, statistic::read(&body)) {
            (Err(fault), _) => Err(fault.into()),
            (Ok(_), Err(error)) => Err(Refused::from(&error)),
            (Ok(asker), Ok(wanted)) => self.tell_return(&turn, asker, &wanted).await,
        };
        match told {
            Ok(answered) => answered,
            Err(refused) => self.decline_about(&turn, (asker.ok(), "statistics"), &refused).await,
        }
    }

    /// A return that was made is entered and told; another is begun.
    async fn tell_return(
        self: &Arc<Self>,
        turn: &Turn,
        asker: Asker,
        wanted: &Wanted,
    ) -> Result<Answered, Refused> {
        let at = |fault: Fault, pointer: &str| Refused {
            at: Some(Position::Pointer(pointer.to_owned())),
            ..fault.into()
        };
        let statistics = turn.rules.policies.statistics();
        let indicator = statistics.indicator(&wanted.indicator);
        let indicator = indicator.ok_or_else(|| at(Fault::IndicatorUnknown, "/indicator"))?.clone();
        let purpose = indicator.purpose.as_str();
        let admission = turn.rules.policies.admission(asker, purpose, Evidence::default())?;
        let end = end_of(wanted.year).filter(|end| *end < turn.at_ms / 1000);
        let end = end.ok_or_else(|| at(Fault::PeriodOpen, "/period"))?;
        if turn.at_ms / 1000 - end > AGO_MAX {
            return Err(at(Fault::Limit, "/period"));
        }
        let tiers = tiers(&admission, &indicator);
        let refuse =
            |rule: &str| Refused { rule: Some(rule.into()), ..Fault::PurposeNotGranted.into() };
        if tiers.values().any(|tier| *tier == Tier::Withheld) {
            return Err(refuse(fixed::DEFAULT_DENY));
        }
        let words = tiers.iter().map(|(id, tier)| format!("{id}:{}", tier.as_str()));
        let words = words.collect::<Vec<_>>().join(" ");
        let name = format!("{} {}", indicator.id, wanted.year);
        let Some(frozen) = self.store.frozen(name.clone()).await? else {
            let gateway = Arc::clone(self);
            let (turn, year) = (turn.clone(), (wanted.year, end));
            self.background.spawn(async move {
                gateway.make_return(&turn, (&admission, &indicator), (year, name, words)).await;
            });
            let body = MAKING.to_vec();
            return Ok(Answered { status: 202, media: JSON, body, entry: None });
        };
        // Made for who saw his elements otherwise, it would tell more or less than he may count.
        if frozen.tiers != words {
            return Err(refuse("other-tiers"));
        }
        let nobody = admission.towards(&[], turn.at_ms / 1000);
        let nobody = policy::decide(&nobody, None, &[], &self.keys);
        let mut entry = Entry::disclosure(&nobody, Self::about(turn, None, BTreeMap::new()));
        entry.withheld.clear();
        tiers.iter().for_each(|(id, tier)| entry.elements.insert(*tier, *id));
        entry.sources.insert(OWN, Freshness::Fresh);
        entry.subject = Some(Reference::new(&format!("statistics {name}")));
        let appended = self.append(&entry.with_answer(&frozen.body)).await?;
        metrics::counter!(
            "kangqiao_statistics_total",
            "department" => asker.0.to_string(), "indicator" => indicator.id
        )
        .increment(1);
        Ok(Answered { status: 200, media: JSON, body: frozen.body, entry: Some(appended) })
    }

    /// Makes a return, unless one is being made: whoever asks again finds it, or begins it.
    async fn make_return(
        &self,
        turn: &Turn,
        (admission, indicator): (&Admission, &Indicator),
        ((year, end), name, tiers): ((i64, i64), String, String),
    ) {
        let Ok(_turn) = self.making.try_lock() else { return };
        let made = match self.count(turn, (admission, indicator), (year, end)).await {
            Ok(tables) => {
                let guard = turn.rules.policies.statistics().guard();
                let versions = (admission.version(), turn.rules.pack.version(), turn.at_ms / 1000);
                let body = statistic::write((indicator, year), versions, guard, tables);
                let frozen = Frozen { name, tiers, body, at_ms: turn.at_ms };
                self.store.freeze(frozen).await.map_err(|error| error.fault())
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = made {
            tracing::error!(fault = fault.row().name, "a return cannot be made");
        }
    }

    /// Counts everybody, person by person, and guards the counts.
    async fn count(
        &self,
        turn: &Turn,
        (admission, indicator): (&Admission, &Indicator),
        (year, end): (i64, i64),
    ) -> Result<Vec<Vec<Published>>, Fault> {
        let reads = indicator.reads();
        let mut tables = vec![Cells::new(); indicator.tables.len()];
        // Residents of each area, whether counted or not.
        let mut areas: BTreeMap<String, u64> = BTreeMap::new();
        let mut after = PersonId(0);
        loop {
            let persons = self.store.persons_after(after, PERSONS_AT_ONCE).await;
            let persons = persons.map_err(|error| error.fault())?;
            let Some(last) = persons.last() else { break };
            after = *last;
            for person in persons {
                let _yielding = self.yielding(admission.department()).await;
                let release = self.seen_at(turn, (admission, &reads), (person, end)).await;
                let release = release.map_err(|error| error.fault())?;
                let places = indicator.tables.iter().map(|table| {
                    let places = table.iter().map(|dimension| dimension.place(&release, year));
                    places.collect::<Vec<_>>()
                });
                let areas_of = indicator.tables.iter().flatten().find(|one| one.is_area());
                if let Some(area) = areas_of.map(|area| area.place(&release, year)) {
                    *areas.entry(area).or_default() += 1;
                }
                if !indicator.counts(&release, year) {
                    continue;
                }
                let number = self.secret_number(person);
                for (cells, at) in tables.iter_mut().zip(places) {
                    let cell = cells.entry(at).or_default();
                    *cell = cell.and(number);
                }
            }
            if areas.len().max(tables.iter().map(Cells::len).max().unwrap_or(0)) > PLACES_MAX {
                return Err(Fault::Limit);
            }
        }
        let guard = turn.rules.policies.statistics().guard();
        let small: BTreeSet<String> = areas
            .into_iter()
            .filter(|(_, residents)| *residents < guard.residents_min)
            .map(|(area, _)| area)
            .collect();
        let published = indicator.tables.iter().zip(&tables).enumerate();
        Ok(published
            .map(|(index, (dimensions, cells))| {
                let name = format!("{} {year} {index}", indicator.id);
                let area = dimensions.iter().position(policy::Dimension::is_area);
                guard.publish(&name, (cells, dimensions.len()), (area, &small))
            })
            .collect())
    }

    /// What the asker's role sees of a person, as things stood at the end of the period.
    async fn seen_at(
        &self,
        turn: &Turn,
        (admission, reads): (&Admission, &[ElementId]),
        (person, end): (PersonId, i64),
    ) -> Result<policy::Release, StoreError> {
        let mut records = self.store.records(person, RECORDS_MAX).await?;
        records.retain(|(record, at_ms)| {
            let said = record.time.as_ref().and_then(Date::timestamp);
            said.unwrap_or(at_ms / 1000) <= end
        });
        let gathered = records.iter().map(|(record, at_ms)| (record, at_ms / 1000));
        let gathered: Vec<_> =
            gathered.map(|(record, as_of)| policy::Gathered { record, as_of }).collect();
        let scope = admission.towards(&gathered, end);
        Ok(turn.decide((&scope, Some(reads)), (&gathered, end), &self.keys))
    }

    /// A number nobody else knows; a department's name has no space, so this is no stand-in.
    fn secret_number(&self, person: PersonId) -> u64 {
        let keyed = self.keys.pseudonym_of_value("counted person", &person.0.to_string());
        keyed.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }
}

/// In which form the role sees each element of an indicator.
fn tiers(admission: &Admission, indicator: &Indicator) -> BTreeMap<ElementId, Tier> {
    let tier = |id: ElementId| {
        let told = admission.explain(&[], Some(id)).unwrap_or_default();
        (id, told.first().map_or(Tier::Withheld, |one| one.tier))
    };
    indicator.reads().into_iter().map(tier).collect()
}

/// The last second of a year, China Standard Time.
fn end_of(year: i64) -> Option<i64> {
    let next = Date::parse_iso(&format!("{:04}-01-01T00:00:00+08:00", year.checked_add(1)?));
    Some(next.ok()?.timestamp()? - 1)
}
