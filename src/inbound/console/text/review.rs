//! The texts of the reviewer's pages, and the words of rules, fields and levels.

use super::Lang;
use crate::store::history::What;

texts! { ReviewText:
    lead "可能是同一个人的两条登记，等候人工认定；最早的在前。"
        "Pairs of entries that may be one person and wait for somebody to say; oldest first.";
    waiting_pairs "待审" "Waiting";
    oldest "最早的已等候" "The oldest waits";
    held_overlays "挂起的消息" "Messages held";
    open_queue "打开审核队列" "Open the queue";
    queue_caption "待审的登记对，最早的在前" "Pairs that wait, oldest first";
    queue_empty "没有待审的登记对。" "No pair waits.";
    queue_note
        "本页不显示任何个人信息；打开一对即记入台账。"
        "This page shows nothing of anybody; opening a pair is written to the ledger.";
    pair "登记对" "Pair";
    waits_since "已等候" "Waits for";
    since "等候始于" "Waits since";
    sources "来源" "Sources";
    rule "规则" "Rule";
    weight "权重" "Weight";
    proposed "提议" "Proposed";
    proposed_by "{} 已提议为同一人" "{} has proposed that they are one";
    review_pair "审核" "Review";
    review_which "审核第 {} 对" "Review pair {}";
    next "下一页" "Next page";
    first_page "回到最早的" "Back to the oldest";
    days "{} 天" "{} d";
    hours "{} 小时" "{} h";
    minutes "{} 分钟" "{} min";

    said_apart
        "已记为不是同一人，即时生效，以后的消息和分数都不会改变它。"
        "Entered: not one person. It is in force now, and no later message or score changes it.";
    said_same "已记为同一人，即时生效。" "Entered: one person. It is in force now.";
    said_waits
        "已提议为同一人，等候另一位审核员确认。"
        "Proposed as one person; another reviewer has to confirm it.";
    own_proposal
        "这是您自己的提议：须由另一位审核员确认，您不能确认。没有任何改变。"
        "Your own proposal: another reviewer has to confirm it, you cannot. Nothing was changed.";
    settled
        "这一对已由他人认定，您的决定没有生效。请看它的历史。"
        "Somebody else has decided about this pair; your decision was not taken. See its history.";

    pair_title "登记 {}" "Entries {}";
    entry "登记 {}" "Entry {}";
    pair_recorded
        "您看到了这两个人的资料，已以您的用户名记入台账。"
        "That you saw these two is in the ledger under your name.";
    back_to_queue "返回队列" "Back to the queue";
    why "为什么待审" "Why it waits";
    decided_already "这一对已有认定，不再等候。" "Somebody has decided about this pair; it no longer waits.";
    now_one "主索引现在把它们当作同一人。" "The index takes them for one person now.";
    now_two "主索引现在把它们当作两个人。" "The index takes them for two people now.";
    total "合计权重" "Weight in all";
    odds_for "约 {} 比 1 是同一人" "about {} to 1 that they are one";
    odds_against "约 {} 比 1 不是同一人" "about {} to 1 that they are not";
    odds_even "两可" "about even";
    beginning "起点：随便两条登记" "Where it begins: any two entries";
    nothing_judged "其中一条没有可比对的内容。" "One of them has nothing that can be compared.";
    sides "两边的资料" "Both sides";
    sides_note
        "取自各自最新的一条记录；只有身份资料，没有诊疗内容。加双下划线的字与另一边不同。"
        "Newest record of each, nothing clinical. What is underlined twice differs.";
    field "字段" "Field";
    agreement "比对" "Agreement";
    contribution "作用" "What it says";
    in_earlier "见于较早的记录" "in an earlier record";
    no_record "没有记录，或已抹除。" "No record, or it was erased.";
    speaks_for "支持 {}" "for, {}";
    speaks_against "反对 {}" "against, {}";
    speaks_not "无作用" "nothing";

    decide "您的认定" "Your decision";
    same "同一人" "One person";
    confirm_same "确认同一人" "Confirm: one person";
    apart "不是同一人" "Not one person";
    number_moved "前者的一个编号归后者" "a number of the first is the second's";
    same_note
        "“同一人”须两位审核员先后认定才生效；合并后可以撤销。"
        "Two reviewers, one after the other, make them one person; it can be undone.";
    apart_note
        "“不是同一人”一位审核员认定即生效，以后的消息和分数都不会改变它。"
        "One reviewer is enough to keep them apart, and no later message or score changes it.";
    waits_for_other
        "您已提议为同一人，须由另一位审核员确认。您仍可改为“不是同一人”。"
        "You have proposed one person; another reviewer has to confirm. You may still say no.";
    history "认定历史" "What was said";
    history_lead
        "对这两个人的各条登记说过什么，谁、何时、是否已终止。"
        "What was said of the entries of both persons: who, when, and whether it ended.";
    history_empty "还没有人对这些登记作过认定。" "Nobody has said anything of these entries.";
    history_caption "认定，最早的在前" "What was said, oldest first";
    said_what "认定" "What";
    said_by "谁" "Who";
    said_at "何时" "When";
    ended "终止" "Ended";
    in_force "仍有效" "in force";
    by_message "{} 的消息" "a message of {}";
    message_number "编号 {}" "number {}";
    back_to_pair "返回这一对" "Back to the pair";

    held_title "因疑似换人而挂起的消息" "Messages held because somebody else may stand in them";
    held_lead
        "同一编号下姓名与出生日期或性别同时改变：没有应用，原来的资料照常提供。"
        "Name and birth date or sex changed at once under one number: what was is still served.";
    held_empty "没有挂起的消息。" "No message is held.";
    held_caption "挂起的消息，最早的在前" "Messages held, oldest first";
    held_decision "认定" "Decision";
    held_accept "接受新资料" "Accept the new ones";
    held_refuse "拒绝这条消息" "Refuse the message";
    held_accepted_by "{} 已提议接受" "{} has proposed to accept";
    held_refused_by "{} 已提议拒绝" "{} has proposed to refuse";
    said_accepted "已接受，新资料即时生效。" "Accepted: the new ones are served from now on.";
    said_refused "已拒绝，原来的资料不变。" "Refused: what was stays as it is.";
    said_still
        "已接受，但这条消息另有问题，仍在隔离中。"
        "Accepted, but something else is wrong with the message: it stays in quarantine.";
    said_held_waits
        "已提议，等候另一位审核员作出相同认定。"
        "Proposed; another reviewer has to say the same.";
    own_opinion
        "这是您自己的提议：须由另一位审核员确认，没有任何改变。"
        "Your own proposal: another reviewer has to confirm it. Nothing was changed.";
    held_settled
        "这条消息已不在挂起之列，您的认定没有生效。"
        "The message is not held any more; your decision was not taken.";
    held_two
        "接受或拒绝都须两位审核员作出相同认定；请先向发送方核实。"
        "To accept or to refuse takes two reviewers who say the same; ask the sender first.";
    held_what "怎么办" "What to do";
    held_right
        "新资料是对的（例如登记时写错、现已更正）：两位审核员先后接受，或由运维员执行"
        "The new ones are right (a mistake was mended): two reviewers accept, or the operator runs";
    held_wrong
        "新资料是另一个人的：请发送方在其系统中更正并重新发送；两位审核员可拒绝这条消息。"
        "They are somebody else's: the sender mends and sends again; two reviewers may refuse.";
    held_unsure
        "拿不准：按编号和时间向发送方核对，不要执行。"
        "Not sure: ask the sender, by number and time, and run nothing.";

    field_citizen "公民身份号码" "Citizen identity number";
    field_name "姓名" "Name";
    field_birth "出生日期" "Birth date";
    field_sex "性别" "Sex";
    field_card "居民健康卡号" "Health card number";
    field_phone "电话" "Telephone";
    field_address "住址" "Address";
    field_division "行政区划" "Division";
    field_assigned "其他编号" "Other numbers";
    male "男" "male";
    female "女" "female";
    sex_unknown "未知" "unknown";
    sex_unstated "未说明" "not stated";

    level_same "相同" "the same";
    level_other "不同" "different";
    level_missing "一方没有，不作比较" "missing on one side, not compared";
    level_near "只差一位" "one digit apart";
    level_near_site "同一条路或同一村" "the same road or village";
    level_heard "同音不同字" "other characters, heard alike";
    level_cut "缺一个字或被截断" "a character lost, or an end cut off";
    level_married "冠夫姓的旧写法" "the old form of a married name";
    level_one_character "差一个字，读音不同" "one character differs, and sounds otherwise";
    level_surname "只有姓相同" "the surname alone";
    level_other_calendar "公历与农历之差" "the other calendar";
    level_year_off "月日相同，差一两年" "the same day, one or two years apart";
    level_swapped "月与日颠倒" "day and month exchanged";
    level_one_digit "差一位数字" "one digit apart";
    level_default "同年，一方写作一月一日" "the same year, one of them the first of January";
    level_year "只有年份相同" "the year alone";
    level_borrowed
        "相同，但其中一方的出生与号码不符"
        "the same, but one of the two was born otherwise than it says";
    level_near_id "只差一位，其中一个通不过校验" "one digit apart, and one fails its check";
    level_two "两个都有效，但不同" "both valid, and different";
    level_other_id "不同，其中一个不可能对" "different, and one cannot be right";

    rule_two_citizen_ids "两个都有效的公民身份号码，互不相同" "Two valid citizen numbers that differ";
    rule_reissued
        "公民身份号码不同，其余都相符：号码可能重新发放过"
        "Citizen numbers differ and all else agrees: one may have been issued anew";
    rule_borrowed_id "一方可能用了另一方的公民身份号码" "One may have used the other's citizen number";
    rule_same_number "同一机构给的同一编号" "The same number from the same authority";
    rule_same_id "公民身份号码相同，没有矛盾" "The same citizen number, and nothing contradicts it";
    rule_id_alone
        "公民身份号码相同，姓名或出生日期却不同"
        "The same citizen number, and another name or birth date";
    rule_like_twins "像双胞胎：同姓而名不同" "Like twins: one surname and other given names";
    rule_name_and_birthday "只有姓名和出生日期相符" "Name and birth date agree, and nothing else does";
    rule_corroborated "姓名、出生日期相符，另有佐证" "Name and birth date agree, and something else does too";
    rule_rare_name "少见的姓名，同一生日，同一地区" "A rare name, one birthday, one division";
    rule_other_sex "性别不同" "Another sex";
    rule_doubtful "很像，但有不相符之处" "Much agrees, and something does not";
    rule_claimed
        "一条消息说是同一人，已知的资料却相反"
        "A message says that they are one, and what is known speaks against it";
    rule_too_little "像，但证据不够" "Alike, but too little to be sure";
}

impl ReviewText {
    /// A rule of the index; one the table does not know shows as it is named.
    #[must_use]
    pub fn rule_of<'a>(&self, rule: &'a str) -> &'a str {
        match rule {
            "borrowed-id" => self.rule_borrowed_id,
            "claimed" => self.rule_claimed,
            "corroborated" => self.rule_corroborated,
            "doubtful" => self.rule_doubtful,
            "id-alone" => self.rule_id_alone,
            "like-twins" => self.rule_like_twins,
            "name-and-birthday" => self.rule_name_and_birthday,
            "other-sex" => self.rule_other_sex,
            "rare-name" => self.rule_rare_name,
            "reissued" => self.rule_reissued,
            "same-id" => self.rule_same_id,
            "same-number" => self.rule_same_number,
            "too-little" => self.rule_too_little,
            "two-citizen-ids" => self.rule_two_citizen_ids,
            other => other,
        }
    }

    /// A field of a comparison.
    #[must_use]
    pub fn field_of<'a>(&self, field: &'a str) -> &'a str {
        match field {
            "address" => self.field_address,
            "assigned" => self.field_assigned,
            "birth-date" => self.field_birth,
            "card" => self.field_card,
            "citizen-id" => self.field_citizen,
            "division" => self.field_division,
            "name" => self.field_name,
            "phone" => self.field_phone,
            "sex" => self.field_sex,
            other => other,
        }
    }

    /// How a field agrees.
    #[must_use]
    pub fn level_of<'a>(&self, field: &str, level: &'a str) -> &'a str {
        match (field, level) {
            ("address", "near") => self.level_near_site,
            ("citizen-id", "near") => self.level_near_id,
            ("citizen-id", "other") => self.level_other_id,
            (_, "borrowed") => self.level_borrowed,
            (_, "cut") => self.level_cut,
            (_, "default") => self.level_default,
            (_, "heard-alike") => self.level_heard,
            (_, "married") => self.level_married,
            (_, "missing") => self.level_missing,
            (_, "near") => self.level_near,
            (_, "one-character") => self.level_one_character,
            (_, "one-digit") => self.level_one_digit,
            (_, "other") => self.level_other,
            (_, "other-calendar") => self.level_other_calendar,
            (_, "same") => self.level_same,
            (_, "surname") => self.level_surname,
            (_, "swapped") => self.level_swapped,
            (_, "two") => self.level_two,
            (_, "year") => self.level_year,
            (_, "year-off") => self.level_year_off,
            (_, other) => other,
        }
    }

    /// What was said of two entries.
    #[must_use]
    pub const fn what(&self, what: &What) -> &'static str {
        match what {
            What::Apart => self.apart,
            What::Moved => self.number_moved,
            What::Same => self.same,
        }
    }

    /// GB/T 2261.1; anything else as it was written.
    #[must_use]
    pub fn sex_of<'a>(&self, code: &'a str) -> &'a str {
        match code {
            "0" => self.sex_unknown,
            "1" => self.male,
            "2" => self.female,
            "9" => self.sex_unstated,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every level by the name the index gives it, with the fields that have it.
    const LEVELS: [(&str, &[&str]); 5] = [
        ("name", &["heard-alike", "cut", "married", "one-character", "surname"]),
        ("birth-date", &["other-calendar", "year-off", "swapped", "one-digit", "default", "year"]),
        ("citizen-id", &["borrowed", "near", "two"]),
        ("card", &["near"]),
        ("address", &["near"]),
    ];

    #[test]
    fn every_field_and_every_level_has_words() {
        for text in [&ZH, &EN] {
            for field in crate::identity::linkage::weights::FIELDS {
                assert!(text.field_of(field) != field, "{field}");
                for level in ["same", "other", "missing"] {
                    assert!(text.level_of(field, level) != level, "{field}: {level}");
                }
            }
            for (field, levels) in LEVELS {
                for level in levels {
                    assert!(text.level_of(field, level) != *level, "{field}: {level}");
                }
            }
        }
    }

    /// The names stand in the source as `Self::Rule => "name"`.
    #[test]
    fn every_rule_has_words() {
        let source = include_str!("../../../identity/linkage/verdict.rs");
        let names = source.lines().filter_map(|line| {
            let (_, name) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
            name.strip_suffix("\",")
        });
        let mut named = 0;
        for name in names {
            assert!(ZH.rule_of(name) != name && EN.rule_of(name) != name, "{name}");
            named += 1;
        }
        assert!(named > 10, "{named}");
    }
}
