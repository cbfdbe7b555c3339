//! `kangqiao ask`: a department on the command line.

mod batch;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Failure;
use super::identifier::typed;
use crate::outbound::TlsFiles;

/// `kangqiao ask --purpose … --citizen-id …`, or `--name … --birth-date …`
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(
    clap::ArgGroup::new("identifier")
        .required(true)
        .args(["citizen_id", "card", "record", "name", "batch"])
))]
pub struct Args {
    /// Where the gateway listens
    #[arg(long, default_value = "https://localhost:8443")]
    url: String,
    /// Folder with ca.pem, and certificate and key of who asks
    #[arg(long, default_value = "certs/dev")]
    certs: PathBuf,
    /// Name of the certificate to ask with: NAME.pem and NAME.key in the folder
    #[arg(long = "as", value_name = "NAME")]
    certificate: String,
    /// What for
    #[arg(long)]
    purpose: String,
    /// 公民身份号码; `-` reads it from standard input, so that no process list shows it
    #[arg(long)]
    citizen_id: Option<String>,
    /// 居民健康卡号, or `-`
    #[arg(long)]
    card: Option<String>,
    /// 健康档案编号, or `-`
    #[arg(long)]
    record: Option<String>,
    /// 姓名 of whoever is described instead of named by a number, or `-`; with at least one of
    /// birth date, telephone and address
    #[arg(long)]
    name: Option<String>,
    /// 出生日期, by either calendar: 1948-03-15
    #[arg(long, requires = "name")]
    birth_date: Option<String>,
    /// 性别: 1, 2, 男, 女, male or female
    #[arg(long, requires = "name")]
    sex: Option<String>,
    /// 电话号码
    #[arg(long, requires = "name")]
    phone: Option<String>,
    /// 居住地址
    #[arg(long, requires = "name")]
    address: Option<String>,
    /// A file of people on the department's own list, asked about at once: `.csv` with the header
    /// `reference,kind,value`, else an object a line; the answers come in the same form
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// Only these elements
    #[arg(long, value_delimiter = ',')]
    elements: Vec<String>,
    /// Who in the department asks
    #[arg(long)]
    asker: Option<String>,
    /// 查询人的公民身份号码, for whom it is asked: the person himself or the guardian; or `-`
    #[arg(long, value_name = "CITIZEN_ID")]
    asked_by: Option<String>,
    /// Id of the open call
    #[arg(long)]
    call: Option<String>,
    /// Case number
    #[arg(long)]
    case: Option<String>,
    /// Stated reason
    #[arg(long)]
    reason: Option<String>,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
}

/// Asks and prints the answer.
///
/// # Errors
/// [`Failure`] if nothing came back, or a refusal did.
pub fn run(args: Args) -> Result<(), Failure> {
    crate::inbound::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    if let Some(file) = &args.batch {
        return runtime.block_on(batch::run(&args, file));
    }
    let reply = runtime.block_on(ask(&args))?;
    match args.json {
        // As it was received, without a line end: the digest in its entry is of these bytes.
        true => super::output().write_all(&reply.bytes),
        false => writeln!(super::output(), "{}", reply.table()),
    }
    .map_err(|error| Failure::during("output", error))?;
    match reply.status {
        200 => Ok(()),
        status => Err(Failure(format!("refused with status {status}"))),
    }
}

/// What the gateway said.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The answer or the refusal.
    pub body: Value,
    /// The same as it was received.
    pub bytes: Vec<u8>,
    /// Number of the ledger entry.
    pub entry: Option<String>,
}

/// Who asks, and of which gateway.
pub struct Asking {
    client: reqwest::Client,
    url: String,
}

impl Asking {
    /// A client with one certificate of a folder of `kangqiao certs`.
    ///
    /// # Errors
    /// [`Failure`] if the files cannot be used.
    pub fn new(url: &str, certs: &std::path::Path, name: &str) -> Result<Self, Failure> {
        let files = TlsFiles {
            authority: certs.join("ca.pem"),
            certificate: certs.join(format!("{name}.pem")),
            key: certs.join(format!("{name}.key")),
        };
        let tls = files.load().map_err(|error| Failure::caused("certificates", &error))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build();
        let client = client.map_err(|error| Failure::during("client", error))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`Failure`] if nothing came back.
    pub async fn ask(&self, inquiry: &Value) -> Result<Reply, Failure> {
        self.post("/v1/inquiries", "application/json", inquiry).await
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Posts a body to one of the gateway's paths.
    ///
    /// # Errors
    /// [`Failure`] if nothing came back.
    pub async fn post(&self, path: &str, media: &str, body: &Value) -> Result<Reply, Failure> {
        let request = self.request(reqwest::Method::POST, path);
        let request = request.header(reqwest::header::CONTENT_TYPE, media);
        let sent = request.body(body.to_string()).send().await;
        // The error names the address alone: whoever it is about is in the body.
        let response = sent.map_err(|error| Failure::caused("ask", &error))?;
        let status = response.status().as_u16();
        let entry = response.headers().get("kangqiao-ledger-entry");
        let entry = entry.and_then(|number| number.to_str().ok()).map(str::to_owned);
        let bytes = response.bytes().await.map_err(|error| Failure::during("answer", error))?;
        let body = serde_json::from_slice(&bytes);
        let body = body.map_err(|error| Failure::during("answer", error))?;
        Ok(Reply { status, body, bytes: bytes.to_vec(), entry })
    }
}

async fn ask(args: &Args) -> Result<Reply, Failure> {
    let asking = Asking::new(&args.url, &args.certs, &args.certificate)?;
    asking.ask(&inquiry(args)?).await
}

/// About whom: the key of the inquiry, and what stands there.
fn whom(args: &Args) -> Result<(&'static str, Value), Failure> {
    if let Some(name) = &args.name {
        let mut person = json!({ "name": typed(name)?.as_str() });
        let known = [
            ("birth_date", &args.birth_date),
            ("sex", &args.sex),
            ("phone", &args.phone),
            ("address", &args.address),
        ];
        let known = known.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?)));
        if let Some(members) = person.as_object_mut() {
            members.extend(known.map(|(key, text)| (key.to_owned(), json!(text))));
        }
        return Ok(("person", person));
    }
    let given = [
        ("citizen-id", &args.citizen_id),
        ("health-card", &args.card),
        ("record-number", &args.record),
    ];
    let given = given.into_iter().find_map(|(kind, value)| value.as_ref().map(|v| (kind, v)));
    let (kind, value) = given.ok_or_else(|| Failure("an identifier is needed".to_owned()))?;
    Ok(("identifier", json!({ "kind": kind, "value": typed(value)?.as_str() })))
}

fn inquiry(args: &Args) -> Result<Value, Failure> {
    let (key, whom) = whom(args)?;
    let mut inquiry = json!({ key: whom, "purpose": args.purpose });
    let evidence = [("call", &args.call), ("case", &args.case), ("reason", &args.reason)];
    let mut evidence: Map<String, Value> = evidence
        .into_iter()
        .filter_map(|(key, text)| text.as_ref().map(|text| (key.to_owned(), json!(text))))
        .collect();
    if let Some(number) = &args.asked_by {
        let number = json!({ "kind": "citizen-id", "value": typed(number)?.as_str() });
        evidence.insert("asked_by".to_owned(), number);
    }
    if let Some(whole) = inquiry.as_object_mut() {
        if !args.elements.is_empty() {
            whole.insert("elements".to_owned(), json!(args.elements));
        }
        if let Some(asker) = &args.asker {
            whole.insert("asker".to_owned(), json!(asker));
        }
        if !evidence.is_empty() {
            whole.insert("evidence".to_owned(), Value::Object(evidence));
        }
    }
    Ok(inquiry)
}

impl Reply {
    /// The answer as lines for people: what came, what did not and why.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = Vec::new();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let field = |value: &Value, path: &str| text(value.pointer(path).unwrap_or(&Value::Null));
        if self.status != 200 {
            lines.push(format!("拒绝 refused    {}", field(&self.body, "/fault")));
            lines.push(format!("原因 why        {}", field(&self.body, "/message/zh")));
            for (name, path) in
                [("位置 at", "/at"), ("规则 rule", "/rule"), ("办法 remedy", "/remedy/zh")]
            {
                if self.body.pointer(path).is_some_and(|value| !value.is_null()) {
                    lines.push(format!("{name}  {}", field(&self.body, path)));
                }
            }
        }
        let each = |key: &str| self.body.get(key).and_then(Value::as_array).into_iter().flatten();
        for element in each("elements") {
            lines.push(format!(
                "  {:<12} {}  {} = {}  ({}, {})",
                field(element, "/tier"),
                field(element, "/element"),
                field(element, "/name/zh"),
                shown(element.get("value").unwrap_or(&Value::Null)),
                field(element, "/source"),
                field(element, "/as_of"),
            ));
        }
        for element in each("withheld") {
            lines.push(format!(
                "  {:<12} {}  {}  [{}] {}",
                "withheld",
                field(element, "/element"),
                field(element, "/name/zh"),
                field(element, "/rule"),
                field(element, "/remedy/zh"),
            ));
        }
        for source in each("sources") {
            let (name, state) = (field(source, "/source"), field(source, "/state"));
            lines.push(format!("  来源 source  {name}: {state}"));
        }
        let entry = self.entry.as_deref().unwrap_or("-");
        lines.push(format!(
            "回执 receipt    {}  (台账条目 ledger entry {entry})",
            field(&self.body, "/receipt")
        ));
        lines.join("\n")
    }
}

/// A value on one line.
fn shown(value: &Value) -> String {
    let part = |key: &str| value.get(key).filter(|part| !part.is_null());
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (part("number"), part("code"), part("value"), part("display")) {
        (Some(number), ..) => {
            let unit = part("unit").map(plain).unwrap_or_default();
            format!("{} {unit}", plain(number)).trim().to_owned()
        }
        (_, code, _, Some(display)) => {
            let code = code.map(plain).unwrap_or_default();
            format!("{code} {}", plain(display)).trim().to_owned()
        }
        (_, Some(code), ..) => plain(code),
        (_, _, Some(inner), _) => plain(inner),
        _ => plain(value),
    }
}
