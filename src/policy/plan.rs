//! What one kind of asker gets for one purpose, worked out once.
//!
//! The rules speak of department, role, purpose, of the grounds there are and of the element,
//! never of a value. So they are asked once for each such scope, and deciding on a record is
//! looking things up.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::consent::Consents;
use super::department::{DepartmentRow, Departments, Grant};
use super::purpose::{Authority, Bilingual, Naming, Purposes, Survivorship, Terms};
use super::relation::Relations;
use super::rules::{About, Asker, Grounds, Rules, Verdict};
use super::scope::{RuleId, fixed};
use super::special::{Marks, Special};
use super::treatment::{Treatment, Treatments};
use super::word::Words;
use crate::vocabulary::{
    Catalogue, Class, CodeTables, Element, ElementId, Record, Role, Source, Tier,
};

/// What every plan of a policy set shares.
pub(super) struct Shared {
    pub(super) version: String,
    pub(super) catalogue: Catalogue,
    pub(super) tables: CodeTables,
    pub(super) purposes: Purposes,
    pub(super) special: Special,
    pub(super) treatments: Treatments,
    pub(super) departments: Departments,
    pub(super) relations: Relations,
    pub(super) consents: Consents,
    /// Every class: those of elements and the special ones of values.
    pub(super) classes: Vec<Class>,
    pub(super) rules: Rules,
}

impl Shared {
    /// What a person's word may speak of.
    pub(super) fn words(&self) -> Words<'_> {
        let Self { purposes, departments, classes, .. } = self;
        Words { purposes, departments, classes }
    }
}

/// 窗口, where one department in one role asks for one purpose. A decision depends on that, on
/// the grounds there are and on the element; so the rules are asked once for each set of grounds.
pub(super) struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) department: DepartmentRow,
    pub(super) role: Role,
    pub(super) terms: Terms,
    pub(super) persons_per_day: Option<u32>,
    /// Which grounds can make a difference here.
    pub(super) mask: Grounds,
    /// One plan for each set of grounds, made when first asked for.
    plans: Vec<OnceLock<Option<Arc<Plan>>>>,
}

impl Desk {
    /// The desk of a grant; `None` if there is no such purpose.
    pub(super) fn new(
        shared: &Arc<Shared>,
        department: &DepartmentRow,
        (role, grant): (Role, &Grant),
    ) -> Option<Self> {
        let sets = Grounds::sets(shared.relations.iter().count());
        let can_be = shared.relations.can_be_held(department);
        let mask = shared.rules.matter(&department.kind, grant.purpose);
        let mask = mask.and(Grounds::tied(can_be));
        Some(Self {
            mask,
            shared: Arc::clone(shared),
            department: department.clone(),
            role,
            terms: shared.purposes.terms(grant.purpose)?.clone(),
            persons_per_day: grant.persons_per_day,
            plans: (0..sets).map(|_| OnceLock::new()).collect(),
        })
    }

    /// What is given on these grounds.
    pub(super) fn plan(&self, grounds: Grounds) -> Option<Arc<Plan>> {
        let asker = Asker {
            department: self.department.name,
            kind: &self.department.kind,
            role: self.role,
            purpose: self.terms.id,
            grounds,
        };
        // What no rule here speaks of makes no difference.
        let grounds = grounds.and(self.mask);
        let asker = Asker { grounds, ..asker };
        let made = self.plans.get(grounds.index())?;
        made.get_or_init(|| Plan::new(&self.shared, asker).map(Arc::new)).clone()
    }
}

/// How far down the tiers a value may go, and by which rules.
#[derive(Debug, Clone)]
pub(super) struct Ruling {
    /// The tier the rules permit.
    pub(super) tier: Tier,
    /// That tier and every more protective one, each with its treatment.
    pub(super) ladder: Vec<(Tier, Treatment)>,
    /// By which rules.
    pub(super) rules: Arc<[RuleId]>,
}

/// What the scope gets of one element.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) element: Arc<Element>,
    /// Place in the purpose's list.
    pub(super) order: usize,
    /// Of its plain values.
    plain: Ruling,
    /// Of its values of each special class.
    special: Vec<Ruling>,
    /// Every group, not the latest alone.
    pub(super) repeats: bool,
    /// Who alone is believed, if anybody in particular.
    authority: Option<Authority>,
    /// Whose word counts first, where several speak.
    survivorship: Option<Survivorship>,
}

/// 不予披露, an element that is withheld, as the asker is told.
#[derive(Debug, Clone)]
pub struct Withheld {
    /// The element.
    pub element: ElementId,
    /// Its name.
    pub title: Bilingual,
    /// By which rule.
    pub rule: RuleId,
    /// What could be done.
    pub remedy: Bilingual,
    /// Told only to who asked for this very element.
    hidden: bool,
}

/// The whole of it.
pub(super) struct Plan {
    pub(super) terms: Terms,
    pub(super) shared: Arc<Shared>,
    elements: HashMap<ElementId, Planned>,
    withheld: Vec<Withheld>,
    /// Whether a day of it may leave moved.
    pub(super) shifts: bool,
}

impl Planned {
    /// The ruling for a value with these marks: the most protective that applies.
    pub(super) fn ruling(&self, marks: Marks) -> &Ruling {
        let marked = self.special.iter().enumerate();
        let marked = marked.filter(|(index, _)| marks.0 & (1 << index) != 0);
        marked.fold(
            &self.plain,
            |most, (_, ruling)| {
                if ruling.tier > most.tier { ruling } else { most }
            },
        )
    }

    /// Whether a value with these marks is given as one without any.
    pub(super) fn gives_as_plain(&self, marks: Marks) -> bool {
        self.ruling(marks).tier == self.plain.tier
    }

    /// The special classes whose values get less than plain ones, and how little, in the
    /// order of the marks.
    pub(super) fn less(&self) -> impl Iterator<Item = (usize, Tier)> {
        let marked = self.special.iter().map(|ruling| ruling.tier).enumerate();
        marked.filter(|(_, tier)| *tier > self.plain.tier)
    }

    /// Whether some value of it may leave as a day that was moved.
    fn shifts(&self) -> bool {
        let mut rulings = std::iter::once(&self.plain).chain(&self.special);
        rulings.any(|ruling| ruling.ladder.iter().any(|(_, how)| *how == Treatment::Shift))
    }

    /// Whether this element is believed of this record.
    pub(super) fn believes(&self, record: &Record) -> bool {
        self.authority.as_ref().is_none_or(|authority| {
            (authority.datasets.is_empty() || authority.datasets.contains(&record.dataset))
                && (authority.sources.is_empty() || authority.sources.contains(&record.source))
        })
    }
}

impl Planned {
    /// How much a record is believed about this element: the lower the more.
    pub(super) fn rank(&self, record: &Record) -> usize {
        self.survivorship.as_ref().map_or(0, |order| order.rank(record.source))
    }
}

impl Plan {
    /// Asks the rules about every element the purpose lists.
    pub(super) fn new(shared: &Arc<Shared>, asker: Asker<'_>) -> Option<Self> {
        let rules = &shared.rules;
        let terms = shared.purposes.terms(asker.purpose)?.clone();
        let mut plan = Self {
            shared: Arc::clone(shared),
            elements: HashMap::with_capacity(terms.elements.len()),
            withheld: Vec::new(),
            shifts: false,
            terms,
        };
        let mut verdicts = HashMap::new();
        let mut judge = |about: About<'_>| {
            let verdict = verdicts.entry(rules.entity(about));
            verdict.or_insert_with(|| rules.judge(asker, about)).clone()
        };
        for (order, id) in plan.terms.elements.iter().enumerate() {
            let element = Arc::new(shared.catalogue.get(*id)?.clone());
            let verdict = judge(About { element: &element, special: None });
            if verdict.tier == Tier::Withheld {
                plan.withheld.push(withheld(&element, &verdict, &plan.terms.remedy));
                continue;
            }
            let special = shared.special.classes().iter().enumerate().map(|(index, class)| {
                if !shared.special.is_ruled(index) {
                    return ruling(shared, &element, verdict.clone());
                }
                let about = About { element: &element, special: Some(*class) };
                ruling(shared, &element, verdict.clone().most_protective(judge(about)))
            });
            let planned = Planned {
                order,
                special: special.collect(),
                repeats: shared.purposes.repeats(&element),
                authority: authority(&plan.terms, &element),
                survivorship: shared.purposes.survivorship(&element).cloned(),
                plain: ruling(shared, &element, verdict),
                element,
            };
            plan.shifts |= planned.shifts();
            plan.elements.insert(*id, planned);
        }
        Some(plan)
    }

    /// What the scope gets of an element; `None` if nothing.
    pub(super) fn planned(&self, id: ElementId) -> Option<&Planned> {
        self.elements.get(&id)
    }

    /// Whether the scope sees plain values of an element as they are.
    pub(super) fn sees_whole(&self, id: ElementId) -> bool {
        self.elements.get(&id).is_some_and(|planned| planned.plain.tier == Tier::Full)
    }

    /// Every element something of which may be released, in the order of the purpose.
    pub(super) fn released(&self) -> impl Iterator<Item = (&Planned, &Ruling)> {
        let listed = self.terms.elements.iter().filter_map(|id| self.elements.get(id));
        listed.map(|planned| (planned, &planned.plain))
    }

    /// What is withheld, told as far as it may be told. Depends on the scope, the
    /// catalogue and the wanted list, never on what there is about the person.
    pub(super) fn withheld(&self, wanted: Option<&[ElementId]>) -> Vec<Withheld> {
        let Some(wanted) = wanted else {
            return self.withheld.iter().filter(|element| !element.hidden).cloned().collect();
        };
        let refused = wanted.iter().filter(|id| !self.elements.contains_key(id));
        refused.map(|id| self.refused(*id)).collect()
    }

    /// Why an element that was asked for by name is withheld.
    fn refused(&self, id: ElementId) -> Withheld {
        if let Some(known) = self.withheld.iter().find(|withheld| withheld.element == id) {
            return known.clone();
        }
        let element = self.shared.catalogue.get(id);
        let rule = match element {
            Some(_) => fixed::OUTSIDE_PURPOSE,
            None => fixed::UNKNOWN_ELEMENT,
        };
        Withheld {
            element: id,
            title: element.map(title).unwrap_or_default(),
            rule: rule.into(),
            remedy: self.terms.remedy.clone(),
            hidden: false,
        }
    }

    /// Whether the asker may know a source by its name; else it is called `gateway`.
    pub(super) fn names(&self, source: Source) -> bool {
        match self.terms.naming {
            Naming::All => true,
            Naming::Upstreams => self.terms.upstreams.contains(&source),
        }
    }
}

/// Both names of an element.
pub(super) fn title(element: &Element) -> Bilingual {
    Bilingual { zh: element.zh.clone(), en: element.en.clone() }
}

fn ruling(shared: &Shared, element: &Element, verdict: Verdict) -> Ruling {
    let ladder = shared.treatments.ladder(element, verdict.tier);
    Ruling { tier: verdict.tier, ladder, rules: verdict.rules.into() }
}

fn authority(terms: &Terms, element: &Element) -> Option<Authority> {
    terms.authoritative.iter().find(|authority| authority.class == element.class).cloned()
}

fn withheld(element: &Element, verdict: &Verdict, remedy: &Bilingual) -> Withheld {
    let rule = verdict.rules.first().cloned();
    Withheld {
        element: element.id,
        title: title(element),
        rule: rule.unwrap_or_else(|| fixed::DEFAULT_DENY.into()),
        remedy: verdict.remedy.clone().unwrap_or_else(|| remedy.clone()),
        hidden: verdict.hidden,
    }
}
