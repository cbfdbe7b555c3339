//! The texts of messages tried again many at a time.

use super::Lang;
use crate::inbound::console::view::rerun::Stage;

texts! { RerunText:
    title "批量重放" "Replay of many";
    lead
        "先试算，再由另一位运维员批准，然后按日志顺序在后台重放；可随时停止。"
        "Previewed, approved by another operator, then done in the order of the journal.";
    empty "没有批量重放。" "None was proposed.";
    caption "批量重放，新的在前" "Replays of many, newest first";
    what_like "哪些报文" "Which messages";
    proposed "提议" "Proposed";
    approved "批准" "Approved";
    ended "结束" "Ended";
    progress "进度" "Progress";
    one "批量重放 {}" "Replay of many {}";
    back "返回列表" "Back to the list";

    try_out "试算重放" "Preview a replay";
    preview "试算结果" "What would become of them";
    preview_lead
        "按现行映射试算，不保存任何结果，也不显示报文内容。"
        "By the mappings in force. Nothing of it is kept, and no value is told.";
    quarantined "将重放" "Would be tried";
    more
        "超过十万条：这是最早的十万条，其余请在完成后另行提议。"
        "More than a hundred thousand: these are the first. Propose the rest afterwards.";
    looked "已试算" "Tried out";
    sample
        "只试算最早的 500 条；五十条一组，组内后一条能看到前一条的结果。"
        "The first 500 alone are tried out; fifty at a time see what those before them made.";
    would_keep "将入库" "Would be kept";
    would_hold "仍将隔离" "Would still be held";
    would_refuse "将被拒绝" "Would be refused";
    reasons_caption "不会入库的，按原因" "What would not be kept, by reason";
    outcome "结果" "Outcome";
    count "条数" "Messages";
    notices_caption "将等候发出的通知" "Notices that would wait to leave";
    no_notices "不会发出通知。" "No notice would leave.";
    event "事件" "Event";
    settled
        "另有已入库 {} 条：已入库的报文不再重放。"
        "{} more are kept already, and are not tried again.";
    settled_refused
        "另有已拒绝 {} 条：请发送方改正后重发。"
        "{} more were refused: their sender mends them and sends them anew.";
    settled_more "更早的没有计入。" "Older ones are not counted.";
    nothing
        "没有符合条件的隔离报文，无可重放。"
        "No quarantined message is like that: there is nothing to try.";
    propose "提议重放" "Propose it";
    propose_note
        "您的提议以您的用户名记入台账，须由另一位运维员批准。"
        "Your proposal is in the ledger under your name; another operator has to approve it.";

    stage_waits "等候批准" "waits for approval";
    stage_runs "进行中" "under way";
    stage_stopping "正在停止" "stopping";
    stage_done "已完成" "done";
    stage_stopped "已停止" "stopped";
    stage_declined "未批准" "declined";
    stage_outdated "已终止：映射已变更" "ended: mappings changed";
    tried "已重放" "Tried";
    kept "已入库" "Kept";
    held "仍隔离" "Still held";
    refused "已拒绝" "Refused";
    failed "无法重放" "Could not be tried";
    refresh "刷新" "Refresh";
    previewed "提议时的试算" "As it was previewed";
    decide "您的决定" "Your decision";
    approve "批准并开始" "Approve and start";
    decline "不批准" "Decline";
    stop "停止" "Stop";
    own_note
        "这是您的提议，须由另一位运维员批准；您可以撤回。"
        "You proposed it: another operator has to approve it. You may withdraw it.";
    noted "已记入台账。" "It is in the ledger.";
    own
        "提议人不能批准自己的提议，没有任何改变。"
        "Whoever proposed it may not approve it. Nothing was changed.";
    outdated
        "试算之后映射已变更，请重新试算并提议；没有任何改变。"
        "The mappings have changed since it was previewed: propose it anew. Nothing was changed.";
    done_before
        "它已不是您看到的状态，您的决定没有生效。"
        "It stands otherwise by now; your decision was not taken.";
    watch
        "进度以每条报文的提交为准，重新启动后从中断处继续。"
        "What is counted is committed; after a restart it goes on from there.";
}

impl RerunText {
    /// How one stands, and how that looks.
    #[must_use]
    pub const fn stage(&self, stage: &Stage) -> (&'static str, &'static str) {
        match stage {
            Stage::Waits => ("warn", self.stage_waits),
            Stage::Runs => ("good", self.stage_runs),
            Stage::Stopping => ("warn", self.stage_stopping),
            Stage::Done => ("good", self.stage_done),
            Stage::Stopped => ("quiet", self.stage_stopped),
            Stage::Declined => ("quiet", self.stage_declined),
            Stage::Outdated => ("bad", self.stage_outdated),
        }
    }
}
