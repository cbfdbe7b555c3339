//! 应答, what a receiver of a message said: an acknowledgement in its envelope, or a fault.
//!
//! Standard: HL7 v3 transmission wrapper, MCCI_IN000002UV01 and every application response that
//! begins as it does. The code stands as an attribute (both platforms) or in an element of its
//! own (IHE); the message is the body itself, or the first text in it.

use super::request::Instance;
use crate::wire::Tree;
use crate::wire::hl7v2::answered::Level;
use crate::wire::soap;
use crate::wire::xml::{self, Document};

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// What became of a message.
    Acknowledged {
        /// Taken, or not.
        level: Level,
        /// Which message.
        target: Option<Instance>,
    },
    /// A SOAP fault.
    Fault {
        /// Whether the message is at fault, so that the same again would fail again.
        sender: bool,
    },
}

impl Answered {
    /// Reads one; `None` if it is none.
    #[must_use]
    pub fn read(reply: &[u8]) -> Option<Self> {
        let limits = xml::Limits::default();
        let call = soap::read(reply, &limits).ok()?;
        if let Some(sender) = call.blames_sender() {
            return Some(Self::Fault { sender });
        }
        acknowledged(&call.message()).or_else(|| {
            let text = call.first()?.message();
            acknowledged(&xml::read(&text, &limits).ok()?)
        })
    }
}

fn acknowledged(message: &Document) -> Option<Answered> {
    let told = first(&message.tree, "acknowledgement")?;
    let inner = || first(told, "typeCode")?.get("@code");
    let code = told.get("@typeCode").or_else(inner)?.text()?;
    let id = first(told, "targetMessage").and_then(|target| first(target, "id"));
    let target = id.and_then(|id| Instance::of(first(id, "item").unwrap_or(id)));
    Some(Answered::Acknowledged { level: Level::of(code.trim())?, target })
}

fn first<'a>(tree: &'a Tree, name: &str) -> Option<&'a Tree> {
    tree.get(name)?.item(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enveloped(body: &str) -> String {
        let envelope = "http://www.w3.org/2003/05/soap-envelope";
        format!("<s:Envelope xmlns:s=\"{envelope}\"><s:Body>{body}</s:Body></s:Envelope>")
    }

    fn check(body: &str, expect: Option<(Level, Option<&str>)>) {
        let said = |answered| match answered {
            Answered::Acknowledged { level, target } => {
                (level, target.and_then(|target| target.text()))
            }
            Answered::Fault { .. } => panic!("a fault"),
        };
        let found = Answered::read(enveloped(body).as_bytes()).map(said);
        let found = found.as_ref().map(|(level, target)| (*level, target.as_deref()));
        assert_eq!(found, expect, "{body}");
    }

    #[test]
    fn an_acknowledgement_says_of_which_message_it_is() {
        let told = |code: &str, id: &str| {
            format!(
                "<MCCI_IN000002UV01 xmlns=\"urn:hl7-org:v3\"><acknowledgement typeCode=\"{code}\">\
                 <targetMessage>{id}</targetMessage></acknowledgement></MCCI_IN000002UV01>"
            )
        };
        let id = "<id root=\"1.2\" extension=\"payments-1\"/>";
        let named = Some("1.2^payments-1");
        check(&told("AA", id), Some((Level::Accepted, named)));
        check(&told("AE", id), Some((Level::Error, named)));
        check(&told("CR", id), Some((Level::Rejected, named)));
        check(&told("XX", id), None);
        check(&told("AA", ""), Some((Level::Accepted, None)));
        let item = "<id><item root=\"1.2\" extension=\"payments-1\"/></id>";
        check(&told("AA", item), Some((Level::Accepted, named)));
        // As text of the answer of an operation, and with the code in an element of its own.
        let text = told("AA", id).replace('<', "&lt;");
        let text = format!("<HIPMessageServerResponse><R>{text}</R></HIPMessageServerResponse>");
        check(&text, Some((Level::Accepted, named)));
        let ihe = told("CA", id).replace(" typeCode=\"CA\">", "><typeCode code=\"CA\"/>");
        check(&ihe, Some((Level::Accepted, named)));
        check("<thanks/>", None);
        check("", None);
    }

    #[test]
    fn a_fault_says_whose_it_is() {
        let check = |body: &str, sender: bool| {
            let found = Answered::read(enveloped(body).as_bytes());
            assert_eq!(found, Some(Answered::Fault { sender }), "{body}");
        };
        let two =
            |code: &str| format!("<s:Fault><s:Code><s:Value>s:{code}</s:Value></s:Code></s:Fault>");
        check(&two("Sender"), true);
        check(&two("Receiver"), false);
        check(&two("MustUnderstand"), false);
        let one =
            |code: &str| format!("<s:Fault><faultcode xmlns=\"\">{code}</faultcode></s:Fault>");
        check(&one("soap:Client.Format"), true);
        check(&one("soap:Server"), false);
        check("<s:Fault/>", false);
    }
}
