//! The story: what is sent, asked and proven, step by step, each step checked.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::site::Site;
use super::systems::Heard;
use crate::command::Failure;
use crate::command::ask::{Asking, Reply};
use crate::command::{ledger, say, send};

/// 張東億, admitted on Wednesday; in GB 18030 the second byte of 億 is `|`.
const ADMITTED: &str = "410105194803150216";
/// 王秀英, who wants to move into a care home.
const MOVING: &str = "410105195207081044";
/// 赵德厚, who died; the payment office does not know yet.
const DIED: &str = "410105193911200036";

/// 孙桂兰, whom the payment office pays, and who dies in the story.
const PAID: &str = "41010519360512002X";

/// How long a notice may take, and how often is looked.
const HEARD_WITHIN_MS: u64 = 30_000;
const HEARD_EVERY_MS: u64 = 20;

/// Plays the whole story.
///
/// # Errors
/// [`Failure`] naming the first step that did not go as told.
pub async fn tell(site: &Site, heard: &Heard) -> Result<(), Failure> {
    hospital(site).await?;
    hotline(site, heard).await?;
    care_home(site).await?;
    bureau(site).await?;
    payments(site, heard).await?;
    auditor(site)
}

async fn hospital(site: &Site) -> Result<(), Failure> {
    title("医院推送消息", "The hospitals push")?;
    let plain = format!("127.0.0.1:{}", site.ports.mllp);
    let secure = format!("localhost:{}", site.ports.mllps);
    note("第一条用 GB 18030；姓名里 億 和 東 的第二个字节就是字段分隔符 |。")?;
    note("The first is GB 18030; in its name the second bytes of 億 and 東 are the separator |.")?;
    let first = push(site, &plain, "1-admission.hl7", "AA").await?;
    push(site, &secure, "2-laboratory.hl7", "AA").await?;
    push(site, &plain, "3-wrong-check-digit.hl7", "AE").await?;
    push(site, &secure, "4-discharge.hl7", "AA").await?;
    push(site, &plain, "5-unknown-type.hl7", "AR").await?;
    note("同一消息再发一次，得到同一确认。 The same bytes again: the same acknowledgement.")?;
    let again = push(site, &plain, "1-admission.hl7", "AA").await?;
    check(first == again, "the acknowledgement of a resend is the stored one")
}

async fn hotline(site: &Site, heard: &Heard) -> Result<(), Failure> {
    title("12349 话务员查询紧急救助卡", "The 12349 desk asks for the emergency card")?;
    note("没有通话编号： Without an open call:")?;
    let agent = Asker::new(site, "hotline-12349-agent")?;
    let refused = agent.ask(&question(ADMITTED, "emergency-card")).await?;
    check(refused.status == 422, "without a call the card is refused")?;
    note("有通话编号： With one:")?;
    let mut inquiry = question(ADMITTED, "emergency-card");
    merge(&mut inquiry, json!({ "asker": "agent-017", "evidence": { "call": "C-20261121-7" } }));
    let answer = agent.ask(&inquiry).await?;
    check(answer.status == 200, "with a call the card is given")?;
    for element in ["MZ.medication.anticoagulant", "DE04.50.001.00", "MZ.guardian.phone"] {
        check(has(&answer, element), &format!("the card holds {element}"))?;
    }
    check(!answer.body.to_string().contains("心力衰竭"), "the diagnosis does not leave")?;
    merge(&mut inquiry, json!({ "elements": ["DE05.01.025.00", "DE04.50.001.00"] }));
    note("再问诊断： And asked for the diagnosis:")?;
    let before = heard.look_ups.load(Ordering::Relaxed);
    let narrow = agent.ask(&inquiry).await?;
    check(withheld(&narrow, "DE05.01.025.00"), "the diagnosis is withheld, with its rule")?;
    let asked = heard.look_ups.load(Ordering::Relaxed) - before;
    check(before > 0 && asked == 0, "the second answer comes from the cache")
}

async fn care_home(site: &Site) -> Result<(), Failure> {
    title("养老机构办理入住", "A care home admits a resident")?;
    let inquiry = question(MOVING, "institution-admission");
    note("本人还没有同意： She has not consented yet:")?;
    let before = Asker::new(site, "care-home-doctor")?.ask(&inquiry).await?;
    check(!has(&before, "DE08.50.022.00"), "without consent nothing is told")?;
    note("本人签字同意，养老机构登记： She consents, and the care home records it:")?;
    let home = Asking::new(&site.url(), &site.path("certs"), "care-home-system")?;
    let media = "application/vnd.kangqiao.civil+json";
    let kept = home.post("/v1/messages", media, &consent("active")).await?;
    check(kept.body.get("state") == Some(&json!("kept")), "the consent is kept")?;
    note("经办人： The clerk:")?;
    let clerk = Asker::new(site, "care-home-clerk")?.ask(&inquiry).await?;
    note("机构医师： The doctor:")?;
    let doctor = Asker::new(site, "care-home-doctor")?.ask(&inquiry).await?;
    check(has(&clerk, "MZ.fitness.conclusion"), "the clerk sees the conclusion")?;
    check(!has(&clerk, "DE08.50.022.00"), "the clerk sees no medicines")?;
    check(has(&doctor, "DE08.50.022.00"), "the doctor sees the medicines")?;
    let silent = |reply: &Reply| !reply.body.to_string().contains("syphilis");
    check(silent(&clerk) && silent(&doctor), "nobody sees an old infection")?;
    note("她撤回同意，立即生效： She withdraws it, and that is in force at once:")?;
    home.post("/v1/messages", media, &consent("inactive")).await?;
    let after = Asker::new(site, "care-home-doctor")?.ask(&inquiry).await?;
    check(!has(&after, "DE08.50.022.00"), "nothing is told any more")
}

/// 王秀英's word on the admission check, in force or withdrawn.
fn consent(state: &str) -> Value {
    json!({
        "dataset": "privacy-consent", "person": { "citizenId": MOVING },
        "consent": "TY-2026-0301", "state": state, "decision": "permit",
        "purposes": ["institution-admission"], "departments": ["care-home"],
        "notice": "2026-1", "decidedAt": "2026-11-18", "grantor": "person",
    })
}

async fn bureau(site: &Site) -> Result<(), Failure> {
    title("民政局与社区", "The civil-affairs bureau and the community")?;
    note("生存状态核验： Death and living check:")?;
    let clerk = Asker::new(site, "civil-affairs-clerk")?;
    let died = clerk.ask(&question(DIED, "living-check")).await?;
    check(has(&died, "MZ.person.deceased"), "the payment office learns of the death")?;
    check(!died.body.to_string().contains("I63"), "and not of its cause")?;
    note("补贴资格核查： Subsidy eligibility:")?;
    let subsidy = clerk.ask(&question(ADMITTED, "subsidy-eligibility")).await?;
    check(has(&subsidy, "MZ.ability.final-level"), "the ability level is given")?;
    check(!subsidy.body.to_string().contains("hospital-a"), "no hospital is named")?;
    note("签约状态： Contract status:")?;
    let worker = Asker::new(site, "community-worker")?;
    let contract = worker.ask(&question(MOVING, "contract-status")).await?;
    check(has(&contract, "MZ.contract.signed"), "the contract state is given")?;
    note("未获授权的用途： A purpose that was not granted:")?;
    let refused = worker.ask(&question(DIED, "living-check")).await?;
    check(refused.status == 403, "the community may not ask who died")?;
    note("不属于任何部门的证书： A certificate of nobody:")?;
    let nobody = Asker::new(site, "somebody-else")?;
    let refused = nobody.ask(&question(DIED, "living-check")).await?;
    check(refused.status == 403, "a certificate of nobody gets nothing")
}

async fn payments(site: &Site, heard: &Heard) -> Result<(), Failure> {
    title("津贴发放系统订阅死亡信息", "The payment system is told of deaths")?;
    note("发放名单登记，只用发放系统自己的编号： Whom it pays, under references of its own:")?;
    let elder = json!({ "kind": "citizen-id", "value": PAID });
    let list = json!({ "subscription": "payments",
        "enrol": [{ "identifier": elder, "reference": "JT-2026-0017" }] });
    let clerk = Asking::new(&site.url(), &site.path("certs"), "civil-affairs-clerk")?;
    let reply = clerk.post("/v1/subscriptions", "application/json", &list).await?;
    check(reply.status == 200, "the list is taken")?;
    say(&reply.body)?;
    note("乡镇卫生院报告死亡： A township hospital reports the death:")?;
    let death = json!({
        "dataset": "death", "time": "2026-11-20", "person": { "citizenId": PAID },
        "diedAt": "2026-11-19T22:40:00+08:00", "source": "1",
        "cause": { "code": "I21.900", "text": "急性心肌梗死" },
    });
    let hospital = Asking::new(&site.url(), &site.path("certs"), "hospital-b")?;
    let media = "application/vnd.kangqiao.platform+json";
    let kept = hospital.post("/v1/messages", media, &death).await?;
    check(kept.body.get("state") == Some(&json!("kept")), "the death is kept")?;
    note("发放系统收到： The payment system hears:")?;
    let notice = noticed(heard).await?;
    let part = |key: &str| notice.get(key).cloned().unwrap_or_default();
    for key in ["id", "event", "reference", "receipt"] {
        say(format_args!("  {key:<10} {}", part(key)))?;
    }
    let elements = part("elements");
    for one in elements.as_array().into_iter().flatten() {
        let member = |key: &str| one.pointer(key).cloned().unwrap_or_default();
        say(format_args!(
            "  {} {} = {}",
            member("/element"),
            member("/name/zh"),
            member("/value")
        ))?;
    }
    check(part("reference") == "JT-2026-0017", "it is told under its own reference")?;
    let silent = [PAID, "I21", "22:40"].iter().all(|word| !notice.to_string().contains(word));
    check(silent, "without the number, the cause and the hour")
}

/// The first notice the payment system gets.
async fn noticed(heard: &Heard) -> Result<Value, Failure> {
    for _ in 0..HEARD_WITHIN_MS / HEARD_EVERY_MS {
        let first = heard.notices.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
        match first {
            Some(notice) => return Ok(notice),
            None => tokio::time::sleep(Duration::from_millis(HEARD_EVERY_MS)).await,
        }
    }
    Err(Failure("the story broke: the payment system was told nothing".to_owned()))
}

fn auditor(site: &Site) -> Result<(), Failure> {
    title("审计员查台账", "The auditor reads the ledger")?;
    let config = site.path("kangqiao.toml");
    note("谁看过这位老人？ Who saw this elder?")?;
    ledger::tell(&["search", "--citizen-id", ADMITTED], &config)?;
    note("台账是否完整？ Is the ledger whole?")?;
    ledger::tell(&["verify"], &config)
}

/// Sends one file and checks the code of its acknowledgement; returns the line that was printed.
async fn push(site: &Site, to: &str, file: &str, code: &str) -> Result<String, Failure> {
    let tls = to.starts_with("localhost");
    let cert = |name: &str| tls.then(|| site.path("certs").join(name));
    let args = send::Args {
        mllp: to.to_owned(),
        tls,
        ca: cert("ca.pem"),
        cert: cert("hospital-b.pem"),
        key: cert("hospital-b.key"),
        wait_ms: 10_000,
        files: vec![site.path("messages").join(file)],
    };
    let mut out = Vec::new();
    send::send_files(&args, &mut out).await?;
    let text = String::from_utf8_lossy(&out);
    let line = text.rsplit_once(": ").map_or(text.as_ref(), |_| text.as_ref()).trim().to_owned();
    let shown = line.rsplit('/').next().unwrap_or(&line).to_owned();
    say(format_args!("  {shown}"))?;
    let told = line.contains(&format!(": {code} ")) || line.contains(&format!(": {code}\n"));
    check(told || line.ends_with(code), &format!("{file} is answered {code}"))?;
    Ok(shown)
}

/// Somebody who asks with a certificate.
struct Asker(Asking);

impl Asker {
    fn new(site: &Site, name: &str) -> Result<Self, Failure> {
        Asking::new(&site.url(), &site.path("certs"), name).map(Self)
    }

    async fn ask(&self, inquiry: &Value) -> Result<Reply, Failure> {
        let reply = self.0.ask(inquiry).await?;
        say(reply.table())?;
        Ok(reply)
    }
}

fn question(citizen_id: &str, purpose: &str) -> Value {
    json!({ "identifier": { "kind": "citizen-id", "value": citizen_id }, "purpose": purpose })
}

fn merge(inquiry: &mut Value, more: Value) {
    if let (Some(whole), Value::Object(more)) = (inquiry.as_object_mut(), more) {
        whole.extend(more);
    }
}

fn has(reply: &Reply, element: &str) -> bool {
    named(reply, "elements", element)
}

fn withheld(reply: &Reply, element: &str) -> bool {
    named(reply, "withheld", element)
}

fn named(reply: &Reply, list: &str, element: &str) -> bool {
    let list = reply.body.get(list).and_then(Value::as_array);
    list.into_iter().flatten().any(|one| one.get("element") == Some(&json!(element)))
}

fn title(zh: &str, en: &str) -> Result<(), Failure> {
    say(format_args!("\n== {zh}  {en}"))
}

fn note(text: &str) -> Result<(), Failure> {
    say(format_args!("-- {text}"))
}

fn check(so: bool, what: &str) -> Result<(), Failure> {
    if so { Ok(()) } else { Err(Failure(format!("the story broke: {what}"))) }
}
