//! The texts of the page of holds.

use super::Lang;

texts! { HoldText:
    title "法定保全" "Legal holds";
    lead
        "为诉讼或调查把台账条目保存到期限之后。一名审计员即可保全，解除须两名。"
        "Entries kept beyond their time for a court or an inquiry. One places it, two lift it.";
    caption "现有的保全" "Holds there are";
    empty "没有保全。" "There is none.";
    since "起始" "Since";
    whose "范围" "Whose entries";
    reason "理由" "Reason";
    everything "全部条目" "all entries";
    person "关于一人" "about a person";
    lifting "{} 提出解除：" "{} wants it lifted: ";
    lift "解除" "Lift";
    lift_of "解除 {} 的理由" "Why {} is to be lifted";
    want_lift "提出解除" "Propose to lift it";
    agree "同意解除" "Agree, and lift it";
    keep "继续保全" "Keep it";
    place_title "新的保全" "A new hold";
    place_lead
        "理由写案号或文书编号，不写个人信息；它永久留在台账中。"
        "A case or an order, no personal data: it stays in the ledger for good.";
    place_person "保全关于此人的条目" "Keep what is about this person";
    place_department "保全此部门的条目" "Keep this department's entries";
    place_everything "保全全部条目" "Keep every entry";
    person_title "关于一人" "About a person";
    department_title "一个部门" "A department";
    everything_title "全部" "Everything";
    person_hint
        "标识符当场换成假名，不保存也不再显示；以后查明是同一人的也一并保全。"
        "It becomes a pseudonym at once. Whoever is found to be the same is kept as well.";
    placed "已保全，已记入台账。" "They are kept; it is in the ledger.";
    stands "同一范围、同一理由的保全已在，没有新增。" "It stands already, for the same reason.";
    waits "已记录，等候另一名审计员同意。" "It is noted; another auditor has to agree.";
    lifted "已解除，已记入台账。" "It is lifted; it is in the ledger.";
    kept "继续保全，已记入台账。" "It goes on; it is in the ledger.";
    own
        "您已提出解除，须由另一名审计员同意；没有任何改变。"
        "You have proposed it: another auditor has to agree. Nothing was changed.";
    settled
        "它已不是您看到的状态，您的决定没有生效。"
        "It stands otherwise by now; your decision was not taken.";
    no_reason "请写明理由。" "A reason is needed.";
    nobody "没有人有此标识符，没有任何改变。" "Nobody has that identifier. Nothing was changed.";
}
