//! 运维接口, the operator's door: a Unix socket in the store's folder.
//!
//! Whoever may open the socket is the user the gateway runs as, or root: the folder's
//! mode is the password. What an order does is decided behind the closure it is given.

use std::any::Any;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::{Extensions, Server};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::console::access::Role;
use super::console::view::trace::{MessageQuery, Wanted};
use crate::identity::Pseudonym;
use crate::vocabulary::{Department, Identifier, Subscription};

/// Largest order, bytes.
const ORDER_BYTES_MAX: usize = 65_536;

/// What an operator asks of a running gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// 备份: enter that a copy of the store is taken.
    Backup,
    /// 抹除: destroy the keys of a person.
    Erase {
        /// Any identifier of the person.
        identifier: Identifier,
    },
    /// 导出: entries of the ledger are about to leave it as a file.
    Export {
        /// In which form and which entries, in words that name nobody.
        words: String,
        /// A pseudonym of the person they are about.
        person: Option<Pseudonym>,
    },
    /// 查阅记录: a person's access history is about to be made.
    History {
        /// A pseudonym of the person.
        person: Pseudonym,
    },
    /// 保全: which entries are kept beyond their time.
    Hold {
        /// What is asked or ordered.
        about: Holds,
    },
    /// 身份: what is asked or said of who is one person; the flow knows the words.
    Identity {
        /// What is asked or said.
        about: Value,
    },
    /// 邀请: somebody shall make his own account of the console.
    Invite {
        /// The name of the account.
        name: String,
        /// Its role.
        role: Role,
    },
    /// 密钥: how keys at rest stand, and which shall give way to new ones.
    Keys {
        /// What is asked or ordered.
        about: Keys,
    },
    /// 投递: how notices stand, and what shall become of dead ones.
    Notices {
        /// What is asked or decided.
        about: Notices,
    },
    /// 策略: what the folder's policies would change, and whether they shall serve.
    Policy {
        /// What is asked or decided.
        about: Policies,
    },
    /// 预览: what a message of the journal would become; nothing is kept.
    Preview {
        /// Journal number.
        number: u64,
        /// Version of the mapping pack; today's if none is named.
        mappings: Option<String>,
    },
    /// 重新加载: read configuration, certificates, mappings and policies again.
    Reload,
    /// 试算: what quarantined messages would become; nothing is kept.
    Rehearse {
        /// Which.
        like: Box<Wanted>,
    },
    /// 重放: try quarantined messages again; all that are like that if none is named.
    Replay {
        /// Journal numbers.
        numbers: Vec<u64>,
        /// Like what.
        #[serde(default)]
        like: Box<Wanted>,
        /// Version of the mapping pack; today's if none is named.
        #[serde(default)]
        mappings: Option<String>,
        /// Whether a message held as an overlay may replace what its number stood for.
        #[serde(default)]
        accept_overlay: bool,
    },
    /// 追踪: what became of messages.
    Trace {
        /// What is asked.
        about: Trace,
    },
    /// 撤销合并: set a person free again that was merged into another.
    Unmerge {
        /// An identifier of the one that was merged away.
        identifier: Identifier,
    },
    /// 围栏: which walls do not stand around the gateway.
    Walls,
}

/// What an operator asks or orders of entries beyond their time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Holds {
    /// No longer.
    Lift {
        /// The number of the hold.
        number: u64,
        /// Why.
        reason: String,
    },
    /// Which there are.
    List,
    /// They are kept until it is lifted: about a person, of a department, or all.
    Place {
        /// Any identifier of the person.
        identifier: Option<Identifier>,
        /// The department.
        department: Option<Department>,
        /// Why.
        reason: String,
    },
}

/// What an operator asks or orders of keys at rest.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "keys", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Keys {
    /// The next master key, which lies beside the one in force, takes its place.
    RotateMaster,
    /// Every person gets a new key.
    RotatePersons,
    /// How far they are.
    Status,
}

/// What an operator asks or decides of notices.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "notices", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Notices {
    /// How each subscription stands, and the dead ones.
    List,
    /// A dead one is tried again.
    Retry {
        /// Its number.
        number: i64,
    },
    /// A dead one is given up; the elder's later ones go on.
    Skip {
        /// Its number.
        number: i64,
    },
    /// Everything told since then is told again.
    Rewind {
        /// Of which subscription.
        subscription: Subscription,
        /// Milliseconds since 1970.
        since_ms: i64,
    },
}

/// What an operator asks or decides of policies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Policies {
    /// They shall serve, once two people have accepted what they widen.
    Apply {
        /// Those of a version that served instead of the folder's.
        #[serde(default)]
        back: Option<String>,
    },
    /// What they would change; nothing does.
    Compare,
    /// Which versions served, and which wait.
    Versions,
}

/// What an operator asks of messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "trace", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trace {
    /// Which messages are like that.
    Find {
        /// Like what.
        query: Box<MessageQuery>,
    },
    /// What became of one.
    Message {
        /// Its journal number.
        number: u64,
    },
    /// What waits in quarantine, by what is wrong.
    Quarantine,
}

/// What became of an order, or why it was not carried out: positions, never values.
pub type Outcome = Result<Value, String>;
/// A future of an outcome.
pub type Carrying = Pin<Box<dyn Future<Output = Outcome> + Send>>;
/// What happens behind the door: an order, and the system user who gave it.
pub type Door = Arc<dyn Fn(Order, u32) -> Carrying + Send + Sync>;

/// The system user at the other end.
#[derive(Debug, Clone, Copy)]
struct User(u32);

/// Serves orders until the server is stopped; a socket left by an earlier run is replaced.
///
/// # Errors
/// If the socket cannot be made.
pub fn serve(socket: &Path, door: Door) -> io::Result<Server> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let listener = std::os::unix::net::UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    let app = move || {
        let door = Arc::clone(&door);
        let carry = move |request: HttpRequest, order: web::Json<Order>| {
            // Without a known user nobody gives orders.
            let user = request.conn_data::<User>().copied();
            let carrying = user.map(|User(user)| door(order.into_inner(), user));
            async move {
                match carrying {
                    Some(carrying) => respond(carrying.await),
                    None => HttpResponse::Forbidden().finish(),
                }
            }
        };
        let limit = web::JsonConfig::default().limit(ORDER_BYTES_MAX);
        App::new().app_data(limit).route("/v1/orders", web::post().to(carry))
    };
    let server = HttpServer::new(app)
        .on_connect(remember)
        .workers(1)
        .disable_signals()
        .listen_uds(listener)?;
    Ok(server.run())
}

fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<actix_web::rt::net::UnixStream>();
    if let Some(peer) = stream.and_then(|stream| stream.peer_cred().ok()) {
        extensions.insert(User(peer.uid()));
    }
}

fn respond(outcome: Outcome) -> HttpResponse {
    match outcome {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(reason) => HttpResponse::UnprocessableEntity().json(Value::String(reason)),
    }
}
