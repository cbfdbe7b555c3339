//! The texts of the page of doubts.

use super::Lang;

texts! { DoubtText:
    title "疑点" "What to look at";
    lead
        "台账中值得核查的事项，最近的在前。疑点是核查的理由，不是结论。"
        "What in the ledger is worth a look, newest first. A reason to look, and no verdict.";
    open "打开疑点" "Open what to look at";
    empty "没有疑点。" "Nothing stands out.";
    caption "疑点，最近的在前" "What stands out, newest first";
    all "全部" "All";
    question "问题" "Question";
    reason "理由" "Reason";
    entries "条目" "Entries";
    more "等 {} 条" "and more, {} in all";
    next "更早" "Older";
    since "所看时段自" "Looked at since";
    unread
        "台账还有 {} 条待读，请再次打开本页。"
        "{} entries are still to be read: open this page again.";
    let_go
        "为限制内存，有 {} 项未予记住；请缩短时段用命令查看。"
        "{} things were let go to bound memory; look at a shorter time by the command.";
    list_none
        "没有人员名单，“关系人”不作判断（kangqiao ledger people）。"
        "There is no list of people, so nobody is looked for as related (kangqiao ledger people).";
    list_read "人员名单摘要" "Digest of the list of people";
    list_rows "{} 行" "{} rows";
    list_unreadable
        "人员名单无法读取，“关系人”没有作判断；请找运维员。"
        "The list of people cannot be read, so nobody was looked for as related; ask the operator.";
    opened "放宽的内容" "What was opened";
    what "怎么办" "What to do";
    ask
        "打开条目核对部门、用途、案件编号和理由，必要时向该部门调取办件材料。"
        "Open the entries; compare purpose, case and reason; ask the department for its file.";
    limits
        "界限写在 policies/doubts.toml 中，改动须两人同意，并记入台账。"
        "The lines are drawn in policies/doubts.toml; to move one takes two people, and an entry.";
}
