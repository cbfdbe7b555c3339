//! 服务, the interactions of the Chinese exchange services: what each asks for and is answered with.
//!
//! Standards: WS/T 448-2014 chapter 6, WS/T 790-2021, WS/T 846-2024 (which name the services),
//! and the two dialects as they are on the wire: 区域平台 EHR-PL and 医院平台 HIP. The spelling
//! `Stroed` is the standard's own.

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Brings something about a person: kept as any other unit.
    Take,
    /// Brings documents about a person.
    Store,
    /// Brings something about staff or an organisation, who are no persons of care.
    Enter,
    /// Asks who somebody is.
    FindPerson,
    /// Asks which documents there are about somebody.
    FindDocuments,
    /// Asks for documents.
    FetchDocuments,
    /// Asks about staff or an organisation.
    FindEntry,
    /// Asks what is not answered here.
    Decline,
}

/// How an answer says whether it went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// An HL7 v3 message of one name if it did, of another if not.
    Message(&'static str, &'static str),
    /// An element with a `status`.
    Registry(&'static str),
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interaction {
    /// Root element of the request, without a version some leave out.
    pub request: &'static str,
    /// What it is for.
    pub deed: Deed,
    /// How it is answered.
    pub reply: Reply,
    /// 服务名称.
    pub zh: &'static str,
}

const ACKNOWLEDGED: Reply = Reply::Message("MCCI_IN000002UV01", "MCCI_IN000002UV01");

const fn interaction(
    request: &'static str,
    deed: Deed,
    reply: Reply,
    zh: &'static str,
) -> Interaction {
    Interaction { request, deed, reply, zh }
}

const fn either(accepted: &'static str, refused: &'static str) -> Reply {
    Reply::Message(accepted, refused)
}

const fn always(name: &'static str) -> Reply {
    Reply::Message(name, name)
}

/// Every service, must before may.
pub static SERVICES: &[Interaction] = &[
    interaction(
        "PRPA_IN201311UV02",
        Deed::Take,
        either("PRPA_IN201312UV02", "PRPA_IN201313UV02"),
        "个人信息注册",
    ),
    interaction(
        "PRPA_IN201314UV02",
        Deed::Take,
        either("PRPA_IN201315UV02", "PRPA_IN201316UV02"),
        "个人信息更新",
    ),
    interaction("PRPA_IN201304UV02", Deed::Take, ACKNOWLEDGED, "个人信息合并"),
    interaction("PRPA_IN201305UV02", Deed::FindPerson, always("PRPA_IN201306UV02"), "个人信息查询"),
    interaction(
        "ProvideAndRegisterDocumentSetRequest",
        Deed::Store,
        Reply::Registry("RegistryResponse"),
        "文档注册",
    ),
    interaction("RCMR_IN000002UV02", Deed::Store, ACKNOWLEDGED, "电子病历文档注册"),
    interaction(
        "GetDocumentStroedInfoRequest",
        Deed::FindDocuments,
        Reply::Registry("GetDocumentStroedInfoResponse"),
        "文档检索",
    ),
    interaction(
        "RCMR_IN000029UV01",
        Deed::FindDocuments,
        always("RCMR_IN000030UV01"),
        "电子病历文档检索",
    ),
    interaction(
        "RetrieveDocumentSetRequest",
        Deed::FetchDocuments,
        Reply::Registry("RetrieveDocumentSetResponse"),
        "文档调阅",
    ),
    interaction(
        "RCMR_IN000031UV01",
        Deed::FetchDocuments,
        always("RCMR_IN000030UV01"),
        "电子病历文档调阅",
    ),
    interaction("PRPM_IN301010UV01", Deed::Enter, always("PRPM_IN301011UV01"), "医疗卫生人员注册"),
    interaction("PRPM_IN303010UV01", Deed::Enter, always("PRPM_IN303011UV01"), "医疗卫生人员更新"),
    interaction(
        "PRPM_IN306010UV01",
        Deed::FindEntry,
        always("PRPM_IN306011UV01"),
        "医疗卫生人员查询",
    ),
    interaction(
        "PRPM_IN401030UV01",
        Deed::Enter,
        always("PRPM_IN401031UV01"),
        "医疗卫生机构（科室）注册",
    ),
    interaction(
        "PRPM_IN403010UV01",
        Deed::Enter,
        always("PRPM_IN403011UV01"),
        "医疗卫生机构（科室）更新",
    ),
    interaction(
        "PRPM_IN406010UV01",
        Deed::FindEntry,
        always("PRPM_IN406110UV01"),
        "医疗卫生机构（科室）查询",
    ),
    interaction("PRPA_IN400001UV", Deed::Take, ACKNOWLEDGED, "就诊信息登记"),
    interaction("PRPA_IN400002UV", Deed::Take, ACKNOWLEDGED, "就诊信息更新"),
    interaction("PRPA_IN400003UV", Deed::Take, ACKNOWLEDGED, "出院登记"),
    interaction("PRPA_IN302011UV", Deed::Take, ACKNOWLEDGED, "住院转科登记"),
    interaction("PRPA_IN302012UV", Deed::Take, ACKNOWLEDGED, "住院转科更新"),
    interaction("POOR_IN200901UV", Deed::Take, ACKNOWLEDGED, "医嘱、申请单新增"),
    interaction("POOR_IN200902UV", Deed::Take, ACKNOWLEDGED, "医嘱、申请单更新"),
    interaction("POLB_IN224000UV", Deed::Take, ACKNOWLEDGED, "检验状态更新"),
    interaction("PRPA_IN410001UV", Deed::Take, ACKNOWLEDGED, "门诊预约状态新增"),
    interaction("PRPA_IN410002UV", Deed::Take, ACKNOWLEDGED, "门诊预约状态更新"),
    interaction("PRSC_IN010101UV", Deed::Take, ACKNOWLEDGED, "预约、手术排班新增"),
    interaction("PRSC_IN010201UV", Deed::Take, ACKNOWLEDGED, "预约、手术排班更新"),
    interaction("PRSC_IN030101UV", Deed::Decline, ACKNOWLEDGED, "号源排班新增"),
    interaction("PRSC_IN030102UV", Deed::Decline, ACKNOWLEDGED, "号源排班更新"),
    interaction("PRSC_IN100000UV", Deed::Decline, ACKNOWLEDGED, "号源排班查询"),
    interaction("PRPA_IN900300UV", Deed::Decline, ACKNOWLEDGED, "就诊信息查询"),
    interaction("QUMT_IN020030", Deed::Decline, ACKNOWLEDGED, "医嘱、申请单查询"),
    interaction("PRVS_IN000001UV01", Deed::Decline, ACKNOWLEDGED, "术语注册"),
    interaction("PRVS_IN000002UV01", Deed::Decline, ACKNOWLEDGED, "术语更新"),
    interaction("PRVS_IN000003UV01", Deed::Decline, ACKNOWLEDGED, "术语查询"),
];

/// The service a request is of. `PRPA_IN400001UV01` is `PRPA_IN400001UV` too: the suite
/// writes some names without the version, senders write them either way.
#[must_use]
pub fn of(root: &str) -> Option<&'static Interaction> {
    SERVICES.iter().find(|service| match root.strip_prefix(service.request) {
        Some(rest) => rest.is_empty() || versioned(service.request, rest),
        None => false,
    })
}

fn versioned(request: &str, rest: &str) -> bool {
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let bare = request.ends_with("UV") && digits(rest);
    // QUMT_IN020030 stands with UV01 and with PL.
    let unnamed = request.ends_with(|last: char| last.is_ascii_digit());
    bare || (unnamed
        && (rest == "PL" || rest == "UV" || rest.strip_prefix("UV").is_some_and(digits)))
}

/// Whether an action may go with a request: its own name, a service code (`S0001`), or one of
/// the names vendors give it. An action nobody knows is no reason to refuse a message that
/// says itself what it is; one that says another thing is.
#[must_use]
pub fn agrees(action: &str, service: &Interaction) -> bool {
    let action = action.trim();
    let named = of(action).is_none_or(|known| known == service);
    let vendor = ACTIONS.iter().find(|(name, _)| *name == action);
    named && vendor.is_none_or(|(_, requests)| requests.contains(&service.request))
}

/// Action names on the wire that say which request comes with them.
static ACTIONS: &[(&str, &[&str])] = &[
    ("PatientInfoRegister", &["PRPA_IN201311UV02"]),
    ("PatientInfoUpdate", &["PRPA_IN201314UV02"]),
    ("PatientInfoMerge", &["PRPA_IN201304UV02"]),
    ("PatientInfoQuery", &["PRPA_IN201305UV02"]),
    ("OrganizationInfoRegister", &["PRPM_IN401030UV01"]),
    ("OrganizationInfoUpdate", &["PRPM_IN403010UV01"]),
    ("OrganizationInfoQuery", &["PRPM_IN406010UV01"]),
    ("ProviderInfoRegister", &["PRPM_IN301010UV01"]),
    ("ProviderInfoUpdate", &["PRPM_IN303010UV01"]),
    ("ProviderInfoQuery", &["PRPM_IN306010UV01"]),
    ("DocumentRegister", &["RCMR_IN000002UV02", "ProvideAndRegisterDocumentSetRequest"]),
    ("DocumentAccess", &["RCMR_IN000029UV01", "GetDocumentStroedInfoRequest"]),
    ("DocumentRetrieve", &["RCMR_IN000031UV01", "RetrieveDocumentSetRequest"]),
    ("EncounterCardInfoAdd", &["PRPA_IN201311UV02"]),
    ("EncounterCardInfoUpdate", &["PRPA_IN201314UV02"]),
    ("OutPatientInfoAdd", &["PRPA_IN400001UV"]),
    ("OutPatientInfoUpdate", &["PRPA_IN400002UV"]),
    ("InPatientInfoAdd", &["PRPA_IN400001UV"]),
    ("InPatientInfoUpdate", &["PRPA_IN400002UV"]),
    ("TransferInfoAdd", &["PRPA_IN302011UV"]),
    ("TransferInfoUpdate", &["PRPA_IN302012UV"]),
    ("DischargeInfoAdd", &["PRPA_IN400003UV"]),
    ("DischargeInfoUpdate", &["PRPA_IN400002UV"]),
    ("OrderInfoAdd", &["POOR_IN200901UV"]),
    ("ExamAppInfoAdd", &["POOR_IN200901UV"]),
    ("ExamAppInfoUpdate", &["POOR_IN200902UV"]),
    ("CheckAppInfoAdd", &["POOR_IN200901UV"]),
    ("CheckAppInfoUpdate", &["POOR_IN200902UV"]),
    ("PathologyAppInfoAdd", &["POOR_IN200901UV"]),
    ("PathologyAppInfoUpdate", &["POOR_IN200902UV"]),
    ("BloodTransAppInfoAdd", &["POOR_IN200901UV"]),
    ("BloodTransAppInfoUpdate", &["POOR_IN200902UV"]),
    ("OperationAppInfoAdd", &["POOR_IN200901UV"]),
    ("OperationAppInfoUpdate", &["POOR_IN200902UV"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_with_and_without_its_version() {
        let check = |root: &str, expect: Option<&str>| {
            assert_eq!(of(root).map(|service| service.request), expect, "{root}");
        };
        check("PRPA_IN201311UV02", Some("PRPA_IN201311UV02"));
        check("PRPA_IN201311UV021", None);
        check("PRPA_IN400002UV", Some("PRPA_IN400002UV"));
        check("PRPA_IN400002UV01", Some("PRPA_IN400002UV"));
        check("PRPA_IN400002UVX1", None);
        check("QUMT_IN020030UV01", Some("QUMT_IN020030"));
        check("QUMT_IN020030PL", Some("QUMT_IN020030"));
        check("GetDocumentStroedInfoRequest", Some("GetDocumentStroedInfoRequest"));
        check("GetDocumentStoredInfoRequest", None);
    }

    #[test]
    fn an_action_that_says_another_thing_does_not_agree() {
        let register = of("PRPA_IN201311UV02").unwrap();
        for action in ["PatientInfoRegister", "PRPA_IN201311UV02", "S0001", "", "其他"] {
            assert!(agrees(action, register), "{action}");
        }
        for action in ["PatientInfoMerge", "PRPA_IN201305UV02"] {
            assert!(!agrees(action, register), "{action}");
        }
    }
}
