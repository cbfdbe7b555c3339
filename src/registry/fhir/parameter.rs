//! 检索参数, the search parameters of the FHIR door: a closed list.
//!
//! A parameter looks at resources that were decided on and written, never at records:
//! every predicate is a read of its field, and what is withheld cannot be found by it.
//! Standard: FHIR R4, sections 3.1.1.4.8 (date) and 3.1.1.4.10 (token).

use serde_json::Value as Json;

use crate::vocabulary::Date;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// With a prefix such as `ge`, at the precision of what is asked.
    Date,
    /// `code`, `system|code`, `|code` or `system|`.
    Token,
}

impl Kind {
    /// The name in the capability statement.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Token => "token",
        }
    }
}

/// One search parameter of one resource type.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The resource type.
    pub resource: &'static str,
    /// Its name in a request.
    pub name: &'static str,
    /// How it compares.
    pub kind: Kind,
    /// Where it looks: member names; an array on the way means each of its items.
    pub path: &'static [&'static str],
}

macro_rules! parameters {
    ($($resource:ident $name:literal $kind:ident [$($step:literal)+];)+) => {
        /// Every parameter, by type and name. A purpose opens some of them by name.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            resource: stringify!($resource), name: $name, kind: Kind::$kind,
            path: &[$($step),+],
        }),+];
    };
}

parameters! {
    AllergyIntolerance "clinical-status" Token ["clinicalStatus"];
    AllergyIntolerance "code" Token ["code"];
    AllergyIntolerance "criticality" Token ["criticality"];
    AllergyIntolerance "date" Date ["recordedDate"];
    AuditEvent "date" Date ["recorded"];
    AuditEvent "purpose" Token ["purposeOfEvent"];
    AuditEvent "type" Token ["subtype"];
    Composition "date" Date ["date"];
    Composition "type" Token ["type"];
    Condition "clinical-status" Token ["clinicalStatus"];
    Condition "code" Token ["code"];
    Condition "onset-date" Date ["onsetDateTime"];
    Consent "date" Date ["dateTime"];
    Consent "status" Token ["status"];
    DiagnosticReport "code" Token ["code"];
    DiagnosticReport "date" Date ["effectiveDateTime"];
    DiagnosticReport "status" Token ["status"];
    DocumentReference "date" Date ["date"];
    DocumentReference "status" Token ["status"];
    DocumentReference "type" Token ["type"];
    Encounter "class" Token ["class"];
    Encounter "date" Date ["period" "start"];
    Encounter "status" Token ["status"];
    Immunization "date" Date ["occurrenceDateTime"];
    Immunization "status" Token ["status"];
    Immunization "vaccine-code" Token ["vaccineCode"];
    MedicationRequest "authoredon" Date ["authoredOn"];
    MedicationRequest "code" Token ["medicationCodeableConcept"];
    MedicationRequest "status" Token ["status"];
    Observation "category" Token ["category"];
    Observation "code" Token ["code"];
    Observation "date" Date ["effectiveDateTime"];
    Observation "status" Token ["status"];
}

/// The parameter of a type with that name.
#[must_use]
pub fn find(resource: &str, name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|known| known.resource == resource && known.name == name)
}

/// One comparison a search makes.
#[derive(Clone, PartialEq, Eq)]
pub struct Predicate {
    parameter: &'static Parameter,
    test: Test,
}

#[derive(Clone, PartialEq, Eq)]
enum Test {
    Date(Vec<(Bound, Date)>),
    Token(Vec<(Option<String>, Option<String>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    After,
    AtLeast,
    AtMost,
    Before,
    Equal,
    Unequal,
}

/// FHIR R4 section 3.1.1.4.5; `sa` and `eb` equal `gt` and `lt` for single moments.
const BOUNDS: [(&str, Bound); 8] = [
    ("eb", Bound::Before),
    ("eq", Bound::Equal),
    ("ge", Bound::AtLeast),
    ("gt", Bound::After),
    ("le", Bound::AtMost),
    ("lt", Bound::Before),
    ("ne", Bound::Unequal),
    ("sa", Bound::After),
];

impl Predicate {
    /// Reads what a parameter is compared with; a comma means "or".
    #[must_use]
    pub fn read(parameter: &'static Parameter, text: &str) -> Option<Self> {
        let choices = text.split(',');
        let test = match parameter.kind {
            Kind::Date => Test::Date(choices.map(date).collect::<Option<_>>()?),
            Kind::Token => Test::Token(choices.map(token).collect::<Option<_>>()?),
        };
        Some(Self { parameter, test })
    }

    /// The parameter's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.parameter.name
    }

    /// Whether a resource passes.
    #[must_use]
    pub fn holds(&self, resource: &Json) -> bool {
        let mut found = vec![resource];
        for step in self.parameter.path {
            let items = found.into_iter().flat_map(items);
            found = items.filter_map(|value| value.get(step)).collect();
        }
        found.into_iter().flat_map(items).any(|value| match &self.test {
            Test::Date(choices) => {
                let value = value.as_str().and_then(|text| Date::parse_iso(text).ok());
                value.is_some_and(|value| choices.iter().any(|choice| within(&value, choice)))
            }
            Test::Token(choices) => choices.iter().any(|choice| says(value, choice)),
        })
    }
}

/// Shows the name alone: what is compared can be a diagnosis.
impl std::fmt::Debug for Predicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Predicate({}, <masked>)", self.parameter.name)
    }
}

fn items(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn date(text: &str) -> Option<(Bound, Date)> {
    let prefix = BOUNDS.iter().find(|(prefix, _)| text.starts_with(prefix));
    let (bound, rest) = match prefix {
        Some((prefix, bound)) => (*bound, text.strip_prefix(prefix)?),
        None => (Bound::Equal, text),
    };
    Date::parse_iso(rest).ok().map(|date| (bound, date))
}

/// At the precision of what is asked: on 2026-11 lies every day of that month.
fn within(value: &Date, (bound, asked): &(Bound, Date)) -> bool {
    let value = value.truncated(asked.digits());
    let order = value.as_str().cmp(asked.truncated(asked.digits()).as_str());
    match bound {
        Bound::After => order.is_gt(),
        Bound::AtLeast => order.is_ge(),
        Bound::AtMost => order.is_le(),
        Bound::Before => order.is_lt(),
        Bound::Equal => order.is_eq(),
        Bound::Unequal => order.is_ne(),
    }
}

/// System and code; `Some("")` for a system that must be absent.
fn token(text: &str) -> Option<(Option<String>, Option<String>)> {
    let (system, code) = match text.split_once('|') {
        Some((system, code)) => (Some(system.to_owned()), code),
        None => (None, text),
    };
    let code = (!code.is_empty()).then(|| code.to_owned());
    (code.is_some() || system.as_ref().is_some_and(|system| !system.is_empty()))
        .then_some((system, code))
}

/// Whether a code, a coding or a concept says what is asked.
fn says(value: &Json, asked: &(Option<String>, Option<String>)) -> bool {
    let (system, code) = asked;
    if let Some(codings) = value.get("coding") {
        return items(codings).into_iter().any(|coding| says(coding, asked));
    }
    let (own_system, own_code) = match value {
        Json::Object(_) => {
            let text = |key: &str| value.get(key).and_then(Json::as_str);
            (text("system").unwrap_or_default(), text("code"))
        }
        Json::Bool(true) => ("", Some("true")),
        Json::Bool(false) => ("", Some("false")),
        other => ("", other.as_str()),
    };
    code.as_deref().is_none_or(|code| own_code == Some(code))
        && system.as_deref().is_none_or(|system| own_system == system)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_parameter_stands_once_in_order() {
        let names: Vec<_> = PARAMETERS.iter().map(|known| (known.resource, known.name)).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn a_token_is_compared_by_system_and_code() {
        let resource = json!({ "code": { "coding": [
            { "system": "http://loinc.org", "code": "8480-6" }, { "code": "SBP" }] } });
        let check = |text: &str, expect: Option<bool>| {
            let parameter = find("Observation", "code").unwrap();
            let found = Predicate::read(parameter, text).map(|one| one.holds(&resource));
            assert_eq!(found, expect, "{text}");
        };
        check("8480-6", Some(true));
        check("http://loinc.org|8480-6", Some(true));
        check("http://loinc.org|", Some(true));
        check("|SBP", Some(true));
        check("|8480-6", Some(false));
        check("http://snomed.info/sct|8480-6", Some(false));
        check("8462-4,8480-6", Some(true));
        check("848", Some(false));
        check("", None);
        check("|", None);
    }

    #[test]
    fn a_date_is_compared_at_the_precision_of_what_is_asked() {
        let resource = json!({ "effectiveDateTime": "2026-11-21T08:30:00+08:00" });
        let check = |text: &str, expect: Option<bool>| {
            let parameter = find("Observation", "date").unwrap();
            let found = Predicate::read(parameter, text).map(|one| one.holds(&resource));
            assert_eq!(found, expect, "{text}");
        };
        check("2026", Some(true));
        check("2026-11-21", Some(true));
        check("2026-11-20", Some(false));
        check("ge2026-11-21", Some(true));
        check("gt2026-11-21", Some(false));
        check("gt2026-11-20", Some(true));
        check("lt2026-12", Some(true));
        check("le2026-10", Some(false));
        check("ne2026-11-21", Some(false));
        check("yesterday", None);
        let nothing = json!({});
        let parameter = find("Observation", "date").unwrap();
        assert!(!Predicate::read(parameter, "ne2026").unwrap().holds(&nothing));
    }
}
