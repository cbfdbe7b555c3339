//! Tests of the policies as a whole: those shipped, over the catalogue shipped.

use std::path::Path;

use super::rules::Asker;
use super::*;
use crate::vocabulary::record::{Field, Group};
use crate::vocabulary::{Class, Coding, Dataset, Date, Element, GroupName, Record, Source, Value};

/// A folder of the tree, as the product reads it.
pub(crate) fn folder(name: &str) -> Files {
    fn walk(root: &Path, at: &Path, files: &mut Files) {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(root, &path, files),
                false => {
                    let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(key, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut files = Files::default();
    walk(&root, &root, &mut files);
    files
}

/// The catalogue and code tables of the tree.
pub(crate) fn pack() -> (Catalogue, CodeTables) {
    let files = folder("mappings");
    let tables = CodeTables::load(&files).unwrap();
    (Catalogue::load(&files, &tables).unwrap(), tables)
}

/// The policies of the tree, loaded once for all tests.
pub(crate) fn shipped() -> &'static PolicySet {
    static SHIPPED: std::sync::LazyLock<PolicySet> = std::sync::LazyLock::new(load);
    &SHIPPED
}

fn load() -> PolicySet {
    let (catalogue, tables) = pack();
    match PolicySet::load(&folder("policies"), &catalogue, &tables) {
        Ok(set) => set,
        Err(faults) => {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    }
}

#[test]
fn the_shipped_policies_hold_their_own_examples() {
    assert!(shipped().shared.rules.len() > 15);
}

/// A record of groups: name, and its elements with their values.
pub(crate) fn record(
    (dataset, source): (&str, &str),
    day: &str,
    groups: Vec<(&str, Vec<(&str, Value)>)>,
) -> Record {
    let field = |(id, value): (&str, Value)| Field { element: element(id), value, at: None };
    let groups = groups.into_iter().enumerate().map(|(index, (name, fields))| Group {
        name: GroupName::parse(name).unwrap(),
        parent: (index > 0).then_some(0),
        fields: fields.into_iter().map(field).collect(),
    });
    Record {
        dataset: Dataset::parse(dataset).unwrap(),
        source: Source::parse(source).unwrap(),
        time: Some(Date::parse(day).unwrap()),
        groups: groups.collect(),
        carried: Vec::new(),
        wire: None,
        mappings: "m".to_owned(),
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn code(code: &str) -> Value {
    Value::Code(Coding { code: Some(code.to_owned()), display: None, original: None })
}

pub(crate) fn element(id: &str) -> ElementId {
    ElementId::parse(id).unwrap()
}

pub(crate) fn names(asker: (&str, &str)) -> (Department, Role) {
    (Department::parse(asker.0).unwrap(), Role::parse(asker.1).unwrap())
}

/// A person's consent to what somebody was admitted for, where it needs one.
pub(crate) fn consent(admission: &Admission) -> Option<Record> {
    let said = vec![
        ("MZ.privacy.number", text("c-1")),
        ("MZ.privacy.state", code("active")),
        ("MZ.privacy.decision", code("permit")),
        ("MZ.privacy.purpose", code(admission.purpose().as_str())),
        ("MZ.privacy.notice", text("2026-1")),
    ];
    let record = record(("privacy-consent", "elder-registry"), "20260101", vec![("record", said)]);
    (admission.terms().consent == ConsentTerms::Needed).then_some(record)
}

pub(crate) fn with_call() -> Evidence {
    Evidence { call: Some("call-1".to_owned()), ..Evidence::default() }
}

/// Loads the shipped policies with one text in one file put in another's place.
fn load_changed(path: &str, from: &str, to: &str) -> Result<PolicySet, Vec<Diagnostic>> {
    changed(&[(path, from, to)])
}

/// The same with several texts.
pub(crate) fn changed(changes: &[(&str, &str, &str)]) -> Result<PolicySet, Vec<Diagnostic>> {
    static PACK: std::sync::LazyLock<(Catalogue, CodeTables)> = std::sync::LazyLock::new(pack);
    PolicySet::load(&edited(changes), &PACK.0, &PACK.1)
}

/// The shipped files with these texts put in the places of others.
pub(crate) fn edited(changes: &[(&str, &str, &str)]) -> Files {
    let mut files = folder("policies");
    for (path, from, to) in changes {
        let text = files.text(path).unwrap().to_owned();
        assert!(text.contains(from), "{path} does not hold {from}");
        files.insert(*path, text.replacen(from, to, 1));
    }
    files
}

#[test]
fn a_file_that_does_not_fit_is_refused_where_it_is_wrong() {
    let check = |(path, from, to): (&str, &str, &str), expect: &str| {
        let faults = load_changed(path, from, to).map(|_| ()).unwrap_err();
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(lines.iter().any(|line| line.contains(expect)), "{expect}: {lines:#?}");
    };
    let purposes = "purposes.toml";
    check(
        (purposes, "MZ.stay.over-30-days", "MZ.stay.over-31-days"),
        "purposes.toml:37:3: the catalogue has no",
    );
    check((purposes, "stale       =", "stail ="), "purposes.toml:26:1: unknown field `stail`");
    check((purposes, "class = \"death\"", "class = \"deth\""), "no element is of this class");
    check((purposes, "\"living-check\"", "\"audit\""), "purpose audit stands twice");
    let blind = "element DE02.01.039.00 is not listed: nobody searches by what he may not see";
    check((purposes, "search      = [\"code\"]", "search = [\"DE02.01.039.00\"]"), blind);
    check((purposes, "evidence = \"call\"", "evidence = \"ring\""), "unknown variant `ring`");
    let departments = "departments.toml";
    check((departments, "\"living-check\"", "\"living-chek\""), "there is no purpose living-chek");
    check((departments, "hotline-12349-agent", "care-home-clerk"), "subject is bound twice");
    let rules = "hotline.cedar";
    check((rules, "Purpose::\"emergency-card\"", "Purpose::\"emergency\""), "hotline.cedar:7:");
    check((rules, "Kind::\"hotline\"", "Kind::\"hot-line\""), "hotline.cedar:4:");
    check((rules, "Role::\"agent\"", "Role::\"agnet\""), "hotline.cedar:6:");
    check((rules, "Class::\"guardian\"", "Class::\"guard\""), "hotline.cedar:11:");
    check((rules, "evidence.call", "evidence.caal"), "hotline.cedar:8:");
    check((rules, "@id(\"hotline-emergency-card\")\n", ""), "a rule needs an @id");
    check((rules, "hotline-emergency-card", "never-mental"), "rule never-mental stands twice");
    check((rules, "&&\n", "&& &&\n"), "hotline.cedar:6:36: unexpected token");
    let rules = "care-institution.cedar";
    check((rules, "MZ.fitness.conclusion", "MZ.fitness.concluded"), "there is no Element::\"MZ.fi");
    check(("never.cedar", "@clause(\"AIDS", "@note(\"AIDS"), "a forbid needs a @clause");
    let treatments = "treatments.toml";
    check(
        (treatments, "treatment = \"district\"", "treatment = \"year\""),
        "cannot take such a value",
    );
    check((treatments, "\"generalised\"", "\"full\""), "only the tiers generalised and pseudonym");
    check(("special.toml", "A50-A64", "A64-A50"), "not a range such as A50-A64");
    check(("hotline.examples.toml", "\"requires-call\"", "\"x\""), "refused by rule requires-call");
    check(
        ("community.examples.toml", "\"death\"", "\"contract\""),
        "MZ.contract.signed is released",
    );
    check(("audit.examples.toml", "\"audit\"", "\"no\""), "no example shows what audit-office");
}

#[test]
fn an_asker_is_admitted_by_grant_and_evidence_alone() {
    let set = shipped();
    let check = |asker, purpose: &str, evidence: Evidence, expect: Result<(), (Fault, &str)>| {
        let admitted = set.admit(names(asker), purpose, evidence).map(|_| ());
        let found = admitted.map_err(|refusal| (refusal.fault, refusal.rule.to_string()));
        assert_eq!(found, expect.map_err(|(fault, rule)| (fault, rule.to_owned())), "{asker:?}");
    };
    let none = Evidence::default;
    let not_granted = Err((Fault::PurposeNotGranted, "purpose-not-granted"));
    let no_call = Err((Fault::RequiredMissing, "requires-call"));
    let blank = Evidence { call: Some("  ".to_owned()), ..none() };
    check(("civil-affairs", "clerk"), "living-check", none(), Ok(()));
    check(("civil-affairs", "doctor"), "living-check", none(), not_granted);
    check(("civil-affairs", "clerk"), "institution-admission", none(), not_granted);
    check(("nobody", "clerk"), "living-check", none(), not_granted);
    check(("hotline-12349", "agent"), "emergency-card", none(), no_call);
    check(("hotline-12349", "agent"), "emergency-card", blank, no_call);
    check(("hotline-12349", "agent"), "emergency-card", with_call(), Ok(()));
    let unknown = Err((Fault::UnknownPurpose, "unknown-purpose"));
    check(("civil-affairs", "clerk"), "curiosity", none(), unknown);
    check(("civil-affairs", "clerk"), "好奇", none(), unknown);
}

#[test]
fn a_rule_that_cannot_be_evaluated_withholds_what_it_speaks_of() {
    let from = "forbid (principal, action, resource in Class::\"protected-infection\")\n";
    let overflow = "forbid (principal, action, resource in Class::\"protected-infection\")\n\
                    when { resource.level * 9223372036854775807 > 0 }\n";
    let set = load_changed("never.cedar", from, overflow).unwrap();
    let asker = names(("care-home", "doctor"));
    let scope = set.admit(asker, "institution-admission", Evidence::default()).unwrap();
    let planned = scope.plan.planned(element("DE05.01.024.00")).unwrap();
    let ruling = planned.ruling(special::Marks(1));
    assert_eq!(ruling.tier, crate::vocabulary::Tier::Withheld);
    assert_eq!(ruling.rules.to_vec(), vec![RuleId::from(fixed::EVALUATION_ERROR)]);
}

#[test]
fn what_is_withheld_is_told_by_scope_and_question_alone() {
    let set = shipped();
    let scope = set
        .admit(names(("care-home", "clerk")), "institution-admission", Evidence::default())
        .unwrap();
    let told = |wanted: Option<&[ElementId]>| -> Vec<(String, String)> {
        let withheld = scope.plan.withheld(wanted).into_iter();
        withheld.map(|one| (one.element.to_string(), one.rule.to_string())).collect()
    };
    let listed = told(None);
    assert!(listed.iter().any(|(id, rule)| id == "MZ.allergy.severity" && rule == "default-deny"));
    // Protected ones are not even listed …
    for hidden in ["MZ.fitness.shared-living-risk", "DE05.01.024.00", "DE08.50.022.00"] {
        assert!(listed.iter().all(|(id, _)| id != hidden), "{hidden}");
    }
    // … but who names one is told, whatever there is.
    let one = |id: &str| told(Some(&[element(id)]));
    let pair = |id: &str, rule: &str| vec![(id.to_owned(), rule.to_owned())];
    let risk = "MZ.fitness.shared-living-risk";
    assert_eq!(one(risk), pair(risk, "never-infection"));
    assert_eq!(one("MZ.infection.hiv"), pair("MZ.infection.hiv", "outside-purpose"));
    assert_eq!(one("MZ.not.there"), pair("MZ.not.there", "unknown-element"));
    assert_eq!(one("MZ.fitness.conclusion"), vec![]);
}

/// Every relation there is, one bit each.
fn possible(set: &PolicySet) -> u8 {
    u8::MAX >> (relation::RELATIONS_MAX - set.shared.relations.iter().count())
}

/// One element for each thing a rule can tell apart: its id (if some rule names one),
/// its class and its level; and one of each class for every special class.
fn lattice(set: &PolicySet) -> Vec<(Element, Option<Class>)> {
    let files = folder("policies");
    let named = |id: ElementId| {
        let name = format!("Element::\"{id}\"");
        files.under("", "cedar").any(|path| files.text(path).unwrap().contains(&name))
    };
    let mut sorted: Vec<_> = set.shared.catalogue.iter().collect();
    sorted.sort_by_key(|element| element.id);
    let special: Vec<_> = set.shared.special.classes().iter().copied().map(Some).collect();
    let mut seen = std::collections::HashSet::new();
    let mut lattice = Vec::new();
    for element in sorted {
        if named(element.id) || seen.insert((element.class, element.level, None)) {
            lattice.push((element.clone(), None));
        }
        for special in &special {
            if seen.insert((element.class, 0, *special)) {
                lattice.push((element.clone(), *special));
            }
        }
    }
    lattice
}

/// Whatever role, purpose and evidence: those stand in conditions, and even with the
/// conditions taken away no rule a slice leaves out can match.
#[test]
fn no_rule_outside_a_slice_can_speak_of_what_is_in_it() {
    let set = shipped();
    let (role, purpose) = (names(("x", "clerk")).1, Purpose::parse("audit").unwrap());
    let lattice = lattice(set);
    let heads = set.shared.rules.heads();
    let mut outside = HashMap::new();
    for row in set.departments().iter() {
        let (department, kind) = (row.name, row.kind.as_str());
        let grounds = Grounds::default();
        let asker = Asker { department, kind, role, purpose, grounds };
        for (element, special) in &lattice {
            let about = rules::About { element, special: *special };
            let key = (kind, element.class, *special);
            let out =
                outside.entry(key).or_insert_with(|| set.shared.rules.outside(&heads, kind, about));
            assert!(!set.shared.rules.permits(out, asker, about), "{asker:?} {about:?}");
        }
    }
    assert!(outside.len() > 400 && outside.values().any(|heads| !heads.is_empty()));
}

#[test]
fn asking_a_slice_is_asking_every_rule_in_every_granted_scope() {
    let set = shipped();
    let lattice = lattice(set);
    for (department, role, purpose) in set.desks.keys().copied() {
        let kind = set.departments().department(department).unwrap().kind.as_str();
        // All evidence and no relation, and the other way round.
        for grounds in [Grounds::tied(0), Grounds::new(0, possible(set))] {
            let asker = Asker { department, kind, role, purpose, grounds };
            for (element, special) in &lattice {
                let about = rules::About { element, special: *special };
                let sliced = set.shared.rules.judge(asker, about);
                let whole = set.shared.rules.judge_whole(asker, about);
                assert_eq!(sliced, whole, "{asker:?} {about:?}");
            }
        }
    }
}

/// Of what no rule that can speak of an asker names, with and without is alike.
#[test]
fn a_ground_that_is_masked_changes_no_verdict() {
    let set = shipped();
    let lattice = lattice(set);
    for ((department, role, purpose), desk) in &set.desks {
        let kind = desk.department.kind.as_str();
        let each = (0..8).map(|bit| 1 << bit);
        let alone = each.clone().filter(|bit| *bit < 16).map(|bit| Grounds::new(bit, 0));
        let tied = each.map(|bit| Grounds::new(0, bit & possible(set)));
        for grounds in alone.chain(tied).chain([Grounds::tied(possible(set))]) {
            let judge = |grounds, about| {
                let (department, role, purpose) = (*department, *role, *purpose);
                set.shared.rules.judge(Asker { department, kind, role, purpose, grounds }, about)
            };
            // A department that can have no relation has none.
            let possible = set.shared.relations.can_be_held(&desk.department);
            let held = grounds.and(Grounds::tied(possible));
            for (element, special) in &lattice {
                let about = rules::About { element, special: *special };
                let masked = judge(held.and(desk.mask), about);
                assert_eq!(judge(held, about), masked, "{department} {purpose} {grounds:?}");
            }
        }
    }
}

/// A rule that takes the context under another name, or that may fail before it says for which
/// purpose it is, speaks of everything.
#[test]
fn what_a_rule_may_mean_is_not_masked() {
    let first = "@id(\"community-contract\")";
    for condition in [
        "!((if context.role == Role::\"worker\" then context else context).evidence.call)",
        "resource.level * 9223372036854775807 > 9 && context.purpose == Purpose::\"audit\" \
         && context.evidence.call",
    ] {
        let rule = format!(
            "@id(\"odd\") permit (principal in Kind::\"community\", action == \
             Action::\"full\", resource in Class::\"cost\") when {{ {condition} }};\n{first}"
        );
        let set = load_changed("community.cedar", first, &rule).unwrap();
        let (department, role) = names(("community", "worker"));
        let purpose = Purpose::parse("contract-status").unwrap();
        let desk = set.desks.get(&(department, role, purpose)).unwrap();
        assert!(desk.mask.has_evidence(1), "{condition}");
    }
}

/// Elements that no rule names are one entity where class and level are one; beside a set whose
/// rules name every element, so that each is its own, nothing is decided otherwise.
#[test]
fn elements_that_are_one_entity_would_be_judged_alike_one_by_one() {
    let first = "@id(\"community-contract\")";
    let all: Vec<_> =
        shipped().shared.catalogue.iter().map(|one| format!("Element::\"{}\"", one.id)).collect();
    let all = all.join(", ");
    let rule = format!(
        "@id(\"names-all\") permit (principal in Kind::\"upstream\", action == Action::\"full\", \
         resource) \
         when {{ [{all}].contains(resource) && ![{all}].contains(resource) }};\n{first}"
    );
    let apart = load_changed("community.cedar", first, &rule).unwrap();
    let entities = |set: &PolicySet| {
        let about = |element| rules::About { element, special: None };
        let each = set.shared.catalogue.iter().map(|one| set.shared.rules.entity(about(one)));
        each.collect::<std::collections::HashSet<_>>().len()
    };
    assert_eq!(entities(&apart), all.split(", ").count());
    assert!(entities(shipped()) < entities(&apart) / 4);
    for ((department, role, purpose), desk) in &shipped().desks {
        let (department, role, purpose) = (*department, *role, *purpose);
        let kind = desk.department.kind.as_str();
        let asker = Asker { department, kind, role, purpose, grounds: Grounds::tied(0) };
        let special = shipped().shared.special.classes().first().copied();
        let elements: Vec<_> = shipped().shared.catalogue.iter().step_by(11).collect();
        for (element, special) in elements.into_iter().flat_map(|one| [(one, None), (one, special)])
        {
            let about = rules::About { element, special };
            let together = shipped().shared.rules.judge(asker, about);
            assert_eq!(apart.shared.rules.judge(asker, about), together, "{asker:?} {about:?}");
        }
    }
}

#[test]
fn nobody_is_looked_for_by_what_may_not_be_seen() {
    let searchable = |department: &str, role: &str, purpose: &str| -> Vec<String> {
        let scope = shipped().admit(names((department, role)), purpose, with_call()).unwrap();
        scope.searchable().map(|id| id.to_string()).collect()
    };
    let open = searchable("clinic", "registrar", "record-sharing");
    assert!(open.contains(&"DE02.01.039.00".to_owned()) && open.len() == 9, "{open:?}");
    for (department, role, purpose) in [
        ("civil-affairs", "clerk", "living-check"),
        ("hotline-12349", "agent", "emergency-card"),
        ("care-home", "doctor", "institution-admission"),
    ] {
        assert!(searchable(department, role, purpose).is_empty(), "{purpose}");
    }
}
