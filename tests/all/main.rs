//! Black-box tests through the sockets, and `tidy`, which reminds of STYLE.
//!
//! One binary, since each further one would link the world again. `rig` starts the
//! real gateway; the clients are those of the conformance runner.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics says where"
)]

mod accessible;
mod ailing;
mod answer;
mod asker;
mod attacks;
mod backup;
mod badinput;
mod batch;
mod batches;
mod bombs;
mod budget;
mod canary;
mod chain;
mod commands;
mod conformance;
mod consent;
mod console;
mod corpus;
mod crash;
mod demo;
mod desk;
mod docs;
mod documents;
mod doubts;
mod exchange;
mod facts;
mod fhir_door;
mod fhir_facts;
mod fhir_gate;
mod fhir_laws;
mod front;
mod history;
mod identity;
mod idle;
mod intake;
mod interface;
mod invite;
mod keys;
mod laws;
mod many;
mod matching;
mod memory;
mod model;
mod moment;
mod moving;
mod notices;
mod notices_soap;
mod notices_ways;
mod openid;
mod operate;
mod overload;
mod package;
mod platforms;
mod policy;
mod population;
mod push;
mod query;
mod readme;
mod realclients;
mod references;
mod reload;
mod rerun;
mod retention;
mod review;
mod rig;
mod room;
mod sandbox;
mod server;
mod services;
mod sinks;
mod slow;
mod smuggling;
mod statistics;
mod strangers;
mod ticket;
mod tidy;
mod torture;
mod trace;
mod twins;
mod upgrade;
mod veiled;
mod ways;
mod whom;
mod wires;
mod witness;
mod words;
