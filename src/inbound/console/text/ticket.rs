//! The texts of the page of tickets.

use super::Lang;

texts! { TicketText:
    title "紧急调阅复核" "Emergency access to be looked at";
    lead
        "凭通话或案件编号打开的记录，最早的在前；每一条都须有人事后复核。"
        "What a call or a case opened, oldest first; each is looked at afterwards.";
    open "打开待复核的紧急调阅" "Open what waits to be looked at";
    empty "没有待复核的紧急调阅。" "Nothing waits to be looked at.";
    caption "待复核，最早的在前" "To be looked at, oldest first";
    scope "部门与用途" "Department and purpose";
    reference "通话或案件" "Call or case";
    reason "事由" "Reason";
    holders "证书" "Certificates";
    answers "答复次数" "Answers";
    verdict "复核结论" "Verdict";
    justified "属于应急" "It was due";
    unjustified "不应调阅" "It was not due";
    noted "复核结论已记入台账。" "Your verdict is in the ledger.";
    settled
        "已有人复核过这一条，您的结论没有生效。"
        "Somebody has looked at it before; your verdict was not taken.";
    next "下一页" "Next page";
    what "怎么办" "What to do";
    compare
        "向该部门核对通话录音或案件材料：编号、时间、事由是否相符。"
        "Ask the department for the recording or the file: do number, time and reason agree?";
    after
        "结论不能更改，以您的用户名记入台账；不应调阅的，请按制度处理。"
        "A verdict is final and stands in the ledger under your name; act on what was not due.";
}
