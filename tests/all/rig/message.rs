//! Invented residents and the messages a hospital would send about them.

use std::sync::atomic::{AtomicU64, Ordering};

use kangqiao_conformance::values::citizen_id;

/// A resident nobody else in this run is.
#[derive(Debug, Clone)]
pub struct Resident {
    /// 公民身份号码, with a right check character.
    pub citizen: String,
    /// The hospital's number.
    pub local: String,
    /// 姓名, as XPN.
    pub name: String,
    /// Further repetitions of PID-3, each with its `~` before it.
    pub more: String,
}

/// A number nobody else in this run has.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Seconds keep two runs against one store apart; the counter keeps one run apart.
    since.as_secs() % 100_000 * 10_080_000 + NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Resident {
    /// Somebody new.
    pub fn new() -> Self {
        let number = unique();
        Self {
            citizen: citizen_id(number),
            local: format!("L{number:012}"),
            name: "测试^甲".to_owned(),
            more: String::new(),
        }
    }

    /// PID-3 with the hospital's number and the citizen id.
    pub fn identifiers(&self) -> String {
        format!("{}^^^HOSP-A^MR~{}^^^GA^NI{}", self.local, self.citizen, self.more)
    }

    /// The PID segment.
    pub fn pid(&self) -> String {
        let birth = &self.citizen[6..14];
        let name = &self.name;
        format!("PID|1||{}||{name}||{birth}|M", self.identifiers())
    }
}

/// A message before it is bytes.
#[derive(Debug, Clone)]
pub struct Message {
    /// `ADT^A01`
    pub kind: String,
    /// MSH-10.
    pub control: String,
    /// MSH-12.
    pub version: String,
    /// MSH-15 and MSH-16, empty for original mode.
    pub modes: (String, String),
    /// MSH-18.
    pub charset: String,
    /// The segments after MSH.
    pub segments: Vec<String>,
}

impl Message {
    /// An event about a resident, with the segments that event calls for.
    pub fn new(event: &str, resident: &Resident) -> Self {
        let time = "20261001083000";
        let mut segments = vec![format!("EVN|{event}|{time}"), resident.pid()];
        let visit = "PV1|1|I|W1^R1^B1||||||||||||||||V1|||||||||||||||||||||||||20261001080000";
        match event {
            "A28" | "A31" | "A40" => (),
            _ => segments.push(visit.to_owned()),
        }
        Self {
            kind: format!("ADT^{event}"),
            control: format!("C{}", unique()),
            version: "2.5.1".to_owned(),
            modes: Default::default(),
            charset: "UNICODE UTF-8".to_owned(),
            segments,
        }
    }

    /// A laboratory report about a resident.
    pub fn report(resident: &Resident) -> Self {
        let mut message = Self::new("A01", resident);
        message.kind = "ORU^R01".to_owned();
        message.segments = vec![
            resident.pid(),
            "OBR|1||F1|GLU^glucose^L|||20261001080000".to_owned(),
            "OBX|1|NM|2345-7^Glucose^LN||5.6|mmol/L|3.9-6.1|N|||F|||20261001080000".to_owned(),
        ];
        message
    }

    /// The text, segments ended by carriage returns.
    pub fn text(&self) -> String {
        let (accept, application) = &self.modes;
        let header = format!(
            "MSH|^~\\&|HIS|HOSP-A|KANGQIAO|MZ|20261001083000||{}|{}|P|{}|||{accept}|{application}\
             ||{}",
            self.kind, self.control, self.version, self.charset
        );
        let segments = self.segments.iter().map(|segment| format!("{segment}\r"));
        header + "\r" + &segments.collect::<String>()
    }

    /// The bytes in UTF-8.
    pub fn bytes(&self) -> Vec<u8> {
        self.text().into_bytes()
    }

    /// The bytes in another character set, under the name MSH-18 gives it.
    pub fn encoded(mut self, named: &str, charset: &'static encoding_rs::Encoding) -> Vec<u8> {
        self.charset = named.to_owned();
        let text = self.text();
        let (bytes, _, lost) = charset.encode(&text);
        assert!(!lost, "the text has no such form");
        bytes.into_owned()
    }
}

/// A field of an acknowledgement; `""` if it is not there.
pub fn field(reply: &[u8], position: &str) -> String {
    use kangqiao_conformance::reply;
    reply::field(&reply::text(reply), position).unwrap_or_default()
}
