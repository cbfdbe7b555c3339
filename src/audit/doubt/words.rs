//! What is said of a doubt, in Chinese and in English: its figures, and never that somebody did
//! wrong.

use super::reason::{Asked, Doubt, Reason, Tie};
use crate::vocabulary::Dataset;

impl Doubt {
    /// The reason in Chinese.
    #[must_use]
    pub fn zh(&self) -> String {
        match &self.reason {
            Reason::AskedAgain { refused, fault, then, minutes } => format!(
                "{} 被拒绝（{}），{minutes} 分钟后同一部门改以 {} 取得了此人的内容",
                asked(*refused),
                fault.row().zh,
                asked(*then),
            ),
            Reason::Bulk { persons, median, days, limit } => format!(
                "当日查看 {persons} 人，超过界限 {limit} 人；此前 {days} 个有查询的日子的中位数为 {median} 人"
            ),
            Reason::OffHours { first, last } => {
                format!("在该角色工作时间之外取得内容：{first} 至 {last}，{} 次", self.count)
            }
            Reason::Opened { before, now, wider, cells, disclosures } => match cells {
                Some(_) => format!(
                    "策略由 {before} 变为 {now}，放宽 {wider} 处；此后有 {disclosures} 次披露依据所放宽的内容"
                ),
                None => format!(
                    "策略由 {before} 变为 {now}，放宽 {wider} 处；旧版文件已不保存，无法比较"
                ),
            },
            Reason::Related { tie, asker, looked_at } => {
                let asker = asker.as_ref().map(|name| format!("名单 {name} ")).unwrap_or_default();
                let tie = match tie {
                    Tie::Colleague => "同事",
                    Tie::Household => "同户人员",
                    Tie::Own => "本人",
                    Tie::Protected => "重点保护人员",
                };
                format!("{asker}查看了{tie}：名单 {looked_at}，{} 次", self.count)
            }
            Reason::Unfollowed { purpose, by, days } => {
                format!("以 {purpose} 取得内容后 {days} 天内没有 {} 记录到达", sets(by))
            }
        }
    }

    /// The reason in English.
    #[must_use]
    pub fn en(&self) -> String {
        match &self.reason {
            Reason::AskedAgain { refused, fault, then, minutes } => format!(
                "{} was refused ({}); {minutes} minutes later the same department was told \
                 something of this person for {}",
                asked(*refused),
                fault.row().name,
                asked(*then),
            ),
            Reason::Bulk { persons, median, days, limit } => format!(
                "{persons} persons on this day, more than {limit}; the median of {days} days \
                 before on which anything was read is {median}"
            ),
            Reason::OffHours { first, last } => format!(
                "told something outside the working hours of the role: {first} to {last}, {} times",
                self.count
            ),
            Reason::Opened { before, now, wider, cells, disclosures } => match cells {
                Some(_) => format!(
                    "policies {before} gave way to {now}, {wider} wider; {disclosures} disclosures \
                     since rest on what was opened"
                ),
                None => format!(
                    "policies {before} gave way to {now}, {wider} wider; their files are kept no \
                     more, so nothing can be compared"
                ),
            },
            Reason::Related { tie, asker, looked_at } => {
                let asker = asker.as_ref().map(|name| format!("row {name} ")).unwrap_or_default();
                let tie = match tie {
                    Tie::Colleague => "a colleague",
                    Tie::Household => "somebody of the same household",
                    Tie::Own => "himself",
                    Tie::Protected => "a protected person",
                };
                format!("{asker}looked at {tie}: row {looked_at}, {} times", self.count)
            }
            Reason::Unfollowed { purpose, by, days } => {
                let sets = sets(by);
                format!("told for {purpose}, and no record of {sets} arrived within {days} days")
            }
        }
    }
}

fn asked(asked: Asked) -> String {
    let role = asked.role.map(|role| role.to_string());
    let purpose = asked.purpose.map(|purpose| purpose.to_string());
    let parts: Vec<_> = role.into_iter().chain(purpose).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
}

fn sets(by: &[Dataset]) -> String {
    by.iter().map(Dataset::as_str).collect::<Vec<_>>().join(" ")
}
