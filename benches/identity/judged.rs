//! What a matcher made of a set, held against the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use kangqiao::identity::linkage::population::Persons;
use kangqiao::identity::linkage::{Population, Traits, Veil};
use serde_json::{Value, json};

use super::sets::Set;

/// Pairs of records said to be one person, and whether they are.
#[derive(Clone, Copy, PartialEq)]
struct Pairs {
    right: usize,
    wrong: usize,
    missed: usize,
}

/// Everything that is said of one set.
pub struct Figures {
    records: usize,
    persons: usize,
    automatic: Pairs,
    likely: Pairs,
    /// If somebody looked at the queue and was never wrong.
    with_queue: Pairs,
    queued: usize,
    /// For each sort of people who look alike: joined by themselves, joined if likely, all.
    unlike: BTreeMap<String, [usize; 3]>,
    /// The same from tokens that came as bytes, under another key.
    tokens: Pairs,
    time: Duration,
}

/// Matches a set and holds the outcome against its truth.
pub fn measured(set: &Set) -> Figures {
    let began = worked();
    let veil = Veil::new(&[1; 32]);
    let traits: Vec<Traits> = set.entries.iter().map(|who| veil.traits(who)).collect();
    let persons = Population::learn(&traits).persons(&set.order);
    let time = worked() - began;
    let likely = persons.likely();
    let joined = |groups: &[usize], a: usize, b: usize| usize::from(groups[a] == groups[b]);
    let mut unlike = BTreeMap::<String, [usize; 3]>::new();
    for (a, b, why) in &set.unlike {
        let counts = unlike.entry(why.clone()).or_default();
        let both = [joined(&persons.automatic, *a, *b), joined(&likely, *a, *b), 1];
        counts.iter_mut().zip(both).for_each(|(count, more)| *count += more);
    }
    let looked: BTreeSet<usize> = persons.review.iter().flat_map(|((a, b), _)| [*a, *b]).collect();
    Figures {
        records: set.entries.len(),
        persons: set.person.iter().collect::<BTreeSet<_>>().len(),
        automatic: Pairs::of(&persons.automatic, &set.person),
        likely: Pairs::of(&likely, &set.person),
        with_queue: Pairs::of(&confirmed(&persons, &set.person), &set.person),
        queued: looked.len(),
        unlike,
        tokens: tokens_alone(set),
        time,
    }
}

/// How long this thread has worked, which others on the machine do not change; where the
/// system does not say so, how long it has been there.
fn worked() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let said = said.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok());
    said.map_or_else(|| BEGAN.elapsed(), Duration::from_nanos)
}

/// The persons if every pair of the queue were decided by the truth.
fn confirmed(persons: &Persons, truth: &[u32]) -> Vec<usize> {
    let mut groups = persons.automatic.clone();
    for ((a, b), _) in &persons.review {
        let (keep, go) = (groups[*a], groups[*b]);
        if truth[*a] == truth[*b] && keep != go {
            groups.iter_mut().filter(|group| **group == go).for_each(|group| *group = keep);
        }
    }
    groups
}

/// What somebody makes of the set who was handed nothing but bytes of tokens.
fn tokens_alone(set: &Set) -> Pairs {
    let veil = Veil::new(&[2; 32]);
    let handed = set.entries.iter().map(|who| postcard::to_stdvec(&veil.traits(who)).unwrap());
    let traits: Vec<Traits> = handed.map(|bytes| postcard::from_bytes(&bytes).unwrap()).collect();
    let persons = Population::learn(&traits).persons(&set.order);
    Pairs::of(&persons.likely(), &set.person)
}

impl Pairs {
    fn of(groups: &[usize], truth: &[u32]) -> Self {
        let pairs = |sizes: &mut dyn Iterator<Item = &usize>| {
            sizes.map(|size| size * (size - 1) / 2).sum::<usize>()
        };
        let (mut said, mut true_, mut both) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (group, person) in groups.iter().zip(truth) {
            *said.entry(*group).or_insert(0) += 1;
            *true_.entry(*person).or_insert(0) += 1;
            *both.entry((*group, *person)).or_insert(0) += 1;
        }
        let right = pairs(&mut both.values());
        let (said, true_) = (pairs(&mut said.values()), pairs(&mut true_.values()));
        Self { right, wrong: said - right, missed: true_ - right }
    }

    fn precision(self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    fn recall(self) -> f64 {
        share(self.right, self.right + self.missed)
    }

    fn f1(self) -> f64 {
        share(2 * self.right, 2 * self.right + self.wrong + self.missed)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Figures {
    /// What issue 4 asks for.
    pub const AIMS: &str = "aims: automatic precision >= .9995 at recall >= .980; F1 of the \
        likely persons >= .996,\nfrom tokens alone >= .985; recall with the queue >= .998 with \
        <= 3 % of records queued;\nno twins, no couples, no namesakes joined; 20,000 records/s.";

    /// Records of one core in a second, from clear values to persons.
    fn rate(&self) -> f64 {
        self.records as f64 / self.time.as_secs_f64()
    }

    /// A few lines for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let line = |name: &str, pairs: Pairs| {
            let (p, r, f1) = (pairs.precision(), pairs.recall(), pairs.f1());
            format!("  {name:<12} precision {p:.5}  recall {r:.5}  F1 {f1:.5}\n")
        };
        let _ = writeln!(text, "  {} records of {} persons", self.records, self.persons);
        text += &line("automatic", self.automatic);
        text += &line("likely", self.likely);
        text += &line("tokens alone", self.tokens);
        let queue = 100.0 * share(self.queued, self.records);
        let recall = self.with_queue.recall();
        let _ = writeln!(text, "  queue        recall {recall:.5} with {queue:.2} % of records");
        text += "  joined       ";
        for (why, [automatic, likely, all]) in &self.unlike {
            let _ = write!(text, "{why} {automatic} (likely {likely}) of {all}  ");
        }
        let _ = writeln!(text, "\n  time         {:.0} records/s", self.rate());
        text
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let five = |value: f64| (value * 1e5).round() / 1e5;
        let pairs = |pairs: Pairs| {
            json!({
                "precision": five(pairs.precision()),
                "recall": five(pairs.recall()),
                "f1": five(pairs.f1()),
                "wrong": pairs.wrong,
            })
        };
        let unlike = self.unlike.iter().map(|(why, [automatic, likely, all])| {
            (why.clone(), json!({ "automatic": automatic, "likely": likely, "pairs": all }))
        });
        json!({
            "records": self.records,
            "persons": self.persons,
            "automatic": pairs(self.automatic),
            "likely": pairs(self.likely),
            "tokens-alone": pairs(self.tokens),
            "recall-with-queue": five(self.with_queue.recall()),
            "queued-share": five(share(self.queued, self.records)),
            "joined": unlike.collect::<serde_json::Map<_, _>>(),
            "records-per-second": self.rate().round(),
        })
    }
}
