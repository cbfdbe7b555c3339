//! 非工作时间, told to somebody outside the working hours of his role.

use chrono::Timelike;

use super::local;
use super::reason::{Doubt, Inquiry, Reason, Who};
use super::shelf::{Alike, Shelf};
use crate::audit::entry::{Entry, Kind};
use crate::policy::OffHours;

pub struct Judge(OffHours);

impl Judge {
    pub const fn new(terms: OffHours) -> Self {
        Self(terms)
    }

    pub fn see(&self, number: u64, entry: &Entry, shelf: &mut Shelf) {
        let (Some(who), Some(purpose), true) =
            (Who::of(entry), entry.purpose, entry.person.is_some())
        else {
            return;
        };
        let at = local(entry.at_ms);
        let minute = at.hour() * 60 + at.minute();
        if entry.kind != Kind::Disclosure
            || entry.at_ms < shelf.since_ms
            || self.0.except.contains(&purpose)
            || self.0.works(who.role, at.date(), minute)
        {
            return;
        }
        let now = at.format("%H:%M").to_string();
        let place = (at.date(), Alike::Who(Inquiry::OffHours, who));
        let doubt = shelf.at(place, || {
            let reason = Reason::OffHours { first: now.clone(), last: now.clone() };
            Doubt { person: None, ..Doubt::new(reason, entry) }
        });
        if let Reason::OffHours { last, .. } = &mut doubt.reason {
            *last = now;
        }
        doubt.cite(number, entry);
    }
}
