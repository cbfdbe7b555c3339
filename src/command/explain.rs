//! `kangqiao explain`: what would be released, and by which rule.
//!
//! It reads mapping and policy files and no person's data, so anybody who may read the
//! policies may run it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Failure, say};
use crate::config::files::read_folder;
use crate::policy::{Admission, ConsentTerms, Evidence, Explanation, PolicySet, Refusal};
use crate::vocabulary::{
    Catalogue, CodeTables, Department, Diagnostic, ElementId, Files, Relation, Role, Tier,
};

/// Explains what a department would get for a purpose, element by element.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The department, as in `departments.toml`.
    #[arg(long)]
    department: String,
    /// Its role; without one, every role the purpose is granted to.
    #[arg(long)]
    role: Option<String>,
    /// The purpose, as in `purposes.toml`.
    #[arg(long)]
    purpose: String,
    /// One element; without it, all the purpose lists.
    #[arg(long)]
    element: Option<String>,
    /// Without evidence (call, case, reason); else all of it is taken as given.
    #[arg(long)]
    without_evidence: bool,
    /// A relation of the department to the person, as in `relations.toml`; may stand several times.
    #[arg(long)]
    relation: Vec<String>,
    /// Folder of the mapping files.
    #[arg(long, default_value = "mappings")]
    mappings: PathBuf,
    /// Folder of the policy files.
    #[arg(long, default_value = "policies")]
    policies: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What one role gets.
#[derive(Serialize)]
struct Explained {
    department: Department,
    role: Role,
    purpose: String,
    policy: String,
    consent: ConsentTerms,
    elements: Vec<Explanation>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with every fault of the files, or the rule by which the asker would be refused.
pub fn run(args: Args) -> Result<(), Failure> {
    let set = load(&args.mappings, &args.policies)?;
    let explained = explain(&set, &args)?;
    if args.json {
        let text = serde_json::to_string_pretty(&explained);
        say(text.map_err(|error| Failure::during("print", error))?)
    } else {
        say(explained.iter().map(table).collect::<String>().trim_end())
    }
}

fn explain(set: &PolicySet, args: &Args) -> Result<Vec<Explained>, Failure> {
    let department = Department::parse(&args.department)
        .map_err(|error| Failure::during("--department", error))?;
    let element = args.element.as_deref().map(ElementId::parse).transpose();
    let element = element.map_err(|error| Failure::during("--element", error))?;
    let known = set.know(element.as_slice());
    let named = args.element.as_deref().unwrap_or_default();
    known.map_err(|_| Failure(format!("there is no element {named}")))?;
    let relations = args.relation.iter().map(|name| Relation::parse(name)).collect();
    let relations: Vec<_> =
        Result::map_err(relations, |error| Failure::during("--relation", error))?;
    let explained = roles(set, department, args)?.into_iter().map(|role| {
        let admission = set.admission((department, role), &args.purpose, evidence(args));
        let admission = admission.map_err(|refusal| refused(department, role, &refusal))?;
        explained(&admission, &relations, element)
    });
    explained.collect()
}

fn explained(
    admission: &Admission,
    relations: &[Relation],
    element: Option<ElementId>,
) -> Result<Explained, Failure> {
    let elements = admission.explain(relations, element);
    Ok(Explained {
        department: admission.department(),
        role: admission.role(),
        purpose: admission.purpose().to_string(),
        policy: admission.version().to_owned(),
        consent: admission.terms().consent,
        elements: elements.ok_or_else(|| Failure("there is no such relation".to_owned()))?,
    })
}

/// The role asked for, or every role of the department the purpose is granted to.
fn roles(set: &PolicySet, department: Department, args: &Args) -> Result<Vec<Role>, Failure> {
    let row = set.departments().department(department);
    let row = row.ok_or_else(|| Failure(format!("there is no department {department}")))?;
    if let Some(role) = &args.role {
        let role = Role::parse(role).map_err(|error| Failure::during("--role", error))?;
        return Ok(vec![role]);
    }
    let listed = |name: &str| set.purposes().iter().any(|terms| terms.id.as_str() == name);
    if !listed(&args.purpose) {
        return Err(Failure(format!("there is no purpose {}", args.purpose)));
    }
    let grants = row.grants.iter().filter(|grant| grant.purpose.as_str() == args.purpose);
    let roles: Vec<Role> = grants.flat_map(|grant| grant.roles.iter().copied()).collect();
    match roles.is_empty() {
        true => Err(Failure(format!("{department} was not granted {}", args.purpose))),
        false => Ok(roles),
    }
}

fn evidence(args: &Args) -> Evidence {
    Evidence::supposed(|_| !args.without_evidence)
}

fn refused(department: Department, role: Role, refusal: &Refusal) -> Failure {
    let Refusal { rule, remedy, .. } = refusal;
    Failure(format!("{department} {role} is refused by rule {rule}: {} {}", remedy.zh, remedy.en))
}

fn load(mappings: &Path, policies: &Path) -> Result<PolicySet, Failure> {
    let read = |folder: &Path| -> Result<Files, Failure> {
        read_folder(folder).map_err(|error| Failure::during("read", error))
    };
    let listed = |faults: Vec<Diagnostic>| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure(format!("{} faults\n{}", faults.len(), lines.join("\n")))
    };
    let files = read(mappings)?;
    let tables = CodeTables::load(&files).map_err(listed)?;
    let catalogue = Catalogue::load(&files, &tables).map_err(listed)?;
    PolicySet::load(&read(policies)?, &catalogue, &tables).map_err(listed)
}

/// One line for each element: tier, element, treatment or what could be done, rules.
fn table(explained: &Explained) -> String {
    let Explained { department, role, purpose, policy, consent, elements } = explained;
    let mut out = format!("{department} {role} · {purpose} · policy {policy}\n");
    match consent {
        ConsentTerms::Needed => {
            out.push_str("  须经本人同意 with the person's consent alone\n");
        }
        ConsentTerms::MayRefuse => out.push_str("  本人可拒绝 unless the person refuses\n"),
        ConsentTerms::MayRefuseOthers => {
            out.push_str("  本人可拒绝他人 others unless the person refuses\n");
        }
        ConsentTerms::NotNeeded => (),
    }
    for one in elements {
        let what = match (one.tier, one.treatment, &one.remedy) {
            (Tier::Withheld, _, Some(remedy)) => format!("{} {}", remedy.zh, remedy.en),
            (_, Some(treatment), _) => treatment.to_owned(),
            _ => String::new(),
        };
        let rules: Vec<&str> = one.rules.iter().map(|rule| &**rule).collect();
        out.push_str(&format!(
            "  {:<12} {:<28} {} {}\n  {:<12} {} ← {}\n",
            one.tier.as_str(),
            one.element,
            one.name.zh,
            one.name.en,
            "",
            what,
            rules.join(", "),
        ));
        if let Some((_, tier)) = one.special.first_key_value() {
            let classes: Vec<&str> = one.special.keys().map(|class| class.as_str()).collect();
            let classes = classes.join(", ");
            out.push_str(&format!("  {:<12} {classes}: {}\n", "", tier.as_str()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn check(set: &PolicySet, line: &str, expect: Result<&str, &str>) {
        let args = Line::parse_from(format!("explain {line}").split(' ')).args;
        let found = explain(set, &args);
        let found = found.map(|found| found.iter().map(table).collect::<String>());
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert!(found.contains(expect), "{found}"),
            (Err(failure), Err(expect)) => assert!(failure.0.contains(expect), "{failure}"),
            (found, _) => panic!("{line}: {found:?}"),
        }
    }

    #[test]
    fn every_element_is_explained_with_its_rule() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let set = load(&root.join("mappings"), &root.join("policies")).unwrap();
        let check = |line: &str, expect| check(&set, line, expect);
        let clerk = "--department civil-affairs --role clerk --purpose";
        let death = "--element DE02.01.036.00";
        let expect = "generalised  DE02.01.036.00               死亡日期时间 died at\n  \
                      \u{20}            day ← civil-affairs-death-day";
        check(&format!("{clerk} living-check {death}"), Ok(expect));
        check(&format!("{clerk} living-check"), Ok("MZ.death.source"));
        check(&format!("{clerk} contract-status {death}"), Ok("← outside-purpose"));
        let home = "--department care-home --purpose institution-admission";
        check(&format!("{home} --element MZ.fitness.shared-living-risk"), Ok("← never-infection"));
        check(home, Ok("care-home clerk"));
        let special = "mental, protected-infection, reproductive, source-restricted: withheld";
        check(&format!("{home} --role doctor --element DE05.01.024.00"), Ok(special));
        let desk = "--department hotline-12349 --purpose emergency-card";
        check(desk, Ok("hotline-emergency-card"));
        check(&format!("{desk} --without-evidence"), Err("refused by rule requires-call"));
        check(&format!("{desk} --role clerk"), Err("refused by rule purpose-not-granted"));
        check("--department x --purpose y", Err("there is no department x"));
        check("--department community --purpose y", Err("there is no purpose y"));
        check(&format!("{desk} --element y"), Err("there is no element y"));
        check("--department community --purpose audit", Err("was not granted audit"));
    }
}
