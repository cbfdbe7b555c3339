//! What stands behind each route of the HTTPS port.

use std::sync::Arc;

use crate::flow::{Gateway, Question, Unit, media, services, units};
use crate::identity::Certificate;
use crate::inbound::http::{self, Answered, Asked, Doors};
use crate::inbound::{batch, exchange, mllp};
use crate::registry::answer::{RefusalMeta, write_refusal};
use crate::registry::receipt::{self, Receipt};
use crate::registry::v3::{Dialect, wsdl};
use crate::store::trace::Line;
use crate::translate::Form;
use crate::vocabulary::{Entrance, Fault, Position};

/// Media type of HL7 v2 over HTTP.
const HL7: &str = "application/hl7-v2";
/// Media type of receipts and refusals.
const JSON: &str = "application/json";
/// Units one body may hold: they are kept one after the other while the sender waits.
const UNITS_MAX: usize = 1_000;

/// The closures behind the routes.
pub fn doors(gateway: &Arc<Gateway>, echo: bool) -> Doors {
    let [pushing, telling, answering, reading, serving] =
        std::array::from_fn(|_| Arc::clone(gateway));
    let [subscribing, listing, counting, publishing, readying, waiting] =
        std::array::from_fn(|_| Arc::clone(gateway));
    let trivial: http::Door = Arc::new(|asked: Asked| Box::pin(std::future::ready(repeat(&asked))));
    Doors {
        push: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&pushing);
            Box::pin(async move { push(&gateway, asked).await })
        }),
        told: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&telling);
            Box::pin(async move { told(&gateway, asked).await })
        }),
        answer: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&answering);
            let question = Question::read(asked.certificate, &asked.body);
            Box::pin(async move { gateway.answer(question).await })
        }),
        fhir: Arc::new(move |asked| {
            let gateway = Arc::clone(&reading);
            Box::pin(async move { gateway.fhir(asked).await })
        }),
        call: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&serving);
            let (certificate, dialect) = (asked.certificate.clone(), dialect(&asked));
            let call = services::Asked { certificate, dialect, body: asked.body };
            Box::pin(async move { gateway.serve(call).await })
        }),
        subscribe: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&subscribing);
            Box::pin(async move {
                let Asked { certificate, body, .. } = asked;
                let going = gateway.subscribe(certificate.clone(), body);
                visited(&gateway, certificate.as_ref(), going).await
            })
        }),
        count: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&counting);
            Box::pin(async move {
                let Asked { certificate, body, .. } = asked;
                let going = Arc::clone(&gateway).statistics(certificate.clone(), body);
                visited(&gateway, certificate.as_ref(), going).await
            })
        }),
        batches: Arc::new(move |request| {
            let gateway = Arc::clone(&listing);
            Box::pin(async move { batches(gateway, request).await })
        }),
        ledger: Arc::new(move |asked: Asked| {
            let gateway = Arc::clone(&publishing);
            Box::pin(async move {
                let path = asked.path.strip_prefix(http::LEDGER).unwrap_or_default();
                let going = gateway.published(asked.certificate.clone(), path);
                visited(&gateway, asked.certificate.as_ref(), going).await
            })
        }),
        describe: Arc::new(|asked: Asked| Box::pin(std::future::ready(described(&asked)))),
        ready: Arc::new(move |_| Box::pin(std::future::ready(ready(&readying)))),
        again: Arc::new(move || waiting.again()),
        echo: echo.then_some(trivial),
    }
}

/// What is behind a folder of files.
pub fn folder(gateway: &Arc<Gateway>, settings: &exchange::Settings) -> exchange::Doors {
    let (taking, noting) = (Arc::clone(gateway), Arc::clone(gateway));
    let (take, note) = (Arc::new(settings.clone()), Arc::new(settings.clone()));
    exchange::Doors {
        take: Arc::new(move |found| {
            let (gateway, settings) = (Arc::clone(&taking), Arc::clone(&take));
            Box::pin(async move { gateway.take_file(&settings, found).await })
        }),
        note: Arc::new(move |found, sums| {
            let (gateway, settings) = (Arc::clone(&noting), Arc::clone(&note));
            Box::pin(async move { gateway.note_file(&settings, (found, sums)).await })
        }),
    }
}

/// Whether messages can be kept and answers given now, as the door of operation says it.
fn ready(gateway: &Gateway) -> Answered {
    let (ready, told) = gateway.store.readiness();
    let status = if ready { 200 } else { 503 };
    Answered { status, media: "text/plain", body: told.into(), entry: None }
}

/// What is no question about a person, once there is room for it.
async fn visited(
    gateway: &Gateway,
    certificate: Option<&Certificate>,
    going: impl Future<Output = Answered>,
) -> Answered {
    match gateway.admit_visit(certificate).await {
        Ok(_inside) => going.await,
        Err(fault) => refused(fault, None),
    }
}

/// What is asked about batches, once there is room for it. Nobody keeps a place while his rows
/// come or go: both take as long as his network does.
async fn batches(gateway: Arc<Gateway>, request: batch::Request) -> batch::Reply {
    if let Err(fault) = gateway.admit_visit(request.certificate.as_ref()).await.map(drop) {
        return batch::Reply::Whole(refused(fault, None));
    }
    // It runs to its end also if whoever asked goes away: no half batch is left behind.
    let carried = tokio::spawn(gateway.batches(request));
    carried.await.unwrap_or_else(|_| batch::Reply::Whole(refused(Fault::Internal, None)))
}

/// What became of the sender's own messages of a control id.
async fn told(gateway: &Gateway, asked: Asked) -> Answered {
    let certificate = asked.certificate.as_ref();
    let going = async {
        let found = gateway.own_messages(certificate, &asked.path).await;
        found.map_or_else(|fault| refused(fault, None), |found| receipts_of(&found))
    };
    visited(gateway, certificate, going).await
}

/// Keeps what a body holds, by what its media type says it is.
async fn push(gateway: &Gateway, asked: Asked) -> Answered {
    match media::form(asked.media.as_deref(), &asked.body) {
        Ok(Form::Hl7v2) => acknowledged(gateway.push(message(asked)).await),
        Ok(form) => receipts(gateway, form, asked).await,
        Err(fault) => refused(fault, None),
    }
}

/// One unit after the other, each with its receipt: of one person they stay in order, so none is
/// taken behind one that could not be kept.
async fn receipts(gateway: &Gateway, form: Form, asked: Asked) -> Answered {
    let who = (asked.certificate.as_ref(), None);
    let _inside = match gateway.admit_push(who, Entrance::Https).await {
        Ok(inside) => inside,
        Err(fault) => return refused(fault, None),
    };
    let Some(found) = units(form, &asked.body, UNITS_MAX) else {
        return refused(Fault::Limit, None);
    };
    let unit = |bytes| Unit::posted(asked.certificate.clone(), form, bytes);
    let taken = gateway.take_each(found.into_iter().map(unit).collect()).await;
    let receipts: Vec<_> = taken.iter().map(crate::flow::Taken::receipt).collect();
    let (status, body) = receipt::write(&receipts);
    Answered { status, media: JSON, body, entry: None }
}

/// What became of messages, each as its receipt says it now.
fn receipts_of(found: &[Line]) -> Answered {
    let receipt = |line: &Line| Receipt {
        number: Some(line.number),
        state: line.state.as_str(),
        fault: line.fault,
        at: line.position.clone(),
        diagnostic: None,
        reused: found.len() > 1,
        bins: None,
        received_at_ms: line.received_at_ms,
    };
    let receipts: Vec<_> = found.iter().map(receipt).collect();
    Answered { status: 200, media: JSON, body: receipt::list(&receipts), entry: None }
}

/// Which of the two platforms' dialects a path is for.
fn dialect(asked: &Asked) -> Dialect {
    match asked.path.ends_with("/hospital") {
        true => Dialect::Hospital,
        false => Dialect::Regional,
    }
}

/// The description of the interface, with the address its reader came by.
fn described(asked: &Asked) -> Answered {
    let host = asked.host.as_deref().unwrap_or("localhost");
    let address = format!("https://{host}{}", asked.path);
    let body = wsdl::wsdl(dialect(asked), &address).into_bytes();
    Answered { status: 200, media: "text/xml; charset=utf-8", body, entry: None }
}

/// Nothing was kept: the body could not even be told apart.
fn refused(fault: Fault, at: Option<&Position>) -> Answered {
    let meta = RefusalMeta { fault, at, rule: None, receipt: None, remedy: None };
    let status = fault.row().http_status;
    Answered { status, media: JSON, body: write_refusal(&meta), entry: None }
}

/// A message that came by HTTPS is the same to the flow as one that came by MLLP.
fn message(asked: Asked) -> mllp::Arrival {
    mllp::Arrival::Message(mllp::Received {
        body: asked.body,
        peer: asked.certificate,
        sender: None,
        entrance: Entrance::Https,
        remote: asked.remote,
    })
}

/// The acknowledgements as one body. What became of the message stands in MSA-1; the
/// HTTP status says only that the gateway speaks, or that no acknowledgement was asked for.
fn acknowledged(replies: Vec<Vec<u8>>) -> Answered {
    let status = if replies.is_empty() { 204 } else { 200 };
    Answered { status, media: HL7, body: replies.concat(), entry: None }
}

fn repeat(asked: &Asked) -> Answered {
    Answered { status: 200, media: JSON, body: asked.body.to_vec(), entry: None }
}
