//! A conforming broker in virtual time: it comes and goes, loses its session, hangs, violates the protocol, and drops the
//! connection at any packet.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use super::link::{Heard, Link, Packet};
use bloodseg_clock::{Clock, VirtualClock};

/// The state of the broker, seen from both ends.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) is_up: bool,
    /// It accepts packets and answers nothing.
    pub(super) hangs: bool,
    /// Time from delivering a message to reporting it.
    pub(super) completes_after: Duration,
    /// Packets in both directions after which the connection is dropped once.
    pub(super) cut_after: Option<u32>,
    /// What it sends instead of the next acknowledgement.
    pub(super) nonsense: VecDeque<Heard>,
    /// Messages that it has and has not delivered yet, by packet id; `None` without a session.
    pub(super) session: Option<BTreeMap<u16, (String, String)>>,
    /// What subscribers received, in order.
    pub(super) passed_on: Vec<(String, String)>,
    pub(super) kept: BTreeMap<String, String>,
    pub(super) connections: u32,
    pub(super) packets: u32,
}

impl Broker {
    /// It restarts without its session.
    pub(super) fn forget(&mut self) {
        self.session = None;
    }

    /// Whether the connection is dropped at this packet.
    fn cut(&mut self) -> bool {
        self.packets += 1;
        let cut = self.cut_after == Some(0);
        self.cut_after = self.cut_after.and_then(|left| left.checked_sub(1));
        cut
    }
}

/// The connection to it.
#[derive(Debug)]
pub(super) struct ScriptedLink {
    pub(super) broker: Arc<Mutex<Broker>>,
    pub(super) clock: Arc<VirtualClock>,
    is_open: bool,
    out: VecDeque<Out>,
    /// Packets in transit to the box, and when they arrive.
    queued: VecDeque<(Duration, Heard)>,
}

#[derive(Debug)]
enum Out {
    Once(u16, String, String),
    Kept(u16, String, String),
    Release(u16),
    Leave,
}

impl ScriptedLink {
    pub(super) fn new(broker: &Arc<Mutex<Broker>>, clock: &Arc<VirtualClock>) -> Self {
        Self {
            broker: Arc::clone(broker),
            clock: Arc::clone(clock),
            is_open: false,
            out: VecDeque::new(),
            queued: VecDeque::new(),
        }
    }

    fn broken(&mut self) -> Heard {
        self.hang_up();
        Heard::Lost("cut".into())
    }

    /// What has arrived by now.
    fn arrived(&mut self) -> Option<Heard> {
        let now = self.clock.elapsed();
        let heard = self.queued.pop_front_if(|(at, _)| *at <= now)?.1;
        // The broker disconnects after the disconnect packet.
        self.is_open &= !matches!(heard, Heard::Lost(_));
        Some(heard)
    }

    /// One packet to the broker, and its answer.
    fn exchange(&mut self, broker: &mut Broker, out: Out) -> Option<Heard> {
        // The packet is lost in transit.
        if broker.cut() {
            return Some(self.broken());
        }
        let session = broker.session.get_or_insert_default();
        let answer = match out {
            Out::Once(id, topic, payload) => {
                // The same id is the same message, which it already has, whatever the payload.
                session.entry(id).or_insert((topic, payload));
                Heard::Received(id)
            }
            Out::Release(id) => {
                let message = session.remove(&id);
                broker.passed_on.extend(message);
                Heard::Completed(id)
            }
            Out::Kept(id, topic, payload) => {
                broker.kept.insert(topic, payload);
                Heard::Acknowledged(id)
            }
            Out::Leave => {
                let at = self.queued.back().map_or(self.clock.elapsed(), |(at, _)| *at);
                self.queued.push_back((at, Heard::Lost("it was asked to".into())));
                return None;
            }
        };
        match broker.nonsense.pop_front() {
            Some(Heard::Lost(_)) => return Some(self.broken()),
            Some(nonsense) => return Some(nonsense),
            None => {}
        }
        // The answer is lost in transit.
        if broker.cut() {
            return Some(self.broken());
        }
        match answer {
            // As MQTT requires, the connection answers this one by itself.
            Heard::Received(id) => self.out.push_back(Out::Release(id)),
            Heard::Completed(_) if !broker.completes_after.is_zero() => {
                self.queued.push_back((self.clock.elapsed() + broker.completes_after, answer));
                return None;
            }
            _ => {}
        }
        Some(answer)
    }
}

fn lock(broker: &Mutex<Broker>) -> MutexGuard<'_, Broker> {
    broker.lock().unwrap()
}

impl Link for ScriptedLink {
    fn hear(&mut self, patience: Duration) -> Heard {
        let shared = Arc::clone(&self.broker);
        let mut broker = lock(&shared);
        if !broker.is_up {
            return self.broken();
        }
        if !self.is_open {
            self.is_open = true;
            broker.connections += 1;
            let resumed = broker.session.is_some();
            broker.session.get_or_insert_default();
            return Heard::Connected { resumed };
        }
        loop {
            if let Some(heard) = self.arrived() {
                return heard;
            }
            let Some(out) = self.out.pop_front().filter(|_| !broker.hangs) else {
                let arrives = self.queued.front().map(|(at, _)| at.saturating_sub(self.clock.elapsed()));
                self.clock.pass(arrives.map_or(patience, |arrives| arrives.min(patience)));
                return self.arrived().unwrap_or(Heard::Nothing);
            };
            if let Some(heard) = self.exchange(&mut broker, out) {
                return heard;
            }
        }
    }

    fn send(&mut self, packet: Packet<'_>) {
        self.out.push_back(match packet {
            Packet::Once { id, topic, payload, .. } => Out::Once(id, topic.to_owned(), payload.to_owned()),
            Packet::Kept { id, topic, payload } => Out::Kept(id, topic.to_owned(), payload.to_owned()),
            Packet::Release(id) => Out::Release(id),
            Packet::Leave => Out::Leave,
        });
    }

    fn hang_up(&mut self) {
        self.is_open = false;
        self.out.clear();
        self.queued.clear();
    }
}
