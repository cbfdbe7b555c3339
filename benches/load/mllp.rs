//! A hospital under pressure: admissions of about 1.2 kB and laboratory reports, over MLLP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Load, micros};
use crate::rig::message::{Message, Resident};

/// How many characters a control id has here, so that one can be put in another's place.
const CONTROL_CHARS: usize = 12;

/// A framed message whose control id can be replaced.
#[derive(Clone)]
pub struct Template {
    /// With frame.
    pub bytes: Vec<u8>,
    /// Whom it is about.
    pub citizen: String,
    control_at: usize,
}

/// Messages about that many residents, every second one a laboratory report.
pub fn messages(count: usize) -> Vec<Template> {
    (0..count).map(template).collect()
}

/// What stands behind PID in an admission, and behind PV1.
const CONTACTS: &[&str] = &[
    "NK1|1|测试^乙|CHD^子女|金水路17号院^^郑州市^河南省|13800000018||C",
    "NK1|2|测试^己|SPO^配偶|金水路17号院^^郑州市^河南省|13800000019||C",
];
const ADMISSION: &[&str] = &[
    "OBX|1|NM|8480-6^收缩压^LN||142|mmHg|||||F",
    "OBX|2|NM|8462-4^舒张压^LN||86|mmHg|||||F",
    "OBX|3|NM|8867-4^心率^LN||78|/min|||||F",
    "AL1|1|DA|101^青霉素^CV05.01.038|SV|皮疹",
    "DG1|1||J44.100^慢性阻塞性肺病伴急性加重^I10||20261001|A",
    "DG1|2||I10.x00^原发性高血压^I10||20261001|A",
    "DG1|3||E11.900^2型糖尿病^I10||20261001|A",
    "PR1|1||33.2400^支气管镜检查^I9C||20261005",
    "IN1|1|P01|B01|测试市医疗保障局|||||||||20260101|20261231|||01",
];
/// Results behind the first one of a report.
const RESULTS: &[&str] = &[
    "OBX|2|NM|2160-0^肌酐^LN||88|umol/L|41-81|H|||F|||20261001080000",
    "OBX|3|NM|3094-0^尿素^LN||6.1|mmol/L|2.6-7.5|N|||F|||20261001080000",
    "OBX|4|NM|2823-3^钾^LN||4.2|mmol/L|3.5-5.3|N|||F|||20261001080000",
    "OBX|5|NM|2951-2^钠^LN||140|mmol/L|137-147|N|||F|||20261001080000",
    "OBX|6|NM|2075-0^氯^LN||103|mmol/L|99-110|N|||F|||20261001080000",
    "OBX|7|NM|1742-6^丙氨酸氨基转移酶^LN||22|U/L|9-50|N|||F|||20261001080000",
    "OBX|8|NM|1920-8^天门冬氨酸氨基转移酶^LN||25|U/L|15-40|N|||F|||20261001080000",
    "OBX|9|NM|2885-2^总蛋白^LN||71|g/L|65-85|N|||F|||20261001080000",
    "OBX|10|NM|1751-7^白蛋白^LN||42|g/L|40-55|N|||F|||20261001080000",
    "OBX|11|NM|2093-3^总胆固醇^LN||5.1|mmol/L|3.1-5.7|N|||F|||20261001080000",
];

fn template(number: usize) -> Template {
    let resident = Resident { name: format!("测试^甲{number}"), ..Resident::new() };
    let owned = |segments: &[&str]| segments.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut message = if number.is_multiple_of(2) {
        let mut message = Message::new("A01", &resident);
        message.segments.splice(2..2, owned(CONTACTS));
        message.segments.extend(owned(ADMISSION));
        message
    } else {
        let mut message = Message::report(&resident);
        message.segments.extend(owned(RESULTS));
        message
    };
    message.control = "#".repeat(CONTROL_CHARS);
    let pid = message.segments.iter_mut().find(|segment| segment.starts_with("PID|")).unwrap();
    *pid += "|||金水路17号院3号楼2单元^^郑州市^河南省^450003^CHN^H^^金水区||13800000017";
    let body = message.bytes();
    let bytes = [&[0x0B][..], &body, &[0x1C, 0x0D]].concat();
    let control_at = bytes.windows(CONTROL_CHARS).position(|here| here == b"############");
    Template { bytes, citizen: resident.citizen, control_at: control_at.unwrap() }
}

impl Template {
    /// Framed, under a control id nobody used before.
    pub fn write_anew(&self, out: &mut Vec<u8>) {
        let at = out.len() + self.control_at;
        out.extend_from_slice(&self.bytes);
        let control = format!("{:0CONTROL_CHARS$}", CONTROL.fetch_add(1, Ordering::Relaxed));
        out[at..at + CONTROL_CHARS].copy_from_slice(control.as_bytes());
    }
}

struct Connection {
    socket: TcpStream,
    sent: Vec<u8>,
    read: Vec<u8>,
}

/// Control ids nobody used before.
static CONTROL: AtomicU64 = AtomicU64::new(1);

impl Connection {
    async fn to(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, sent: Vec::new(), read: vec![0; 8192] }
    }

    /// Sends a message under a new control id; the time until it was acknowledged.
    async fn push(&mut self, message: &Template) -> u32 {
        self.sent.clear();
        message.write_anew(&mut self.sent);
        let begun = Instant::now();
        self.socket.write_all(&self.sent).await.unwrap();
        let mut filled = 0;
        while !self.read[..filled].ends_with(&[0x1C, 0x0D]) {
            let count = self.socket.read(&mut self.read[filled..]).await.unwrap();
            assert!(count > 0, "the gateway closed the connection");
            filled += count;
        }
        let took = micros(begun);
        let accepted = self.read[..filled].windows(7).any(|here| here == b"\rMSA|AA");
        assert!(accepted, "{}", String::from_utf8_lossy(&self.read[..filled]));
        took
    }
}

/// Closed loop: every connection sends its next message when the last is acknowledged.
pub async fn run(address: &str, messages: &[Template], connections: usize, span: Duration) -> Load {
    let messages = Arc::new(messages.to_vec());
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::to(address).await);
    }
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for (number, mut connection) in open.into_iter().enumerate() {
        let messages = Arc::clone(&messages);
        set.spawn(async move {
            let mut found = Vec::new();
            let mut next = number;
            while begun.elapsed() < span {
                found.push(connection.push(&messages[next % messages.len()]).await);
                next += connections;
            }
            found
        });
    }
    let parts = set.join_all().await;
    Load::of(parts, begun.elapsed().as_secs_f64())
}

/// Sends every message once.
pub async fn once(address: &str, messages: &[Template], connections: usize) {
    let messages = Arc::new(messages.to_vec());
    let next = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::to(address).await;
        let (messages, next) = (Arc::clone(&messages), Arc::clone(&next));
        set.spawn(async move {
            while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                connection.push(message).await;
            }
        });
    }
    set.join_all().await;
}
