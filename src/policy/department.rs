//! 部门, the departments, their certificates and what they were granted: `policies/departments.toml`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Deserialize;
use toml::Spanned;

use super::page::Page;
use super::purpose::{Bilingual, Purposes};
use crate::identity::Peer;
use crate::vocabulary::{Department, Diagnostic, Files, Purpose, Role, Source};

/// Where the list stands.
const PATH: &str = "departments.toml";

/// One purpose for some roles of a department.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The purpose.
    pub purpose: Purpose,
    /// The roles that may ask for it.
    pub roles: Vec<Role>,
    /// About how many persons it may ask for it in 24 hours; none named means any number.
    pub persons_per_day: Option<u32>,
}

/// One department.
#[derive(Debug, Clone)]
pub struct DepartmentRow {
    /// Its name in inquiries' certificates, policies and the ledger.
    pub name: Department,
    /// What kind of department it is; policies speak about kinds.
    pub kind: String,
    /// Its name for people.
    pub title: Bilingual,
    /// Common names of its certificates, each with its role.
    pub certificates: Vec<(String, Role)>,
    /// What it was granted.
    pub grants: Vec<Grant>,
    /// Senders that are itself: what they record of somebody can be a relation to him.
    pub sources: Vec<Source>,
    /// The codes and names by which records call it.
    pub institutions: Vec<String>,
}

/// All departments.
#[derive(Debug, Clone, Default)]
pub struct Departments {
    rows: BTreeMap<Department, DepartmentRow>,
    roles: BTreeMap<Role, Bilingual>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepartmentsFile {
    #[allow(dead_code, reason = "for the reader of the file")]
    title: String,
    #[allow(dead_code, reason = "for the reader of the file")]
    source: String,
    #[serde(default)]
    role: Vec<RoleRow>,
    department: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleRow {
    name: Spanned<String>,
    zh: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Spanned<String>,
    kind: Spanned<String>,
    zh: String,
    en: String,
    certificates: Vec<CertificateRow>,
    grants: Vec<GrantRow>,
    #[serde(default)]
    sources: Vec<Source>,
    #[serde(default)]
    institutions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateRow {
    subject: Spanned<String>,
    role: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantRow {
    purpose: Spanned<String>,
    roles: Vec<Spanned<String>>,
    persons_per_day: Option<Spanned<u32>>,
}

impl Departments {
    /// Reads `departments.toml`.
    pub(super) fn load(files: &Files, purposes: &Purposes) -> Result<Self, Vec<Diagnostic>> {
        let (mut page, file) =
            Page::open::<DepartmentsFile>(files, PATH).map_err(|fault| vec![fault])?;
        let mut found = Self::default();
        for row in file.role {
            let Some(name) = page.name(&row.name, Role::parse) else { continue };
            let title = Bilingual { zh: row.zh, en: row.en };
            if found.roles.insert(name, title).is_some() {
                page.fault(row.name.span().start, format!("role {name} stands twice"));
            }
        }
        let mut subjects = HashSet::new();
        for row in file.department {
            let span = row.name.span();
            for certificate in &row.certificates {
                if !subjects.insert(certificate.subject.get_ref().clone()) {
                    page.fault(certificate.subject.span().start, "this subject is bound twice");
                }
            }
            let Some(row) = department(row, purposes, &mut page) else { continue };
            if let Some(before) = found.rows.insert(row.name, row) {
                page.fault(span.start, format!("department {} stands twice", before.name));
            }
        }
        page.close(found)
    }

    /// The department with that name.
    #[must_use]
    pub fn department(&self, name: Department) -> Option<&DepartmentRow> {
        self.rows.get(&name)
    }

    /// What people call a role; `None` where nobody said.
    #[must_use]
    pub fn role(&self, name: Role) -> Option<&Bilingual> {
        self.roles.get(&name)
    }

    /// Every department, by name.
    pub fn iter(&self) -> impl Iterator<Item = &DepartmentRow> {
        self.rows.values()
    }

    /// Every kind of department.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.rows.values().map(|row| row.kind.as_str()).collect()
    }

    /// Every role somebody holds or is granted something in.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<Role> {
        let held =
            self.rows.values().flat_map(|row| row.certificates.iter().map(|(_, role)| *role));
        let granted = self.rows.values().flat_map(|row| &row.grants);
        held.chain(granted.flat_map(|grant| grant.roles.iter().copied())).collect()
    }

    /// Whose certificate is whose.
    pub fn bindings(&self) -> impl Iterator<Item = (String, Peer)> {
        self.rows.values().flat_map(|row| {
            row.certificates
                .iter()
                .map(|(subject, role)| (subject.clone(), Peer::Department(row.name, *role)))
        })
    }
}

fn department(row: Row, purposes: &Purposes, page: &mut Page<'_>) -> Option<DepartmentRow> {
    let mut certificates = Vec::new();
    for certificate in row.certificates {
        if let Some(role) = page.name(&certificate.role, Role::parse) {
            certificates.push((certificate.subject.into_inner(), role));
        }
    }
    let mut grants = Vec::new();
    for grant in row.grants {
        let Some(purpose) = page.name(&grant.purpose, Purpose::parse) else { continue };
        if purposes.terms(purpose).is_none() {
            page.fault(grant.purpose.span().start, format!("there is no purpose {purpose}"));
        }
        let roles = grant.roles.iter().filter_map(|role| page.name(role, Role::parse)).collect();
        let persons_per_day = grant.persons_per_day.map(|most| {
            if *most.get_ref() == 0 {
                page.fault(most.span().start, "a budget of nobody grants nothing: leave it out");
            }
            most.into_inner()
        });
        let roles: Vec<Role> = roles;
        let twice = |other: &Grant| {
            other.purpose == purpose && other.roles.iter().any(|role| roles.contains(role))
        };
        if grants.iter().any(twice) {
            page.fault(grant.purpose.span().start, format!("{purpose} is granted twice"));
        }
        grants.push(Grant { purpose, roles, persons_per_day });
    }
    // A kind is spelled like any other name, so that it can stand in a rule.
    let kind = page.name(&row.kind, Department::parse)?;
    Some(DepartmentRow {
        name: page.name(&row.name, Department::parse)?,
        kind: kind.as_str().to_owned(),
        title: Bilingual { zh: row.zh, en: row.en },
        certificates,
        grants,
        sources: row.sources,
        institutions: row.institutions,
    })
}
