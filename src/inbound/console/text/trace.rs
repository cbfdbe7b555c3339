//! The texts of the trace of messages.

use super::Lang;
use crate::vocabulary::{Entrance, Fault};

texts! { TraceText:
    lead
        "一条报文到了哪里：按控制编号、发送方、时间、状态或人员查找。"
        "What became of a message: find it by its control id, sender, time, state or person.";
    no_values
        "只显示编号、位置与计数，不显示报文内容：追踪不是查看内容的用途。"
        "Numbers, positions and counts, never what a message says: to trace is no purpose to read.";
    known "已知什么" "What is known of it";
    control_id "控制编号（MSH-10）" "Control id (MSH-10)";
    any "不限" "any";
    form "格式" "Form";
    since "从" "From";
    until "到（不含）" "Until, not included";
    about "关于谁（可不填）" "About whom, if known";
    about_hint
        "当场换成假名，不保存也不再显示。被隔离和被拒绝的报文尚不属于任何人，请按控制编号查找。"
        "Becomes a pseudonym at once. What is held is nobody's yet: look for it by control id.";
    by_number "按日志编号" "By journal number";
    by_number_lead
        "回执、确认消息（KQ 之后的数字）和隔离区中的编号。"
        "As receipts, acknowledgements (behind KQ) and the quarantine show it.";
    show "查看全程" "Show its way";
    open_quarantine "按原因查看隔离区" "The quarantine by reason";
    wrong_time "时间无法读取。" "The time cannot be read.";
    wrong_word "发送方、状态或格式不存在。" "There is no such sender, state or form.";
    found "找到的报文" "Messages found";
    found_caption "报文，新的在前" "Messages, newest first";
    nothing "没有符合条件的报文。" "No message is like that.";
    tired
        "已查看两万条，尚有更早的报文。"
        "Twenty thousand were looked at; there are older ones.";
    older "更早的报文" "Older messages";
    message "报文 {}" "Message {}";
    received "收件" "Received";
    entrance "入口" "Entrance";
    not_kept "当时未记录" "not kept at that time";
    entrance_folder "交换目录" "exchange folder";
    entrance_table "前置库" "table";
    bytes "字节数" "Bytes";
    erased "人员已抹除，内容无法再读取" "its person is erased, and it cannot be read any more";
    mark "内容指纹" "Mark of the bytes";
    mark_hint
        "指纹相同即内容相同；由密钥算出，不能用来核对猜测"
        "equal marks, equal bytes; it is keyed, so no guess can be tried on it";
    same_number "同一控制编号的其他报文" "Others under its control id";
    read "读取" "Read";
    not_read "未作读取：已拒绝或已抹除。" "It is not read: refused, or erased.";
    unreadable "按此映射无法读取，原因见下。" "These mappings cannot read it; why stands below.";
    then "当时所用的映射" "the mappings that read it";
    today "今日的映射：当时的版本已不保存" "today's mappings: those of then are not kept";
    record "记录" "Record";
    mapped "已映射" "Mapped";
    dropped "声明舍弃" "Dropped, with a reason";
    carried "随带保存" "Carried";
    unmapped "未映射" "Unmapped";
    first_unmapped "未映射的位置" "Where the first unmapped ones stand";
    reasons
        "每个位置归入哪个数据元：kangqiao translate --message {}；舍弃的理由写在映射文件中。"
        "By place: kangqiao translate --message {}; why one is dropped stands in its mapping.";
    identified "人员" "Person";
    nobody "不属于任何人员。" "It belongs to nobody.";
    entries "索引中的条目" "Entries of the index";
    own_entry "本报文的条目" "The entry of this message";
    others "此人的全部报文" "All messages about this person";
    said "它使身份发生的变化" "What it said of identities";
    said_apart "不是同一人" "not one person";
    said_moved "编号移交" "a number moved";
    said_same "同一人" "one person";
    undone "后已撤销" "undone since";
    became "结果与重放" "What became of it";
    until_replay "直到重试" "Until it was tried again";
    stands "现状" "stands";
    entry "台账条目" "Ledger entry";
    told "应答" "What its sender was told";
    told_none "发送方未要求应答" "it asked for no acknowledgement";
    told_receipt "回执，HTTP {}" "a receipt, HTTP {}";
    told_replied "信封格式的应答" "a reply in its own envelope";
    told_reported "文件旁的报告" "a report beside the file";
    told_written "写回该行的状态" "the state in its row";
    told_again
        "原样重发会得到按现状的应答。"
        "The same bytes sent again are answered by what stands now.";
    notices "由它发出的通知" "Notices it set going";
    no_notices
        "没有通知。已结束的通知保存 30 天。"
        "None. Notices that ended are kept for 30 days.";
    event "事件" "Event";
    tries "次数" "Tries";
    waits "等待" "waits";
    delivered "已送达" "delivered";
    dead "需处理" "dead";
    passed "无可告知" "nothing to tell";
    disclosures "此后披露过此人的什么" "What left about this person since";
    disclosures_lead
        "取用了本网关所存记录的披露，最近 50 条。台账记到人，不记到单条报文。"
        "What drew on records kept here, the last 50. The ledger knows persons, not messages.";
    disclosures_none "此后没有披露。" "Nothing left since.";
    for_auditors "披露只对审计员显示。" "What left is for auditors alone.";
    piles "隔离区，按原因" "The quarantine by reason";
    piles_lead
        "同一发送方、同一原因、同一位置归为一类，最多的在前。"
        "What has one sender, one reason and one place together, the most frequent first.";
    piles_caption "隔离的报文" "Quarantined messages";
    count "条数" "Messages";
    first "最早" "First";
    last "最近" "Last";
    example "示例" "Example";
    what "怎么办" "What to do";
    show_all "查看这些报文" "Show these messages";
    replay
        "处理后由运维员重放：kangqiao replay {}"
        "Once it is mended the operator replays it: kangqiao replay {}";
    back "返回追踪" "Back to the trace";
    help_table
        "在码表或该发送方的覆盖文件中补上此代码，重新加载后重放。"
        "Add the code to its table, or the sender's spelling to its overlay; reload and replay.";
    help_event
        "增加事件文件，或请发送方不再发送。"
        "Add an event file, or have the sender leave it out.";
    help_missing
        "请发送方补齐，或在事件文件中改为可缺。"
        "The sender sends what is missing, or the event file calls it optional.";
    help_type
        "改正日期或数值，或在覆盖文件中声明 repairs。"
        "Mend the date or number, or name repairs in the overlay.";
    help_identifier
        "请发送方在本系统中改正号码，再发 A08。"
        "The sender corrects the number in its own system, and sends an A08.";
    help_missing_identity
        "请发送方在 PID-3 给出带类型的编号。"
        "The sender gives a number with its type in PID-3.";
    help_overlay
        "问清编号属于谁；由两名身份审核员决定，或 kangqiao replay --accept-overlay。"
        "Ask whose number it is; two reviewers decide, or kangqiao replay --accept-overlay.";
    help_conflict
        "查清谁是谁：同一人的两个编号需发 A40。"
        "Find out who is who: two numbers of one person need an A40.";
    help_charset
        "核对 MSH-18，或覆盖文件中的 charset。"
        "Compare MSH-18, or charset in the overlay.";
}

impl TraceText {
    /// What usually helps, where something does.
    #[must_use]
    pub const fn help(&self, fault: &Fault) -> Option<&'static str> {
        Some(match fault {
            Fault::TableValue => self.help_table,
            Fault::UnsupportedEvent | Fault::UnsupportedMessage => self.help_event,
            Fault::RequiredMissing | Fault::SegmentSequence => self.help_missing,
            Fault::DataType => self.help_type,
            Fault::IdentifierInvalid => self.help_identifier,
            Fault::IdentityMissing => self.help_missing_identity,
            Fault::IdentityOverlay => self.help_overlay,
            Fault::IdentityConflict => self.help_conflict,
            Fault::CharacterSet => self.help_charset,
            _ => return None,
        })
    }

    /// How a notice stands.
    #[must_use]
    pub fn notice<'a>(&self, state: &'a str) -> &'a str
    where
        'static: 'a,
    {
        match state {
            "waits" => self.waits,
            "delivered" => self.delivered,
            "dead" => self.dead,
            "passed" => self.passed,
            other => other,
        }
    }

    /// By which way it came in.
    #[must_use]
    pub const fn entrance(&self, entrance: &Option<Entrance>) -> &'static str {
        match entrance {
            Some(Entrance::Folder) => self.entrance_folder,
            Some(Entrance::Https) => "HTTPS",
            Some(Entrance::Mllp) => "MLLP",
            Some(Entrance::Table) => self.entrance_table,
            None => self.not_kept,
        }
    }
}
