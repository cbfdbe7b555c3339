//! 规则, the Cedar rules: loaded, checked, sliced by kind of department and class, and asked.
//!
//! Tiers are actions. The tier released is the least protective one permitted; a
//! forbid wins over any permit of the same tier, and a rule that cannot be evaluated
//! withholds, because Cedar itself would skip it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, EntityUid, Policy, PolicyId,
    PolicySet as CedarSet, PrincipalConstraint, Request, ResourceConstraint, RestrictedExpression,
};

use super::purpose::{Bilingual, EvidenceKey};
use super::rule_files::{self, Loaded};
use super::schema::{self, Lists, Types};
use super::scope::{RuleId, fixed};
use super::spoken::Spoken;
use crate::vocabulary::{
    Class, Department, Diagnostic, Element, ElementId, Files, Purpose, Role, Tier,
};

/// What of a rule the answer and the ledger need.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// Its `@id`.
    pub(super) id: RuleId,
    /// `@hidden`: that it withholds something is itself not told.
    pub(super) hidden: bool,
    /// `@zh` and `@en`: what could be done about it.
    pub(super) remedy: Option<Bilingual>,
}

/// Who asks, as the rules see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) department: Department,
    pub(super) kind: &'a str,
    pub(super) role: Role,
    pub(super) purpose: Purpose,
    /// What there is beside.
    pub(super) grounds: Grounds,
}

/// 依据, what there is beside who asks and what for: which evidence was brought, and which
/// relations the department has to the person. One bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Grounds(u16);

impl Grounds {
    /// Whatever there can be.
    pub(super) const ALL: Self = Self(u16::MAX);

    /// How many sets of grounds there are where there are that many relations.
    pub(super) const fn sets(relations: usize) -> usize {
        1 << (EvidenceKey::ALL.len() + relations)
    }

    /// Of evidence, one bit each in the order of [`EvidenceKey::ALL`], and of relations, one
    /// bit each in the order of their file.
    pub(super) const fn new(evidence: u8, relations: u8) -> Self {
        Self(evidence as u16 | (relations as u16) << EvidenceKey::ALL.len())
    }

    /// All evidence with these relations.
    pub(super) const fn tied(relations: u8) -> Self {
        Self::new((1 << EvidenceKey::ALL.len()) - 1, relations)
    }

    /// The same evidence with these relations.
    pub(super) const fn with(self, relations: u8) -> Self {
        Self((self.0 & Self::tied(0).0) | Self::new(0, relations).0)
    }

    /// What is in this set or in the other.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and in the other.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The place of this set among all sets.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(super) const fn has_evidence(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(super) const fn has_relation(self, index: usize) -> bool {
        self.has_evidence(EvidenceKey::ALL.len() + index)
    }
}

/// About what: an element, or those of its values that a special class holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) element: &'a Element,
    pub(super) special: Option<Class>,
}

/// What the rules say about one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The tier.
    pub(super) tier: Tier,
    /// By which rules, sorted.
    pub(super) rules: Vec<RuleId>,
    /// Whether that it is withheld is itself not told.
    pub(super) hidden: bool,
    /// What could be done.
    pub(super) remedy: Option<Bilingual>,
}

impl Verdict {
    fn withheld(rule: &str) -> Self {
        let rules = vec![RuleId::from(rule)];
        Self { tier: Tier::Withheld, rules, hidden: false, remedy: None }
    }

    /// The more protective of two; both rules count where both withhold equally.
    pub(super) fn most_protective(self, other: Self) -> Self {
        if other.tier > self.tier { other } else { self }
    }
}

/// Which rules can matter for a kind of department and the classes of an element.
type Slices = HashMap<(String, Vec<Class>), CedarSet>;

/// All rules.
pub(super) struct Rules {
    types: Types,
    /// Elements that a rule names.
    named: BTreeSet<ElementId>,
    relations: Vec<String>,
    entities: Entities,
    authorizer: Authorizer,
    whole: CedarSet,
    slices: Slices,
    notes: HashMap<PolicyId, Note>,
    /// Of each rule: the kinds of department it can speak of, and what it names.
    spoken: Vec<(BTreeSet<String>, Spoken)>,
}

impl Rules {
    /// Reads every `*.cedar` file.
    pub(super) fn load(files: &Files, lists: Lists<'_>) -> Result<Self, Vec<Diagnostic>> {
        let whole_folder = |message: String| vec![Diagnostic::at("*.cedar", "", 0, message)];
        let types = Types::new().map_err(whole_folder)?;
        let schema = schema::schema(lists).map_err(whole_folder)?;
        let Loaded { set, notes } = rule_files::load(files, &schema, lists)?;
        let literals = set.policies().flat_map(Policy::entity_literals);
        let named =
            literals.filter_map(|uid| rule_files::element(&uid, lists.catalogue)).map(|one| one.id);
        let named = named.collect();
        let entities = schema::entities(&types, lists, &named).map_err(whole_folder)?;
        let slices = slices(&set, lists).map_err(whole_folder)?;
        let authorizer = Authorizer::new();
        let relations: Vec<_> = lists.relations.iter().map(|row| row.id.to_string()).collect();
        let kinds = lists.departments.kinds();
        let spoken = set.policies().map(|policy| {
            let of = kinds.iter().filter(|kind| matches_kind(policy, kind, lists));
            let of = of.map(|kind| (*kind).to_owned()).collect();
            (of, Spoken::by(policy, &relations))
        });
        let spoken = spoken.collect();
        Ok(Self {
            types,
            named,
            relations,
            entities,
            authorizer,
            whole: set,
            slices,
            notes,
            spoken,
        })
    }

    /// Which tier of an element, or of its values of a special class, an asker gets.
    pub(super) fn judge(&self, asker: Asker<'_>, about: About<'_>) -> Verdict {
        let key = (asker.kind.to_owned(), slice_classes(about.element.class, about.special));
        match self.slices.get(&key) {
            Some(slice) => self.judge_by(slice, asker, about),
            None => Verdict::withheld(fixed::DEFAULT_DENY),
        }
    }

    /// What rules see of an element: of those that are one entity the verdict is one.
    pub(super) fn entity(&self, about: About<'_>) -> EntityUid {
        self.types.element((about.element, about.special), &self.named)
    }

    /// How many rules there are.
    pub(super) fn len(&self) -> usize {
        self.whole.num_of_policies()
    }

    /// The text of every rule.
    pub(super) fn texts(&self) -> Vec<String> {
        self.whole.policies().map(ToString::to_string).collect()
    }

    /// Which grounds can matter to departments of a kind that ask for a purpose: those that a
    /// rule which can speak of them names.
    pub(super) fn matter(&self, kind: &str, purpose: Purpose) -> Grounds {
        let speaks =
            |(of, one): &&(BTreeSet<String>, Spoken)| of.contains(kind) && one.can_be_for(purpose);
        let spoken = self.spoken.iter().filter(speaks);
        spoken.fold(Grounds::default(), |all, (_, one)| all.or(one.grounds))
    }

    /// Every `@id`.
    pub(super) fn ids(&self) -> impl Iterator<Item = RuleId> {
        self.notes.values().map(|note| Arc::clone(&note.id))
    }

    /// Whether a rule of that `@id` gives rather than takes away; `None` if there is none.
    pub(super) fn gives(&self, id: &str) -> Option<bool> {
        self.whole.policy(&PolicyId::new(id)).map(|policy| !forbids(policy))
    }

    fn judge_by(&self, rules: &CedarSet, asker: Asker<'_>, about: About<'_>) -> Verdict {
        let mut against: Vec<&Note> = Vec::new();
        let resource = self.entity(about);
        for tier in Tier::ALL.into_iter().filter(|tier| *tier != Tier::Withheld) {
            let Some(request) = self.request(asker, tier, resource.clone()) else {
                return Verdict::withheld(fixed::EVALUATION_ERROR);
            };
            let response = self.authorizer.is_authorized(&request, rules, &self.entities);
            if response.diagnostics().errors().next().is_some() {
                return Verdict::withheld(fixed::EVALUATION_ERROR);
            }
            let reasons = response.diagnostics().reason().filter_map(|id| self.notes.get(id));
            if response.decision() == Decision::Allow {
                return verdict(tier, reasons.chain(against.iter().copied()).collect());
            }
            against.extend(reasons);
        }
        match against.is_empty() {
            true => Verdict::withheld(fixed::DEFAULT_DENY),
            false => verdict(Tier::Withheld, against),
        }
    }

    fn request(&self, asker: Asker<'_>, tier: Tier, resource: EntityUid) -> Option<Request> {
        let entity = RestrictedExpression::new_entity_uid;
        let evidence = EvidenceKey::ALL.into_iter().enumerate().map(|(index, key)| {
            let present = asker.grounds.has_evidence(index);
            (key.as_str().to_owned(), RestrictedExpression::new_bool(present))
        });
        let relations = self.relations.iter().enumerate().map(|(index, name)| {
            (name.clone(), RestrictedExpression::new_bool(asker.grounds.has_relation(index)))
        });
        let pairs = [
            ("purpose".to_owned(), entity(self.types.purpose(asker.purpose.as_str()))),
            ("role".to_owned(), entity(self.types.role(asker.role.as_str()))),
            ("evidence".to_owned(), RestrictedExpression::new_record(evidence).ok()?),
            ("relation".to_owned(), RestrictedExpression::new_record(relations).ok()?),
        ];
        let principal = self.types.department(asker.department.as_str());
        let context = Context::from_pairs(pairs).ok()?;
        Request::new(principal, self.types.action(tier), resource, context, None).ok()
    }
}

/// Cedar gives reasons in no order; ours is by id, so that answers are reproducible.
fn verdict(tier: Tier, mut notes: Vec<&Note>) -> Verdict {
    notes.sort_unstable_by(|left, right| left.id.cmp(&right.id));
    let mut rules: Vec<RuleId> = notes.iter().map(|note| Arc::clone(&note.id)).collect();
    rules.dedup();
    let remedy = notes.iter().find_map(|note| note.remedy.clone());
    Verdict { tier, rules, hidden: notes.iter().any(|note| note.hidden), remedy }
}

fn slice_classes(class: Class, special: Option<Class>) -> Vec<Class> {
    let mut classes = vec![class];
    classes.extend(special.filter(|special| *special != class));
    classes.sort_unstable();
    classes
}

/// One slice for each kind of department and each class, alone and with each special class.
fn slices(whole: &CedarSet, lists: Lists<'_>) -> Result<Slices, String> {
    let mut slices = Slices::new();
    let special = lists.special.classes().iter().copied().map(Some);
    let special: Vec<Option<Class>> = std::iter::once(None).chain(special).collect();
    for kind in lists.departments.kinds() {
        for class in schema::classes(lists) {
            for special in &special {
                let classes = slice_classes(class, *special);
                let fits = |policy: &&Policy| {
                    matches_kind(policy, kind, lists) && matches_class(policy, &classes, lists)
                };
                let slice = CedarSet::from_policies(whole.policies().filter(fits).cloned());
                let slice = slice.map_err(|error| error.to_string())?;
                slices.insert((kind.to_owned(), classes), slice);
            }
        }
    }
    Ok(slices)
}

/// Whether the head of a rule leaves room for departments of a kind.
fn matches_kind(policy: &Policy, kind: &str, lists: Lists<'_>) -> bool {
    let within = |uid: &EntityUid| match uid.type_name().basename() {
        "Kind" => uid.id().unescaped() == kind,
        _ => Department::parse(uid.id().unescaped())
            .ok()
            .and_then(|name| lists.departments.department(name))
            .is_some_and(|row| row.kind == kind),
    };
    match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => true,
        PrincipalConstraint::In(uid)
        | PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::IsIn(_, uid) => within(&uid),
    }
}

/// Whether the head of a rule leaves room for elements of these classes.
fn matches_class(policy: &Policy, classes: &[Class], lists: Lists<'_>) -> bool {
    let within = |uid: &EntityUid| match uid.type_name().basename() {
        "Class" => classes.iter().any(|class| class.as_str() == uid.id().unescaped()),
        _ => rule_files::element(uid, lists.catalogue)
            .is_some_and(|element| classes.contains(&element.class)),
    };
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
        ResourceConstraint::In(uid)
        | ResourceConstraint::Eq(uid)
        | ResourceConstraint::IsIn(_, uid) => within(&uid),
    }
}

#[cfg(test)]
impl Rules {
    /// As [`Rules::judge`], asking every rule there is.
    pub(super) fn judge_whole(&self, asker: Asker<'_>, about: About<'_>) -> Verdict {
        self.judge_by(&self.whole, asker, about)
    }

    /// The head of every rule, made a permit of every tier without conditions.
    pub(super) fn heads(&self) -> CedarSet {
        CedarSet::from_policies(self.whole.policies().map(|policy| {
            let mut json = policy.to_json().unwrap();
            json["conditions"] = serde_json::json!([]);
            json["effect"] = serde_json::json!("permit");
            json["action"] = serde_json::json!({ "op": "All" });
            Policy::from_json(Some(policy.id().clone()), json).unwrap()
        }))
        .unwrap()
    }

    /// Those heads whose rules a slice leaves out.
    pub(super) fn outside(&self, heads: &CedarSet, kind: &str, about: About<'_>) -> CedarSet {
        let key = (kind.to_owned(), slice_classes(about.element.class, about.special));
        let slice = self.slices.get(&key).unwrap();
        let outside = heads.policies().filter(|policy| slice.policy(policy.id()).is_none());
        CedarSet::from_policies(outside.cloned()).unwrap()
    }

    /// Whether a set of rules without conditions permits anything.
    pub(super) fn permits(&self, set: &CedarSet, asker: Asker<'_>, about: About<'_>) -> bool {
        let resource = self.entity(about);
        let request = self.request(asker, Tier::Full, resource).unwrap();
        let response = self.authorizer.is_authorized(&request, set, &self.entities);
        response.decision() == Decision::Allow
    }
}

/// Whether a rule takes away rather than gives.
pub(super) fn forbids(policy: &Policy) -> bool {
    policy.effect() == Effect::Forbid
}
