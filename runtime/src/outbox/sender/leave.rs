//! The end of a run: what is under way is brought to its end, so that the next run does not send it again.

use std::time::Duration;

use super::{Counters, Line, Sender};
use crate::outbox::{
    limits::{MAX_MQTT_END, MAX_MQTT_HEARD, MAX_MQTT_LEAVE, MQTT_LOOK},
    link::{Heard, Packet},
    message,
};

impl Sender {
    /// Sends what is left, as far as the broker takes it in time, and takes leave.
    pub fn end(&mut self) -> Counters {
        let began = self.clock.elapsed();
        let since = |sender: &Self| sender.clock.elapsed().saturating_sub(began);
        self.look_at = began;
        let mut looked = false;
        while since(self) < MAX_MQTT_END && !(looked && self.is_idle()) {
            // A broker that is away is not waited for; one that was never tried is tried.
            if matches!(self.line, Line::Away(_)) && self.tries > 0 {
                break;
            }
            looked = self.is_up();
            if self.step() > Duration::ZERO {
                break;
            }
        }
        if self.is_up() {
            self.leave();
        } else {
            // So that it can be said how much waits.
            self.look(self.clock.elapsed());
        }
        // What an earlier process may have left is of no account where this one never came to the broker.
        if !self.inherits && self.window.is_empty() {
            self.mark.end();
        }
        self.mark.keep(self.clock.elapsed(), true);
        self.reader.close_for_good();
        self.counters()
    }

    fn is_up(&self) -> bool {
        matches!(self.line, Line::Up(_))
    }

    /// Whether all that there was is acknowledged.
    fn is_idle(&self) -> bool {
        self.window.is_empty() && self.notes.is_empty() && self.sweep.is_over() && self.read >= self.newest
    }

    /// From here on no frame is put under way any more. Those that are come first, so that the last state knows of them.
    pub(super) fn leave(&mut self) {
        let until = self.clock.elapsed() + MAX_MQTT_LEAVE;
        self.notes.withdraw();
        self.listen(until.saturating_sub(MAX_MQTT_LEAVE / 2), |sender| sender.window.is_empty());
        // Also where an earlier state is still under way: this is the one that stays.
        self.note_state(self.clock.elapsed());
        self.note(self.topics.availability.clone(), message::OFFLINE.to_owned());
        self.listen(until, |sender| sender.window.is_empty() && sender.notes.is_empty());
        if self.is_up() && self.notes.is_empty() {
            self.link.send(Packet::Leave);
        }
        // Without leave, the broker tells the last will, which says the same. Either way, what it has said counts until it
        // hangs up: a frame that it has passed on would come again.
        let until = self.clock.elapsed() + MQTT_LOOK;
        for _ in 0..MAX_MQTT_HEARD {
            if !self.is_up() {
                break;
            }
            match self.link.hear(until.saturating_sub(self.clock.elapsed())) {
                Heard::Nothing | Heard::Lost(_) => break,
                heard => self.take(heard),
            }
        }
        self.link.hang_up();
    }

    /// Sends and listens until it is over, but no longer than `until`.
    fn listen(&mut self, until: Duration, is_over: fn(&Self) -> bool) {
        while self.is_up() && !is_over(self) {
            let now = self.clock.elapsed();
            if now >= until {
                return;
            }
            if self.say(now) {
                let heard = self.link.hear(until - now);
                self.take(heard);
            }
        }
    }
}
