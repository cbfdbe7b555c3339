//! 席位, the places of a port: how many connections are open, in all and from one address.
//!
//! When all are taken, whoever does nothing makes room: first who has said nothing yet, then who
//! has asked nothing, of those whose address has the most, of those who has been idle longest.
//! Nobody is cut off in the middle of a request, and whoever has just said something only by an
//! address that has fewer: else all who come in a crowd put each other out before any of them is
//! served. Knows no bytes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bits of an IPv6 address that one customer has: who has one address there has them all.
const CUSTOMER_BITS: u32 = 64;

/// How long whoever has said something has for what comes next, milliseconds: a handshake, or the
/// pause between two requests.
pub const PAUSE_MS: u64 = 2_000;

/// The places of one port.
#[derive(Debug)]
pub struct Places {
    door: &'static str,
    most: usize,
    each: usize,
    began: Instant,
    table: Mutex<Table>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    seats: HashMap<u64, Arc<Seat>>,
    addresses: HashMap<IpAddr, usize>,
}

/// What is known of one connection.
#[derive(Debug)]
struct Seat {
    address: IpAddr,
    /// Whether it has sent anything.
    spoken: AtomicBool,
    /// Whether it has sent a whole request.
    shown: AtomicBool,
    /// Requests in hand.
    busy: AtomicU32,
    /// Requests that are over.
    turns: AtomicU64,
    /// When it began to do nothing, or to say something, milliseconds since the port was opened.
    since_ms: AtomicU64,
    leave: CancellationToken,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The address has as many as it may, and a request in hand on each.
    Address,
    /// All are taken, with a request in hand on each.
    All,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    seat: Arc<Seat>,
}

/// A request in hand, until it is dropped: its connection is not closed meanwhile.
#[derive(Debug)]
pub struct Occupied(Arc<Seat>, Instant);

impl Places {
    /// So many in all, and so many of one address.
    #[must_use]
    pub fn new(door: &'static str, most: usize, each: usize) -> Arc<Self> {
        let (began, table, freed) = (Instant::now(), Mutex::default(), Notify::new());
        Arc::new(Self { door, most, each, began, table, freed })
    }

    /// A place for a connection from an address.
    ///
    /// # Errors
    /// [`Full`] if there is none and nobody idle to make room.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = customer(address);
        let mut table = self.table();
        let own = table.addresses.get(&address).copied().unwrap_or(0);
        if own >= self.each {
            self.make_room(&mut table, own, |seat| seat.address == address).ok_or(Full::Address)?;
        } else if table.seats.len() >= self.most {
            self.make_room(&mut table, own, |_| true).ok_or(Full::All)?;
        }
        let number = table.next;
        table.next += 1;
        let seat = Arc::new(Seat {
            address,
            spoken: AtomicBool::new(false),
            shown: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            turns: AtomicU64::new(0),
            since_ms: AtomicU64::new(self.now_ms()),
            leave: CancellationToken::new(),
        });
        table.seats.insert(number, Arc::clone(&seat));
        *table.addresses.entry(address).or_default() += 1;
        self.show(&table);
        Ok(Place { places: Arc::clone(self), number, seat })
    }

    /// The same; where all are taken it is waited for, an address that has enough is not.
    ///
    /// # Errors
    /// [`Full`] if there is none in that time.
    pub async fn wait(self: &Arc<Self>, address: IpAddr, within: Duration) -> Result<Place, Full> {
        let waiting = async {
            loop {
                let freed = self.freed.notified();
                match self.take(address) {
                    Err(Full::All) => freed.await,
                    taken => return taken,
                }
            }
        };
        let taken = tokio::time::timeout(within, waiting).await.unwrap_or(Err(Full::All));
        if let Err(full) = &taken {
            self.turned_away(match full {
                Full::Address => "address",
                Full::All => "full",
            });
        }
        taken
    }

    /// Sends somebody away who does nothing, for an address that has so many.
    fn make_room(&self, table: &mut Table, own: usize, may: impl Fn(&Seat) -> bool) -> Option<()> {
        let now_ms = self.now_ms();
        let idle = table.seats.iter().filter_map(|(number, seat)| {
            let of_address = table.addresses.get(&seat.address).copied().unwrap_or(0);
            let [spoken, shown] = [&seat.spoken, &seat.shown].map(|it| it.load(Ordering::Relaxed));
            let since_ms = seat.since_ms.load(Ordering::Relaxed);
            let pauses = spoken && now_ms.saturating_sub(since_ms) < PAUSE_MS;
            let goes = seat.busy.load(Ordering::Relaxed) == 0 && (!pauses || of_address > own + 1);
            let order = (spoken, shown, std::cmp::Reverse(of_address), since_ms, *number);
            (goes && may(seat)).then_some(order)
        });
        let (.., number) = idle.min()?;
        table.remove(number)?.leave.cancel();
        self.turned_away("idle");
        Some(())
    }

    fn turned_away(&self, why: &'static str) {
        counter!("kangqiao_connections_closed_total", "door" => self.door, "why" => why)
            .increment(1);
    }

    fn show(&self, table: &Table) {
        // A gauge is a float; no port has 2^53 connections.
        gauge!("kangqiao_connections", "door" => self.door).set(table.seats.len() as f64);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn remove(&mut self, number: u64) -> Option<Arc<Seat>> {
        let seat = self.seats.remove(&number)?;
        match self.addresses.get_mut(&seat.address) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.addresses.remove(&seat.address)),
        }
        Some(seat)
    }
}

impl Place {
    /// Something came: a handshake or a request begins.
    pub fn speak(&self) {
        let now_ms = self.places.now_ms();
        self.seat.since_ms.store(now_ms, Ordering::Relaxed);
        self.seat.spoken.store(true, Ordering::Relaxed);
    }

    /// A request is in hand from now on.
    #[must_use]
    pub fn occupy(&self) -> Occupied {
        for said in [&self.seat.spoken, &self.seat.shown] {
            said.store(true, Ordering::Relaxed);
        }
        self.seat.busy.fetch_add(1, Ordering::Relaxed);
        Occupied(Arc::clone(&self.seat), self.places.began)
    }

    /// Whether a request is in hand, and how many are over.
    #[must_use]
    pub fn turns(&self) -> (bool, u64) {
        let busy = self.seat.busy.load(Ordering::Acquire) > 0;
        (busy, self.seat.turns.load(Ordering::Acquire))
    }

    /// Somebody else was given the place.
    #[must_use]
    pub fn leave(&self) -> CancellationToken {
        self.seat.leave.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.places.table();
        table.remove(self.number);
        self.places.show(&table);
        drop(table);
        self.places.freed.notify_waiters();
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let since = u64::try_from(self.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.since_ms.store(since, Ordering::Relaxed);
        self.0.turns.fetch_add(1, Ordering::Release);
        self.0.busy.fetch_sub(1, Ordering::Release);
    }
}

/// Whose an address is.
fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) if six.to_ipv4_mapped().is_none() => {
            Ipv6Addr::from_bits(six.to_bits() >> CUSTOMER_BITS << CUSTOMER_BITS).into()
        }
        address => address.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";
    const THERE: &str = "2001:db8::1";
    const OTHER: &str = "192.0.2.9";

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, Full> {
        places.take(address.parse().unwrap())
    }

    fn gone(place: &Place) -> bool {
        place.leave().is_cancelled()
    }

    #[test]
    fn who_has_shown_nothing_makes_room_first_and_who_is_busy_never() {
        let places = Places::new("test", 3, 3);
        let [first, second, third] = [(); 3].map(|()| take(&places, HERE).unwrap());
        drop(second.occupy());
        let busy = first.occupy();
        let fourth = take(&places, THERE).unwrap();
        assert_eq!([&first, &second, &third, &fourth].map(gone), [false, false, true, false]);
        let held = fourth.occupy();
        let fifth = take(&places, OTHER).unwrap();
        assert_eq!([&first, &second, &fourth].map(gone), [false, true, false]);
        let more = fifth.occupy();
        assert_eq!(take(&places, OTHER).err(), Some(Full::All));
        drop((busy, held, more));
    }

    #[test]
    fn an_address_that_has_its_own_makes_room_among_its_own() {
        let places = Places::new("test", 8, 2);
        let other = take(&places, HERE).unwrap();
        let [first, second] = ["2001:db8::1", "2001:db8::2"].map(|one| take(&places, one).unwrap());
        let third = take(&places, "2001:db8::3").unwrap();
        assert_eq!([&other, &first, &second].map(gone), [false, true, false]);
        let busy = [second.occupy(), third.occupy()];
        assert_eq!(take(&places, THERE).err(), Some(Full::Address));
        assert!(take(&places, "2001:db8:0:1::1").is_ok(), "another customer");
        drop((busy, first));
    }

    #[test]
    fn the_address_that_has_the_most_makes_room_for_the_others() {
        let places = Places::new("test", 4, 4);
        let lone = take(&places, THERE).unwrap();
        let flood = [(); 3].map(|()| take(&places, HERE).unwrap());
        let fresh = take(&places, OTHER).unwrap();
        assert!(!gone(&lone) && !gone(&fresh) && gone(&flood[0]));
    }

    #[test]
    fn whoever_has_just_spoken_is_put_out_by_an_address_that_has_fewer_and_by_nobody_else() {
        let places = Places::new("test", 3, 2);
        let [first, second] = [(); 2].map(|()| take(&places, HERE).unwrap());
        [&first, &second].into_iter().for_each(Place::speak);
        // A crowd from one address, each in its handshake or between two requests.
        assert_eq!(take(&places, HERE).err(), Some(Full::Address));
        drop(second.occupy());
        assert_eq!(take(&places, HERE).err(), Some(Full::Address));
        let third = take(&places, THERE).unwrap();
        third.speak();
        let fourth = take(&places, OTHER).unwrap();
        assert_eq!([&first, &second, &third].map(gone), [true, false, false]);
        fourth.speak();
        // Now each has one: a crowd from many addresses.
        assert_eq!(take(&places, "192.0.2.2").err(), Some(Full::All));
    }

    #[test]
    fn a_pause_is_over_after_a_while() {
        let began = Instant::now() - Duration::from_millis(2 * PAUSE_MS);
        let (table, freed) = (Mutex::default(), Notify::new());
        let places = Arc::new(Places { door: "test", most: 1, each: 1, began, table, freed });
        let first = take(&places, HERE).unwrap();
        first.speak();
        assert_eq!(take(&places, HERE).err(), Some(Full::Address));
        first.seat.since_ms.store(places.now_ms() - PAUSE_MS, Ordering::Relaxed);
        assert!(take(&places, HERE).is_ok() && gone(&first));
    }

    #[tokio::test]
    async fn a_place_is_waited_for_and_given_when_one_is_free() {
        let places = Places::new("test", 1, 1);
        let held = take(&places, HERE).unwrap();
        let busy = held.occupy();
        let soon = Duration::from_millis(5);
        let there = THERE.parse().unwrap();
        assert_eq!(places.wait(there, soon).await.err(), Some(Full::All));
        let waiting = places.wait(there, Duration::from_secs(60));
        let freeing = async {
            tokio::task::yield_now().await;
            drop((busy, held));
        };
        assert!(tokio::join!(waiting, freeing).0.is_ok());
    }
}
