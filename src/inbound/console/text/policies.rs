//! The texts of the policy administrator's pages.

use super::Lang;
use crate::policy::Treatment;

texts! { PolicyText:
    policies "策略" "Policies";
    matrix_lead
        "哪个部门以何种角色、为何用途获准，以及用途所列数据元中有几项以某种形式提供。"
        "Who was granted which purpose in which role, and how much of what it lists is given.";
    matrix_caption "部门与用途：提供项数 / 所列项数" "Departments and purposes: given / listed";
    not_granted "未授予" "not granted";
    department_and_role "部门与角色" "Department and role";
    open_cell "{}：查看各数据元" "{}: every element";
    why_link "为什么" "Why";
    proposal_link "待批准的变更" "Changes that wait";
    something_waits "有策略变更等候批准。" "A change of the policies waits to be accepted.";
    back_to_matrix "返回策略表" "Back to the table";

    sheet_caption "每个数据元的层级、处理方式和规则" "Tier, treatment and rule of each element";
    brings "需附：{}" "With: {}";
    element "数据元" "Element";
    tier "层级" "Tier";
    treatment "处理方式" "Treatment";
    rules "规则" "Rules";
    special "特殊病种的值" "Values of special classes";

    why_title "为什么提供或不提供" "Why it is given, or not";
    why_lead
        "按现行策略说明一个询问；不涉及任何个人，也不查询任何记录。"
        "Explains one inquiry by the policies in force. It is about nobody and reads no record.";
    department "部门" "Department";
    role "角色" "Role";
    purpose "用途" "Purpose";
    evidence "所附依据" "Evidence";
    relation "与本人的关系" "Relation to the person";
    asked_by "查询人" "who asks";
    call "通话编号" "call id";
    case "案件编号" "case number";
    reason "理由" "stated reason";
    explain "说明" "Explain";
    element_hint "数据元标识符，例如 DE02.01.039.00" "An element id, such as DE02.01.039.00";
    refused_by "不予受理，规则：{}" "Not admitted, by rule {}";
    unknown_name
        "没有这个部门、角色、用途或数据元。"
        "There is no such department, role, purpose or element.";
    remedy "可以怎么办" "What can be done";

    proposal_title "等候批准的策略变更" "A change of the policies that waits";
    nothing_waits "没有等候批准的策略变更。" "No change waits.";
    proposal_lead
        "放宽披露的变更须由两位策略管理员先后批准；一人拒绝即告终止。"
        "What gives more than before takes two policy administrators; one who refuses ends it.";
    version_new "新版本" "New version";
    version_old "现行版本" "In force";
    proposed_by "提议人" "Proposed by";
    proposed_at "提议时间" "Proposed";
    wider_count "放宽之处" "Wider in";
    accepted_by "已批准" "Accepted by";
    differing
        "近30天的披露中会不同的"
        "Disclosures of 30 days that would have differed";
    changes_caption "每一处变化" "Every change";
    terms_caption "其他条款的变化" "Terms beside them";
    direction "方向" "Direction";
    wider "＋ 放宽" "+ wider";
    narrower "－ 收紧" "- narrower";
    asks "谁、为何" "Who, what for";
    from "现在" "Now";
    to "以后" "Then";
    term "条款" "Term";
    added "新增" "added";
    gone "删除" "gone";
    decide "您的决定" "Your decision";
    accept "批准" "Accept";
    refuse "拒绝" "Refuse";
    own_note
        "您已批准，须由另一位策略管理员再批准；您仍可拒绝。"
        "You have accepted it: another policy administrator has to as well. You may still refuse.";
    decision_note
        "您的决定以您的用户名记入台账。"
        "What you decide is in the ledger under your name.";
    said_in_force "已生效。" "In force now.";
    said_refused "已拒绝，现行策略不变。" "Refused: what is in force stays.";
    said_waits
        "已记录您的批准，等候另一位策略管理员。"
        "Your acceptance is noted; another administrator has to accept too.";
    own
        "您已批准过：须由另一位策略管理员批准，没有任何改变。"
        "You have accepted it already: another administrator has to. Nothing was changed.";
    settled
        "这项变更已不在等候，您的决定没有生效。"
        "It does not wait any more; your decision was not taken.";
    failed
        "两人均已批准，但未能生效，现行策略不变；原因见日志。请重新 kangqiao policy apply。"
        "Both have accepted, but it could not come into force; the log says why. Apply it again.";

    treat_keep "原样" "as recorded";
    treat_day "精确到日" "the day";
    treat_decade "十的区间" "the decade";
    treat_district "到区县" "the district";
    treat_icd10 "三位类目码" "the three-character category";
    treat_icd10_chapter "疾病章" "the chapter";
    treat_round "取整到五" "to the nearest five";
    treat_shift "日期平移" "days moved alike";
    treat_top_code "九十及以上不再区分" "90 and above is that alone";
    treat_mask "中间遮盖" "its middle masked";
    treat_month "精确到月" "the month";
    treat_parent "上位代码" "the code above";
    treat_present "仅知存在" "that there is one";
    treat_pseudonym "假名" "a stand-in";
    treat_surname "只留姓" "the surname";
    treat_year "精确到年" "the year";
}

impl PolicyText {
    /// What is done to a value.
    #[must_use]
    pub const fn treatment_of(&self, treatment: Treatment) -> &'static str {
        match treatment {
            Treatment::Keep => self.treat_keep,
            Treatment::Day => self.treat_day,
            Treatment::Decade => self.treat_decade,
            Treatment::District => self.treat_district,
            Treatment::Icd10Category => self.treat_icd10,
            Treatment::Icd10Chapter => self.treat_icd10_chapter,
            Treatment::Mask => self.treat_mask,
            Treatment::Month => self.treat_month,
            Treatment::Parent => self.treat_parent,
            Treatment::Present => self.treat_present,
            Treatment::Pseudonym => self.treat_pseudonym,
            Treatment::Round => self.treat_round,
            Treatment::Shift => self.treat_shift,
            Treatment::Surname => self.treat_surname,
            Treatment::TopCode => self.treat_top_code,
            Treatment::Year => self.treat_year,
        }
    }

    /// What an asker may bring; what the table does not know shows as it is named.
    #[must_use]
    pub fn brings_of<'a>(&self, key: &'a str) -> &'a str {
        match key {
            "asked_by" => self.asked_by,
            "call" => self.call,
            "case" => self.case,
            "reason" => self.reason,
            other => other,
        }
    }
}
