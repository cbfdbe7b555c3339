//! More than can be done, and whether it is over when it is over: inquiries and messages as they
//! always come, before, during and after ten times as many connections that insist.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Load, inquiry, mllp};
use crate::rig::{Rig, at};

/// Connections that ask all the time, and as many that bring messages.
const STEADY: usize = 16;
/// Connections that come on top.
const FLOOD: usize = 10 * inquiry::CONNECTIONS;
/// What is right after the flood.
const MOMENT: Duration = Duration::from_secs(1);

/// What was answered in one part of the run.
pub struct Phase {
    when: &'static str,
    inquiries: Load,
    messages: Load,
    turned: usize,
    /// What those who came on top were answered.
    flood: Option<Load>,
}

impl Phase {
    /// One line of the table.
    fn print(&self) {
        println!(
            "{:<22} {:>12.0} {:>9.2} {:>13} {:>12.0} {:>9.2} {:>12.0}",
            self.when,
            self.inquiries.rate(),
            self.inquiries.percentile(99),
            self.turned,
            self.messages.rate(),
            self.messages.percentile(99),
            self.flood.as_ref().map_or(0.0, Load::rate),
        );
    }

    /// The same as JSON.
    fn json(&self) -> Value {
        json!({
            "when": self.when,
            "inquiries": self.inquiries.json(),
            "messages": self.messages.json(),
            "turned_away": self.turned,
            "flood": self.flood.as_ref().map(Load::json),
        })
    }
}

/// The whole table.
pub fn print(phases: &[Phase]) {
    println!(
        "\nflood of {FLOOD}           inquiries/s    p99 ms   turned away   messages/s    p99 ms  \
         to the flood"
    );
    phases.iter().for_each(Phase::print);
}

/// All of it as JSON.
pub fn json(phases: &[Phase]) -> Value {
    phases.iter().map(Phase::json).collect()
}

/// Before, during, right after and after.
pub async fn run(
    rig: &Rig,
    (citizens, messages): (&[String], &[mllp::Template]),
    span: Duration,
) -> Vec<Phase> {
    let (door, address) = (Arc::new(inquiry::Door::new(rig)), at(rig.ports.mllp));
    let steady = async |when, span| {
        let (asked, pushed) = tokio::join!(
            inquiry::insist(&door, citizens, (STEADY, span)),
            mllp::run(&address, messages, STEADY, span),
        );
        Phase { when, inquiries: asked.0, messages: pushed, turned: asked.1, flood: None }
    };
    // What was asked since may have put them out of the cache.
    inquiry::once(&door, citizens).await;
    let before = steady("before", span).await;
    let flood = inquiry::insist(&door, citizens, (FLOOD, span));
    let (mut during, (flood, turned)) = tokio::join!(steady("during", span), flood);
    during.turned += turned;
    during.flood = Some(flood);
    vec![before, during, steady("the second after", MOMENT).await, steady("after", span).await]
}
