//! Every text of the console, Chinese and English in one table.
//!
//! A key that is missing in one language does not compile.

use super::access::{Role, Roles};
use super::view::Named;
use crate::audit::Kind;
use crate::vocabulary::{Fault, IdentifierKind, Tier};

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    En,
    /// 中文, unless asked otherwise.
    #[default]
    Zh,
}

impl Lang {
    /// Reads `zh` or `en`.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// `zh` or `en`, as in the cookie.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The language tag of a page, BCP 47.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Zh,
            Self::Zh => Self::En,
        }
    }

    /// The texts.
    #[must_use]
    pub fn text(self) -> &'static Text {
        Text::of(self)
    }
}

macro_rules! texts {
    ($name:ident $(with $lang:ident)?: $($key:ident $zh:literal $en:literal;)+) => {
        /// The texts of one language, by key.
        #[derive(Debug)]
        pub struct $name {
            $(/// Which language.
            pub $lang: Lang,)?
            $(#[doc = $en] pub $key: &'static str,)+
        }

        impl $name {
            /// The texts of a language.
            #[must_use]
            pub fn of(lang: Lang) -> &'static Self {
                match lang {
                    Lang::En => &EN,
                    Lang::Zh => &ZH,
                }
            }
        }

        static ZH: $name = $name { $($lang: Lang::Zh,)? $($key: $zh,)+ };
        static EN: $name = $name { $($lang: Lang::En,)? $($key: $en,)+ };

        #[cfg(test)]
        pub(super) const ROWS: &[(&str, &str, &str)] = &[$((stringify!($key), $zh, $en),)+];
    };
}

pub mod confined;
pub mod doubt;
pub mod hold;
pub mod invite;
pub mod openid;
pub mod policies;
pub mod rerun;
pub mod review;
pub mod saved;
pub mod ticket;
pub mod trace;

texts! { Text with lang:
    product "康桥" "Kangqiao";
    tagline "卫生健康与民政数据网关" "Gateway between health and civil affairs";
    skip "跳到正文" "Skip to content";
    switch "English" "中文";
    switch_label "切换语言" "Switch language";
    console "控制台" "Console";
    sections "栏目" "Sections";
    overview "总览" "Overview";
    ledger "披露台账" "Disclosure ledger";
    trace "报文追踪" "Message trace";
    sign_in "登录" "Sign in";
    sign_out "退出登录" "Sign out";
    auditor "审计员" "Auditor";
    operator "运维员" "Operator";
    policy_administrator "策略管理员" "Policy administrator";
    reviewer "身份审核员" "Reviewer";
    review "身份审核" "Identity review";
    and "、" ", ";
    back "返回首页" "Back to the start";
    yes "是" "yes";
    no "否" "no";
    none "无" "none";
    dash "—" "—";

    user_name "用户名" "User name";
    password "密码" "Password";
    code "一次性验证码" "One-time code";
    code_hint
        "身份验证器应用中的六位数字，每个只能用一次"
        "Six digits from your authenticator application; each works once";
    refused_sign_in "用户名、密码或验证码不正确。" "User name, password or code is not right.";
    wait_sign_in "尝试次数过多，请在 {} 秒后重试。" "Too many attempts. Try again in {} seconds.";
    sign_in_note
        "每次登录和每次台账查询都会记入台账。"
        "Every sign-in and every ledger query is itself written to the ledger.";
    account_note
        "账号由受邀人凭一次性链接建立，没有默认密码；链接用 kangqiao user invite 生成。"
        "Accounts are made by one-time links (kangqiao user invite). There is no default password.";

    as_of "截至" "As of";
    refresh "刷新" "Refresh";
    started "启动于" "Started";
    version "程序" "Program";
    mappings "映射" "Mappings";
    policy "策略" "Policies";
    messages "消息去向" "Where the messages went";
    received "已接收" "Received";
    kept "已入库" "Kept";
    quarantined "已隔离" "Quarantined";
    refused "已拒绝" "Refused";
    balanced "收支相符：接收 = 入库 + 隔离 + 拒绝" "Balanced: received = kept + quarantined + refused";
    unbalanced "收支不符：有消息去向不明，请立即核查" "Not balanced: messages are unaccounted for, look now";
    by_sender "按发送方统计，自系统启用起" "By sender, since the gateway was first used";
    sender "发送方" "Sender";
    share "构成" "Share";
    balances "相符" "Balanced";
    no_senders "尚未收到任何消息。" "No message has arrived yet.";
    quarantine "隔离区" "Quarantine";
    quarantine_caption
        "最近隔离的消息：只显示原因与位置，不显示内容"
        "Newest quarantined messages: reason and position, never content";
    quarantine_empty "隔离区没有消息。" "Nothing is in quarantine.";
    number "编号" "Number";
    time "时间" "Time";
    reason "原因" "Reason";
    position "位置" "Position";
    room "存储空间" "Storage";
    room_used "已用" "Taken";
    room_left "可用" "Left";
    room_roomy "充足" "roomy";
    room_filling "将满，请清理" "nearly full: make room";
    room_reserve "仅余储备：暂停接收与应答" "only the reserve is left: nothing is kept or answered";
    queue "写入队列" "Write queue";
    waiting "等待" "Waiting";
    capacity "上限" "Limit";
    upstreams "上游系统" "Upstream systems";
    upstreams_caption "上游系统及其状态" "Upstream systems and their state";
    upstreams_empty "没有配置上游系统。" "No upstream system is configured.";
    upstream "系统" "System";
    subscriptions "订阅与通知" "Subscriptions and notices";
    subscriptions_caption
        "每个订阅的通知：发往何处，停在何处"
        "The notices of each subscription: where they went, and where they stand";
    subscriptions_empty "没有配置订阅。" "No subscription is configured.";
    subscription "订阅" "Subscription";
    enrolled "登记人数" "Elders";
    oldest_notice "最早等待" "Oldest waits";
    delivered "已送达" "Delivered";
    passed "无可告知" "Nothing to tell";
    dead "需处理" "Dead";
    state_gone "未配置" "not configured";
    state "状态" "State";
    answered "已应答" "Answered";
    failed "失败" "Failed";
    last_answer "最近应答" "Last answer";
    state_up "正常" "answers";
    state_idle "未使用" "not used yet";
    state_open "中断，暂停访问" "down, paused";
    state_trying "正在试探" "being tried";
    cache "查询缓存" "Look-up cache";
    cache_entries "条目" "Entries";
    hits "命中" "Hits";
    misses "未命中" "Misses";
    stale "降级应答" "Stale answers";
    hit_rate "命中率" "Hit rate";
    expiries "证书与吊销列表" "Certificates and revocation lists";
    expiries_caption "何时到期" "When they expire";
    subject "主体" "Subject";
    used_for "用于" "Used for";
    expires "到期" "Expires";
    days_left "还有 {} 天" "in {} days";
    expired "已到期" "expired";
    ledger_state "台账状态" "State of the ledger";
    ledger_entries "条目" "Entries";
    checkpoint "最近检查点" "Newest checkpoint";
    covers "覆盖 {} 条" "covers {} entries";
    verification "最近校验" "Last check";
    sound "完好" "sound";
    sound_detail "校验时 {} 条全部相符" "all {} entries fitted at the last check";
    broken "自第 {} 条起不相符" "does not fit from entry {} on";
    not_verified "启动后尚未校验" "not checked since start";
    sink "审计外送" "Audit sink";
    sink_connected "已连接" "connected";
    sink_broken "未送达" "takes nothing";
    sink_waiting "待送 {} 条，最早" "{} entries wait, the oldest";
    witness "见证方" "Witness";
    witness_signed "已见证 {} 条" "has signed {} entries";
    witness_silent "无应答" "does not answer";
    witness_not_yet "启动后尚未联系" "not asked since start";
    witness_contradicts
        "见证方签署过另一份台账：本台账曾被回退或改动，请立即上报"
        "has signed another ledger: this one was put back or changed; report this now";

    live_off "暂停自动更新" "Stop bringing it anew";
    live_on "自动更新" "Bring it anew by itself";
    chart_flow "近一日收到的报文，按发送方，每半小时" "Messages of the last day by sender, per half hour";
    chart_left "近一日的披露、拒绝与投递，每半小时" "Left or refused in the last day, per half hour";
    chart_notices "近一日送达的通知，按订阅，每半小时" "Notices delivered in the last day, per half hour";
    chart_table "数据表（自启动以来，最多一日）" "The numbers, since the start, a day at most";
    chart_empty "启动以来没有。" "None since the start.";

    ledger_lead "谁、为何、查看了谁的哪些数据元。" "Who saw which elements of whom, and for what.";
    recorded "您的每次查询都会以您的用户名记入台账。" "Each of your queries is written to the ledger under your name.";
    person_search "谁查看过此人" "Who saw this person";
    person_lead
        "标识符当场换成假名，不会出现在网址、日志或台账中。"
        "The identifier becomes a pseudonym at once; it stands in no address, log or ledger.";
    identifier_kind "标识符类型" "Kind of identifier";
    identifier "标识符" "Identifier";
    authority "分配机构" "Assigning authority";
    authority_hint "仅机构内编号需要" "Needed for a local number only";
    citizen_id "公民身份号码" "Citizen identity number";
    health_card "居民健康卡号" "Resident health card number";
    electronic_card "电子健康卡标识" "Electronic health card";
    record_number "健康档案编号" "Health record number";
    local_number "机构内编号" "Local number";
    other_document "其他证件" "Other document";
    identifier_wrong
        "标识符未通过校验，请核对后重新输入。"
        "The identifier fails its own check. Compare it and type it again.";
    search "查询" "Search";
    department "部门" "Department";
    receipt_search "按回执查条目" "The entry of a receipt";
    receipt_lead "每份应答都带有回执号，对应一条台账。" "Every answer carries a receipt that leads to one entry.";
    receipt_or_number "回执号或条目编号" "Receipt or entry number";
    latest "最新条目" "Newest entries";
    latest_lead "不限人员和部门。" "Of everybody.";
    show_latest "查看最新条目" "Show the newest entries";
    person_title "个人视图" "A person";
    entries_caption "台账条目，新的在前" "Ledger entries, newest first";
    no_entries "没有条目。" "No entries.";
    older "更早的条目" "Older entries";
    new_search "重新查询" "New search";
    history_title "个人信息查阅记录" "Access history";
    history_lead
        "可交给本人或其监护人：谁在何时为何查阅了哪些项目，不含项目的内容。制作会记入台账。"
        "To be handed to the person or a guardian: who saw which items when and what for, without \
         their content. That it is made is written to the ledger.";
    history_html "下载网页文件" "Download as a page (HTML)";
    history_pdf "下载 PDF" "Download as PDF";
    history_no_font
        "没有中文字体，无法制作 PDF：请安装 fonts-noto-cjk 或在 [ledger] font 中指定；网页文件照常。"
        "There is no Chinese font to print with: install fonts-noto-cjk, or name one by \
         [ledger] font. The page (HTML) needs none.";
    kind "类别" "Kind";
    who "谁" "Who";
    purpose "用途" "Purpose";
    person "人员假名" "Person";
    outcome "结果" "Outcome";
    released_count "披露 {}" "{} released";
    withheld_count "隐去 {}" "{} withheld";
    entry_title "台账条目 {}" "Ledger entry {}";
    receipt "回执号" "Receipt";
    asker "经办人" "Person who asked";
    asked_by "查询人" "On whose behalf";
    legal_basis "法律依据" "Legal basis";
    released_title "披露了什么，以何种形式" "What was released, in which form";
    withheld_title "未披露" "Withheld";
    nothing_released "此条目没有披露任何数据元。" "This entry released no element.";
    decision "决定依据" "What decided";
    rules "规则" "Rules";
    sources "数据来源" "Sources";
    answer_hash "应答摘要" "Digest of the answer";
    proof "入账证明" "Proof of inclusion";
    proof_holds
        "哈希路径与检查点签名现已核对，均相符：此条目确在台账之中。"
        "Path and signature were checked just now and hold: this entry stands in the ledger.";
    proof_fails
        "核对不符：台账可能被改动，请立即上报。"
        "The check fails: the ledger may have been changed. Report this now.";
    proof_file "下载证明文件" "Download the proof";
    proof_file_hint
        "无需本系统即可核对：kangqiao ledger check-proof 或 scripts/check-proof。"
        "It is checked without this system: kangqiao ledger check-proof, or scripts/check-proof.";
    proof_none "尚无检查点覆盖此条目。" "No checkpoint covers this entry yet.";
    leaf "条目哈希" "Hash of the entry";
    path "到树根的路径" "Path to the root";
    checkpoint_text "检查点原文" "Text of the checkpoint";
    line "台账原文" "The entry as it stands";
    same_person "此人的全部条目" "All entries about this person";
    same_department "此部门的全部条目" "All entries of this department";

    tier_full "原值" "as recorded";
    tier_generalised "概化" "generalised";
    tier_pseudonym "假名" "pseudonym";
    tier_existence "仅知存在" "existence only";
    tier_withheld "隐去" "withheld";
    kind_account "账号" "account";
    kind_disclosure "披露" "disclosure";
    kind_erase "抹除" "erasure";
    kind_export "导出" "export";
    kind_identity "认定" "said of identities";
    kind_keys "密钥" "keys";
    kind_link "归并" "link";
    kind_location "定位" "location";
    kind_merge "合并" "merge";
    kind_part "拆分" "part";
    kind_policy "策略变更" "Policies";
    kind_query "台账查询" "ledger query";
    kind_refusal "拒绝" "refusal";
    kind_reload "重新加载" "reload";
    kind_replay "重放" "replay";
    kind_review "身份审核" "identity review";
    kind_sign_in "登录" "sign-in";
    kind_start "启动" "start";
    kind_unmerge "撤销合并" "unmerge";

    forbidden "您的角色不能查看此页。" "Your role does not see this page.";
    not_found "没有这一页或这一条目。" "There is no such page or entry.";
    form_expired "表单已失效，请重新打开页面再试。" "The form is no longer good. Open the page again.";
    form_odd "表单无法读取。" "The form cannot be read.";
}

impl Text {
    /// A text with its one `{}` filled in.
    #[must_use]
    pub fn fill(&self, text: &str, value: impl std::fmt::Display) -> String {
        text.replacen("{}", &value.to_string(), 1)
    }

    /// The title of a configured name, or the name itself where it has none.
    #[must_use]
    pub fn name<'a>(&self, named: &'a Named) -> &'a str {
        let title = match self.lang {
            Lang::En => &named.en,
            Lang::Zh => &named.zh,
        };
        if title.is_empty() { &named.id } else { title }
    }

    /// What a fault means.
    #[must_use]
    pub const fn fault(&self, fault: &Fault) -> &'static str {
        match self.lang {
            Lang::En => fault.row().en,
            Lang::Zh => fault.row().zh,
        }
    }

    /// A tier of disclosure.
    #[must_use]
    pub const fn tier(&self, tier: &Tier) -> &'static str {
        match tier {
            Tier::Full => self.tier_full,
            Tier::Generalised => self.tier_generalised,
            Tier::Pseudonym => self.tier_pseudonym,
            Tier::Existence => self.tier_existence,
            Tier::Withheld => self.tier_withheld,
        }
    }

    /// A role of the console.
    #[must_use]
    pub const fn role_of(&self, role: &Role) -> &'static str {
        match role {
            Role::Auditor => self.auditor,
            Role::Operator => self.operator,
            Role::PolicyAdministrator => self.policy_administrator,
            Role::Reviewer => self.reviewer,
        }
    }

    /// Every role of a user.
    #[must_use]
    pub fn roles_of(&self, roles: &Roles) -> String {
        let roles: Vec<_> = roles.each().map(|role| self.role_of(&role)).collect();
        roles.join(self.and)
    }

    /// A kind of identifier.
    #[must_use]
    pub const fn identifier_of(&self, kind: &IdentifierKind) -> &'static str {
        match kind {
            IdentifierKind::CitizenId => self.citizen_id,
            IdentifierKind::ElectronicCard => self.electronic_card,
            IdentifierKind::HealthCard => self.health_card,
            IdentifierKind::Local => self.local_number,
            IdentifierKind::Other => self.other_document,
            IdentifierKind::RecordNumber => self.record_number,
        }
    }

    /// A kind of ledger entry; one the table does not know shows as it stands there.
    #[must_use]
    pub fn kind_of<'a>(&self, kind: &'a str) -> &'a str {
        match kind {
            "account" => self.kind_account,
            "disclosure" => self.kind_disclosure,
            "erase" => self.kind_erase,
            "export" => self.kind_export,
            "identity" => self.kind_identity,
            "keys" => self.kind_keys,
            "link" => self.kind_link,
            "location" => self.kind_location,
            "merge" => self.kind_merge,
            "part" => self.kind_part,
            "policy" => self.kind_policy,
            "query" => self.kind_query,
            "refusal" => self.kind_refusal,
            "reload" => self.kind_reload,
            "replay" => self.kind_replay,
            "review" => self.kind_review,
            "sign-in" => self.kind_sign_in,
            "start" => self.kind_start,
            "unmerge" => self.kind_unmerge,
            other => match self.lang {
                Lang::En => other,
                Lang::Zh => Kind::parse(other).map_or(other, |kind| kind.zh()),
            },
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
