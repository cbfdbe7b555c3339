//! 次序, units of one sender that came together: taken in their order, and none behind one that
//! could not be kept.
//!
//! Whoever sent them sends that one again, and it gets the higher number. Had what stands behind it
//! been kept, a consent would come to stand behind its own withdrawal.

use super::{Gateway, NOBODY, Taken, Unit, counters};
use crate::store::StoreError;
use crate::translate::Form;
use crate::wire::charset::Charset;
use crate::wire::hl7v2::Header;

impl Gateway {
    /// Takes units one after the other; what became of each.
    pub async fn take_each(&self, units: Vec<Unit>) -> Vec<Taken> {
        let passed_over = |unit: Unit| self.pass_over(&unit);
        in_order(units, |unit| self.take(unit), passed_over).await
    }

    /// Takes units in one commit; what became of each.
    pub(in crate::flow) async fn take_all(&self, units: Vec<Unit>) -> Vec<Taken> {
        let read = units.into_iter().map(|unit| self.read(unit, None));
        let (arrivals, pending): (Vec<_>, Vec<_>) = read.unzip();
        let each = self.store.keep_all(arrivals).await;
        pending.into_iter().zip(each).map(|(pending, kept)| pending.ended(kept)).collect()
    }

    /// Leaves a unit where it is, to be sent again; only what its answer needs is read.
    pub(in crate::flow) fn pass_over(&self, unit: &Unit) -> Taken {
        let received_at_ms = (self.clock)();
        let rules = self.rules.load();
        let sender = rules.sender(unit.certificate.as_ref(), unit.sender, received_at_ms);
        let kept = Err(StoreError::Unavailable);
        counters::kept((sender.unwrap_or(NOBODY), unit.form), &kept);
        let header = match unit.form {
            Form::Hl7v2 => {
                let charset = sender.and_then(|sender| rules.pack.overlay(sender).charset);
                Header::salvage(&unit.bytes, charset.unwrap_or(Charset::Utf8))
            }
            _ => None,
        };
        let (bins, diagnostic, document) = (None, None, None);
        Taken { kept, bins, diagnostic, received_at_ms, document, header }
    }
}

/// Takes one after the other; from the first that could not be kept on all are passed over.
async fn in_order<U, F: Future<Output = Taken>>(
    units: Vec<U>,
    take: impl Fn(U) -> F,
    pass_over: impl Fn(U) -> Taken,
) -> Vec<Taken> {
    let mut taken: Vec<Taken> = Vec::with_capacity(units.len());
    for unit in units {
        let goes_on = taken.last().is_none_or(|last| last.kept.is_ok());
        taken.push(if goes_on { take(unit).await } else { pass_over(unit) });
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Kept, State};

    fn taken(kept: Result<u64, StoreError>) -> Taken {
        let kept = kept.map(|number| Kept {
            number,
            state: State::Kept,
            reason: None,
            received_at_ms: 0,
            repeat: false,
            control_id_reused: false,
            persons: Vec::new(),
        });
        let (bins, diagnostic, document, header) = (None, None, None, None);
        Taken { kept, bins, diagnostic, received_at_ms: 0, document, header }
    }

    /// Takes three units, of which some cannot be kept; the numbers of those that are told as kept.
    async fn check(fail: &[u64], expect: &[u64]) {
        let take = |number: u64| {
            let fails = fail.contains(&number);
            std::future::ready(taken(if fails { Err(StoreError::Unavailable) } else { Ok(number) }))
        };
        let each = in_order(vec![1, 2, 3], take, |_| taken(Err(StoreError::Unavailable))).await;
        assert_eq!(each.len(), 3, "each is answered for");
        let kept = each.iter().filter_map(|one| one.kept.as_ref().ok()).map(|kept| kept.number);
        assert_eq!(kept.collect::<Vec<_>>(), expect);
    }

    #[tokio::test]
    async fn a_withdrawal_is_not_kept_where_the_consent_before_it_was_not() {
        check(&[], &[1, 2, 3]).await;
        check(&[1], &[]).await;
        check(&[2], &[1]).await;
        check(&[3], &[1, 2]).await;
    }
}
