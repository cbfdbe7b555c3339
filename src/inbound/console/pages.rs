//! The pages: one template each, and what they have in common.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use askama::Template;
use chrono::{DateTime, FixedOffset};

use super::access::{Area, Roles};
use super::ledger::TermsForm;
use super::saved::Shelved;
use super::text::Text;
use super::text::confined::ConfinedText;
use super::text::doubt::DoubtText;
use super::text::hold::HoldText;
use super::text::invite::InviteText;
use super::text::openid::OpenIdText;
use super::text::policies::PolicyText;
use super::text::review::ReviewText;
use super::text::saved::SavedText;
use super::text::ticket::TicketText;
use super::text::trace::TraceText;
use super::view::pulse::Counted;
use super::view::saved::Shelf;
use super::view::{
    EntryView, Fill, LedgerPage, Named, Overview, SenderRow, SinkRow, UpstreamState, Verified,
    WitnessState,
};
use crate::audit::Kind;
use crate::vocabulary::{IdentifierKind, Position};

/// What every page shows around its content.
pub(super) struct Frame {
    pub(super) t: &'static Text,
    pub(super) p: &'static PolicyText,
    pub(super) r: &'static ReviewText,
    /// Path and query of this page, for the language switch; ends in `?` or `&`.
    pub(super) here: String,
    pub(super) user: Option<Signed>,
    pub(super) area: Option<Area>,
    pub(super) offset: FixedOffset,
    pub(super) assets: &'static str,
}

/// Whoever is signed in, as the frame needs it.
pub(super) struct Signed {
    pub(super) name: String,
    pub(super) roles: Roles,
    pub(super) form_token: String,
}

impl Frame {
    pub(super) fn sees_overview(&self) -> bool {
        self.sees(Area::Overview)
    }

    pub(super) fn sees_review(&self) -> bool {
        self.sees(Area::Review)
    }

    pub(super) fn sees_trace(&self) -> bool {
        self.sees(Area::Trace)
    }

    pub(super) fn at_trace(&self) -> bool {
        self.area == Some(Area::Trace)
    }

    pub(super) fn sees_replay(&self) -> bool {
        self.sees(Area::Replay)
    }

    pub(super) fn sees_policies(&self) -> bool {
        self.sees(Area::Policies)
    }

    pub(super) fn at_policies(&self) -> bool {
        self.area == Some(Area::Policies)
    }

    pub(super) fn sees_ledger(&self) -> bool {
        self.sees(Area::Ledger)
    }

    pub(super) fn at_overview(&self) -> bool {
        self.area == Some(Area::Overview)
    }

    pub(super) fn at_ledger(&self) -> bool {
        self.area == Some(Area::Ledger)
    }

    pub(super) fn at_review(&self) -> bool {
        self.area == Some(Area::Review)
    }

    pub(super) fn sees(&self, area: Area) -> bool {
        self.user.as_ref().is_some_and(|user| user.roles.may_see(area))
    }

    /// The beginning of a pseudonym: enough to tell persons apart on one page.
    pub(super) fn short<'a>(&self, pseudonym: &'a str) -> &'a str {
        pseudonym.get(..8).unwrap_or(pseudonym)
    }

    pub(super) fn form_token(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.form_token)
    }

    /// A moment as people here read it.
    pub(super) fn time(&self, at_ms: &i64) -> String {
        let time = DateTime::from_timestamp_millis(*at_ms).unwrap_or_default();
        time.with_timezone(&self.offset).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Two entries by their numbers.
    pub(super) fn pair(&self, pair: &(i64, i64)) -> String {
        format!("{} · {}", pair.0, pair.1)
    }

    /// How long something has waited, in its largest unit or two.
    pub(super) fn age(&self, now_ms: &i64, since_ms: &i64) -> String {
        let minutes = now_ms.saturating_sub(*since_ms).max(0) / 60_000;
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        let words = |text, number| self.t.fill(text, number);
        match (days, hours) {
            (0, 0) => words(self.r.minutes, minutes),
            (0, _) => words(self.r.hours, hours),
            (1..4, 1..) => format!("{} {}", words(self.r.days, days), words(self.r.hours, hours)),
            _ => words(self.r.days, days),
        }
    }

    pub(super) fn day(&self, at_s: &i64) -> String {
        let time = DateTime::from_timestamp(*at_s, 0).unwrap_or_default();
        time.with_timezone(&self.offset).format("%Y-%m-%d").to_string()
    }

    /// A moment as machines read it.
    pub(super) fn iso(&self, at_ms: &i64) -> String {
        let time = DateTime::from_timestamp_millis(*at_ms).unwrap_or_default();
        time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// A number in groups of three digits.
    pub(super) fn count(&self, number: &u64) -> String {
        grouped(*number)
    }

    pub(super) fn position(&self, at: &Option<Position>) -> String {
        at.as_ref().map_or_else(|| self.t.dash.to_owned(), ToString::to_string)
    }

    pub(super) fn identifier_kinds(&self) -> [IdentifierKind; 5] {
        use IdentifierKind::{CitizenId, ElectronicCard, HealthCard, Local, RecordNumber};
        [CitizenId, HealthCard, ElectronicCard, RecordNumber, Local]
    }
}

/// Sign-in, also after a refused attempt.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    pub(super) f: Frame,
    /// The texts of a provider, if there is one.
    pub(super) o: Option<&'static OpenIdText>,
    pub(super) form_token: String,
    pub(super) wrong: Option<String>,
}

/// The state of the gateway.
#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct OverviewPage {
    pub(super) f: Frame,
    pub(super) view: Overview,
    pub(super) total: SenderRow,
    /// Whether it stays as it is, and does not bring itself anew.
    pub(super) still: bool,
}

/// Counts of the last day, as lines and as a table.
struct Chart {
    id: &'static str,
    title: &'static str,
    names: Vec<String>,
    rows: Vec<(i64, Vec<u64>)>,
}

/// Where a search of the ledger begins.
#[derive(Template)]
#[template(path = "ledger.html")]
pub(super) struct SearchPage {
    pub(super) f: Frame,
    pub(super) w: &'static TicketText,
    pub(super) d: &'static DoubtText,
    pub(super) v: &'static InviteText,
    pub(super) h: &'static HoldText,
    pub(super) m: &'static TraceText,
    pub(super) saved: Shelved,
    pub(super) departments: Vec<Named>,
    pub(super) purposes: Vec<Named>,
    pub(super) wrong: Option<&'static str>,
}

impl SearchPage {
    fn kinds(&self) -> impl Iterator<Item = &'static str> {
        Kind::ALL.iter().map(|(_, name, _)| *name)
    }
}

/// Entries of the ledger.
#[derive(Template)]
#[template(path = "entries.html")]
pub(super) struct EntriesPage {
    pub(super) f: Frame,
    pub(super) v: &'static SavedText,
    pub(super) shelf: Shelf,
    pub(super) title: &'static str,
    pub(super) of: Of,
    pub(super) page: LedgerPage,
}

/// Whose entries a page shows, and so how to ask for more.
pub(super) enum Of {
    All,
    Person,
    /// Those of what was asked, told in words.
    Terms(TermsForm, Vec<String>),
}

/// One entry.
#[derive(Template)]
#[template(path = "entry.html")]
pub(super) struct EntryPage {
    pub(super) f: Frame,
    pub(super) entry: EntryView,
}

/// A refusal in words.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage {
    pub(super) f: Frame,
    pub(super) message: &'static str,
}

impl OverviewPage {
    fn charts(&self) -> [Chart; 3] {
        let t = self.f.t;
        let all = [
            ("flow", t.chart_flow, Counted::Sender),
            ("left", t.chart_left, Counted::Ledger),
            ("notices", t.chart_notices, Counted::Subscription),
        ];
        all.map(|(id, title, of)| {
            let beats = &self.view.beats;
            let names = beats.of(of);
            let rows = beats.beats.iter().map(|beat| (beat.at_ms, beat.row(of, &names))).collect();
            let shown = |name: &String| match of {
                Counted::Ledger => t.kind_of(name).to_owned(),
                Counted::Sender | Counted::Subscription => name.clone(),
            };
            Chart { id, title, rows, names: names.iter().map(shown).collect() }
        })
    }

    /// A part of a whole in thousandths, for drawing.
    fn permille(&self, part: &u64, whole: &u64) -> u64 {
        part.saturating_mul(1000).checked_div(*whole).unwrap_or_default().min(1000)
    }

    fn hit_rate(&self) -> String {
        let asked = self.view.cache.hits.saturating_add(self.view.cache.misses);
        if asked == 0 {
            return self.f.t.dash.to_owned();
        }
        let tenths = self.permille(&self.view.cache.hits, &asked);
        format!("{}.{} %", tenths / 10, tenths % 10)
    }

    fn fill(&self, room: &super::view::Room) -> (&'static str, &'static str) {
        match room.fill {
            Fill::Roomy => ("good", self.f.t.room_roomy),
            Fill::Filling => ("warn", self.f.t.room_filling),
            Fill::Reserve => ("bad", self.f.t.room_reserve),
        }
    }

    fn confined(&self) -> (&'static str, &'static str) {
        let c = ConfinedText::of(self.f.t.lang);
        match self.walls().iter().filter(|(_, stands)| *stands).count() {
            0 => ("bad", c.not_at_all),
            3 => ("good", c.wholly),
            _ => ("warn", c.partly),
        }
    }

    fn walls(&self) -> [(&'static str, bool); 3] {
        let (c, found) = (ConfinedText::of(self.f.t.lang), self.view.confined);
        [(c.files, found.files), (c.ports, found.ports), (c.calls, found.calls)]
    }

    fn walls_title(&self) -> &'static str {
        let c = ConfinedText::of(self.f.t.lang);
        c.title
    }

    /// In MiB up to ten GiB, then in GiB.
    fn size(&self, bytes: &u64) -> String {
        match bytes >> 20 {
            mib @ ..10_240 => format!("{} MiB", grouped(mib)),
            mib => format!("{} GiB", grouped(mib >> 10)),
        }
    }

    fn upstream(&self, state: &UpstreamState) -> (&'static str, &'static str) {
        match state {
            UpstreamState::Idle => ("quiet", self.f.t.state_idle),
            UpstreamState::Open => ("bad", self.f.t.state_open),
            UpstreamState::Trying => ("warn", self.f.t.state_trying),
            UpstreamState::Up => ("good", self.f.t.state_up),
        }
    }

    fn receiver(&self, state: &Option<UpstreamState>) -> (&'static str, &'static str) {
        match state {
            Some(state) => self.upstream(state),
            None => ("warn", self.f.t.state_gone),
        }
    }

    /// Under thirty days is time to act.
    fn expiry(&self, not_after: &i64) -> (&'static str, String) {
        let days = (not_after - self.view.at_ms / 1000).div_euclid(86_400);
        let text = self.f.t.fill(self.f.t.days_left, days);
        match days {
            ..0 => ("bad", self.f.t.expired.to_owned()),
            0..30 => ("warn", text),
            _ => ("good", text),
        }
    }

    fn witness(&self, state: &WitnessState) -> (&'static str, String) {
        let t = self.f.t;
        match state {
            WitnessState::Contradicts => ("bad", t.witness_contradicts.to_owned()),
            WitnessState::NotYet => ("quiet", t.witness_not_yet.to_owned()),
            WitnessState::Signed { size, .. } => ("good", t.fill(t.witness_signed, grouped(*size))),
            WitnessState::Silent => ("warn", t.witness_silent.to_owned()),
        }
    }

    fn sink(&self, row: &SinkRow) -> (&'static str, &'static str) {
        match row.connected {
            None => ("quiet", self.f.t.witness_not_yet),
            Some(false) => ("bad", self.f.t.sink_broken),
            Some(true) => ("good", self.f.t.sink_connected),
        }
    }

    fn verified(&self) -> (&'static str, &'static str, String) {
        let t = self.f.t;
        match &self.view.ledger.verified {
            Verified::Broken { number } => ("bad", "", t.fill(t.broken, grouped(*number))),
            Verified::NotYet => ("quiet", "", t.not_verified.to_owned()),
            Verified::Sound { entries, .. } => {
                ("good", t.sound, t.fill(t.sound_detail, grouped(*entries)))
            }
        }
    }
}

/// Writes a page.
pub(super) fn show(page: &impl Template, status: StatusCode) -> HttpResponse {
    match page.render() {
        Ok(text) => HttpResponse::build(status).content_type(ContentType::html()).body(text),
        Err(error) => {
            tracing::error!(error = %error, "a console page cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (left, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if left > 0 && left % 3 == 0 {
            text.push(',');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
