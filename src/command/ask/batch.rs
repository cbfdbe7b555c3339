//! `kangqiao ask --batch FILE`: a list of people asked about at once, the answers as they came.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::{Args, Asking, Reply};
use crate::command::{Failure, say};

/// How often it is looked whether the rows are checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the answers may take in all.
const ANSWERS_MAX: Duration = Duration::from_secs(6 * 3600);

/// Brings the file, waits until its rows are checked, prints the answers, and ends the batch.
pub(super) async fn run(args: &Args, file: &Path) -> Result<(), Failure> {
    let asking = Asking::new(&args.url, &args.certs, &args.certificate)?;
    let rows =
        std::fs::read(file).map_err(|error| Failure::during(&file.display().to_string(), error))?;
    let table = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let media = if table { "text/csv" } else { "application/x-ndjson" };
    let request = headers(args, asking.request(Method::POST, "/v1/batches"));
    let request = request.header("content-type", media).timeout(ANSWERS_MAX).body(rows);
    let mut standing = expected(sent(request).await?, 202).await?;
    let id = standing.get("batch").and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = format!("/v1/batches/{id}");
    while standing.get("state").and_then(Value::as_str) != Some("ready") {
        tokio::time::sleep(LOOK_EVERY).await;
        standing = expected(sent(asking.request(Method::GET, &path)).await?, 200).await?;
    }
    let count = |key: &str| standing.get(key).and_then(Value::as_i64).unwrap_or(0);
    eprintln!(
        "批量任务 batch  {id}: 受理 accepted {}, 拒绝 refused {}",
        count("accepted"),
        count("refused")
    );
    for row in standing.get("refusals").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = row.get("row").and_then(Value::as_i64).unwrap_or(0);
        eprintln!("  {number} {}  {} {}", part("reference"), part("fault"), part("at"));
    }
    let answers = asking.request(Method::GET, &format!("{path}/answers"));
    let mut response = sent(answers.header("accept", media).timeout(ANSWERS_MAX)).await?;
    if response.status() != 200 {
        expected(response, 200).await?;
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    let broke = |error: &dyn std::fmt::Display| {
        Failure(format!("the answers broke off ({error}); batch {id} is kept"))
    };
    while let Some(piece) = response.chunk().await.map_err(|error| broke(&error.without_url()))? {
        out.write_all(&piece).and_then(|()| out.flush()).map_err(|error| broke(&error))?;
    }
    sent(asking.request(Method::DELETE, &path)).await.map(drop)
}

/// What is asked of everybody on the list.
fn headers(args: &Args, request: RequestBuilder) -> RequestBuilder {
    let elements = (!args.elements.is_empty()).then(|| args.elements.join(","));
    let given = [
        ("kangqiao-elements", &elements),
        ("kangqiao-asker", &args.asker),
        ("kangqiao-call", &args.call),
        ("kangqiao-case", &args.case),
        ("kangqiao-reason", &args.reason),
    ];
    let given = given.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    let request = request.header("kangqiao-purpose", args.purpose.as_bytes());
    given.fold(request, |request, (name, text)| request.header(name, text.as_bytes()))
}

async fn sent(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(|error| Failure::caused("ask", &error))
}

/// The body of an answer with that status; any other is printed as a refusal.
async fn expected(response: Response, status: u16) -> Result<Value, Failure> {
    let found = response.status().as_u16();
    let body: Value = response.json().await.map_err(|error| Failure::during("answer", error))?;
    if found == status {
        return Ok(body);
    }
    say(Reply { status: found, body, bytes: Vec::new(), entry: None }.table())?;
    Err(Failure(format!("refused with status {found}")))
}
