#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sessions;
mod state;

use std::sync::Mutex;

use rusqlite::Connection;
use serde_json::Value;

use super::*;
use crate::fixture::{noon, record, run};
use crate::{
    camera::Pacing,
    config::mqtt::MqttSection,
    outbox::{
        limits::{MAX_MQTT_END, MAX_MQTT_LEAVE, MQTT_WINDOW},
        mark,
        scripted::{Broker, ScriptedLink},
        window::NOTE_ID,
    },
    run::stop::Stop,
};
use bloodseg_clock::VirtualClock;
use bloodseg_records::store::{FILE, open_to_write, write};

/// A box, its records, and the broker.
struct Bench {
    folder: tempfile::TempDir,
    records: Connection,
    run: i64,
    clock: Arc<VirtualClock>,
    shared: Arc<Shared>,
    broker: Arc<Mutex<Broker>>,
    frames: u64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = open_to_write(&folder.path().join(FILE)).unwrap();
        // Power failures are not tested here.
        records.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let clock = Arc::new(VirtualClock::at(noon()));
        let broker = Broker { is_up: true, ..Broker::default() };
        Self {
            run: write::begin_run(&records, &run(Some(2.0)), 0).unwrap(),
            records,
            folder,
            shared: Arc::new(Shared::new(
                Arc::new(Stop::default()),
                Arc::clone(&clock) as Arc<dyn Clock>,
                Pacing::Live,
            )),
            clock,
            broker: Arc::new(Mutex::new(broker)),
            frames: 0,
        }
    }

    fn broker(&self) -> std::sync::MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    fn sender(&self) -> Sender {
        let section = MqttSection { broker: Some("b:1".into()), box_name: Some("b".into()), ..MqttSection::default() };
        let access = Access::of(&section).unwrap().unwrap();
        let link = ScriptedLink::new(&self.broker, &self.clock);
        Sender::new(&access, self.folder.path(), Box::new(link), &self.shared)
    }

    fn record(&mut self, frames: u64) {
        for _ in 0..frames {
            self.frames += 1;
            write::frame(&self.records, self.run, &record(self.frames, 3), 0).unwrap();
        }
    }

    /// Runs the sender for this time.
    fn pass(&self, sender: &mut Sender, time: Duration) {
        let until = self.clock.elapsed() + time;
        while self.clock.elapsed() < until {
            let nap = sender.step();
            self.clock.pass(nap);
        }
    }

    /// Numbers of the frames that subscribers received, and of the losses reported, in order.
    fn got(&self) -> (Vec<u64>, u64) {
        let (mut frames, mut lost) = (Vec::new(), 0);
        for (topic, payload) in &self.broker().passed_on {
            let value: Value = serde_json::from_str(payload).unwrap();
            match topic.as_str() {
                "bloodseg/b/frames" => frames.push(value["frame"].as_u64().unwrap()),
                "bloodseg/b/lost" => lost += value["lost"].as_u64().unwrap(),
                other => panic!("{other}"),
            }
        }
        (frames, lost)
    }

    fn kept(&self, topic: &str) -> String {
        self.broker().kept.get(topic).cloned().unwrap_or_default()
    }

    /// The mark on disk.
    fn marked(&self) -> Option<i64> {
        MarkFile::open(self.folder.path()).get().map(|mark| mark.frame_id)
    }
}

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn frames_arrive_in_order_with_state_and_availability() {
    let mut bench = Bench::new();
    bench.record(40);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    assert_eq!(bench.got(), (up_to(40), 0));
    assert_eq!(bench.kept("bloodseg/b/availability"), "online");
    let state: Value = serde_json::from_str(&bench.kept("bloodseg/b/state")).unwrap();
    assert_eq!((&state["state"], &state["frame"], &state["cells"]), (&"starting".into(), &40.into(), &3.into()));
    assert_eq!(state["unsent"], 0);
    assert_eq!(bench.broker().kept.keys().filter(|topic| topic.ends_with("/config")).count(), 10);
    assert_eq!(sender.end(), Counters { acknowledged: 40, unsent: 0, lost: 0 });
    assert_eq!(bench.kept("bloodseg/b/availability"), "offline");
    assert_eq!((bench.marked(), bench.broker().connections), (Some(40), 1));
}

#[test]
fn day_long_outage_loses_and_repeats_nothing() {
    let mut bench = Bench::new();
    let mut sender = bench.sender();
    bench.record(5);
    bench.pass(&mut sender, MINUTE);
    bench.broker().is_up = false;
    for _ in 0..24 * 60 {
        bench.record(1);
        bench.pass(&mut sender, MINUTE);
    }
    assert_eq!(bench.got(), (up_to(5), 0));
    bench.broker().is_up = true;
    bench.pass(&mut sender, 3 * MINUTE);
    assert_eq!(bench.got(), (up_to(5 + 24 * 60), 0));
    assert_eq!(sender.counters().unsent, 0);
    let happenings = std::iter::from_fn(|| bench.shared.happenings.take()).count();
    assert_eq!(happenings, 2, "away and back, reported once each");
}

#[test]
fn backlog_is_sent_at_most_one_window_per_read() {
    let mut bench = Bench::new();
    bench.record(1000);
    let mut sender = bench.sender();
    bench.pass(&mut sender, 4 * MQTT_LOOK);
    assert!(bench.got().0.len() <= 5 * MQTT_WINDOW, "{}", bench.got().0.len());
}

#[test]
fn each_frame_arrives_once_if_connection_drops_at_any_packet() {
    let whole = {
        let mut bench = Bench::new();
        bench.record(20);
        bench.pass(&mut bench.sender(), MINUTE);
        bench.broker().packets
    };
    assert!(whole > 80);
    for cut_after in 0..whole {
        let mut bench = Bench::new();
        bench.record(20);
        let mut sender = bench.sender();
        bench.broker().cut_after = Some(cut_after);
        bench.pass(&mut sender, MINUTE);
        let (mut frames, lost) = bench.got();
        frames.sort_unstable();
        assert_eq!((frames, lost), (up_to(20), 0), "cut after {cut_after} packets");
        assert_eq!(sender.counters(), Counters { acknowledged: 20, unsent: 0, lost: 0 });
    }
}

#[test]
fn crash_at_any_packet_loses_nothing_and_repeats_only_beyond_mark() {
    for dies_after in 0..90 {
        let mut bench = Bench::new();
        bench.record(20);
        let mut sender = bench.sender();
        while bench.broker().packets < dies_after {
            let nap = sender.step();
            bench.clock.pass(nap);
        }
        drop(sender);
        let (marked, before) = (bench.marked().unwrap_or(0), bench.got().0);
        bench.pass(&mut bench.sender(), MINUTE);
        let (mut after, lost) = bench.got();
        let twice = after.split_off(before.len());
        // Only frames beyond the mark are delivered again.
        let allowed = |frame: &u64| !before.contains(frame) || *frame > marked.unsigned_abs();
        assert!(twice.iter().all(allowed), "after {dies_after} packets: {before:?}, then {twice:?}");
        // What the broker had and was not released arrives once, unless its id is first that of an earlier frame.
        let again = twice.iter().enumerate().filter(|(at, frame)| twice[..*at].contains(frame));
        let mut again = again.map(|(_, frame)| *frame);
        assert!(again.all(|frame| frame > marked.unsigned_abs() + MQTT_WINDOW as u64), "{twice:?}");
        let mut all = [before, twice].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all, lost), (up_to(20), 0), "after {dies_after} packets");
    }
}

#[test]
fn lost_session_resends_all_unacknowledged_frames() {
    for cut_after in 0..60 {
        let mut bench = Bench::new();
        bench.record(20);
        let mut sender = bench.sender();
        bench.broker().cut_after = Some(cut_after);
        while bench.broker().cut_after.is_some() {
            let nap = sender.step();
            bench.clock.pass(nap);
        }
        bench.broker().forget();
        bench.pass(&mut sender, MINUTE);
        let mut frames = bench.got().0;
        frames.sort_unstable();
        frames.dedup();
        assert_eq!(frames, up_to(20), "cut after {cut_after} packets");
    }
}

#[test]
fn frames_deleted_by_retention_are_counted_and_reported() {
    let mut bench = Bench::new();
    let mut sender = bench.sender();
    bench.record(10);
    bench.pass(&mut sender, MINUTE);
    bench.broker().is_up = false;
    bench.record(200);
    bench.pass(&mut sender, 5 * MINUTE);
    bench.records.execute_batch("DELETE FROM cells WHERE frame <= 150; DELETE FROM frames WHERE id <= 150").unwrap();
    bench.broker().is_up = true;
    bench.pass(&mut sender, 3 * MINUTE);
    // Those in flight when the broker went are not lost.
    let under_way = 10 + MQTT_WINDOW as u64;
    let wanted: Vec<u64> = (1..=under_way).chain(151..=210).collect();
    assert_eq!(bench.got(), (wanted, 150 - under_way));
    assert_eq!(sender.end(), Counters { acknowledged: 60 + under_way, unsent: 0, lost: 150 - under_way });
    // The next run continues where it was.
    bench.record(1);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    assert_eq!(bench.got().1, 150 - under_way);
    assert_eq!(sender.counters(), Counters { acknowledged: 1, unsent: 0, lost: 0 });
    let state: Value = serde_json::from_str(&bench.kept("bloodseg/b/state")).unwrap();
    assert_eq!(state["lost_in_all"], 150 - under_way);
}

#[test]
fn protocol_violation_drops_connection_and_loses_nothing() {
    for nonsense in [
        Heard::Completed(1),
        Heard::Completed(9999),
        Heard::Received(0),
        Heard::Received(9999),
        Heard::Acknowledged(2),
        Heard::Acknowledged(NOTE_ID + 1),
        Heard::Lost("garbage".into()),
    ] {
        let mut bench = Bench::new();
        bench.record(3);
        let mut sender = bench.sender();
        bench.broker().nonsense.extend(std::iter::repeat_n(nonsense.clone(), 5));
        bench.pass(&mut sender, 5 * MINUTE);
        let connections = bench.broker().connections;
        assert!((2..=6).contains(&connections), "{nonsense:?}: {connections}");
        assert_eq!(bench.got(), (up_to(3), 0), "{nonsense:?}");
    }
}

#[test]
fn hanging_broker_is_retried_with_back_off() {
    let mut bench = Bench::new();
    bench.record(3);
    bench.broker().hangs = true;
    let mut sender = bench.sender();
    bench.pass(&mut sender, DAY);
    let connections = bench.broker().connections;
    let least = DAY.as_secs() / (MAX_MQTT_RETRY + MAX_MQTT_ACK_WAIT + MQTT_LOOK).as_secs();
    assert!((least..=least + 10).contains(&u64::from(connections)), "{connections}");
    bench.broker().hangs = false;
    bench.pass(&mut sender, 2 * MINUTE);
    assert_eq!(bench.got(), (up_to(3), 0));
}

#[test]
fn flooding_broker_is_rate_limited() {
    let mut bench = Bench::new();
    bench.record(1);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    bench.broker().nonsense.extend(std::iter::repeat_n(Heard::Noise, 100_000));
    bench.record(1);
    // Each step is one event, or a pause.
    let (mut steps, until) = (0, bench.clock.elapsed() + Duration::from_secs(10));
    while bench.clock.elapsed() < until {
        let nap = sender.step();
        bench.clock.pass(nap);
        steps += 1;
    }
    assert!(steps < 45 * (MAX_MQTT_HEARD + 2), "{steps}");
}

#[test]
fn run_end_is_bounded_with_absent_or_hanging_broker() {
    let mut bench = Bench::new();
    bench.record(3);
    let time = |bench: &Bench, sender: &mut Sender| {
        let began = bench.clock.elapsed();
        let counters = sender.end();
        (bench.clock.elapsed() - began, counters)
    };
    bench.broker().is_up = false;
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    assert_eq!(time(&bench, &mut sender), (Duration::ZERO, Counters { acknowledged: 0, unsent: 3, lost: 0 }));
    (bench.broker().is_up, bench.broker().hangs) = (true, true);
    let (took, counters) = time(&bench, &mut bench.sender());
    assert!(took <= MAX_MQTT_END + 2 * MAX_MQTT_LEAVE, "{took:?}");
    assert_eq!((counters.unsent, bench.marked()), (3, Some(0)));
    // One that was never tried is tried.
    bench.broker().hangs = false;
    assert_eq!(time(&bench, &mut bench.sender()).1, Counters { acknowledged: 3, unsent: 0, lost: 0 });
    assert_eq!(bench.kept("bloodseg/b/availability"), "offline");
    let state: Value = serde_json::from_str(&bench.kept("bloodseg/b/state")).unwrap();
    assert_eq!(state["unsent"], 0);
}

#[test]
fn replaced_records_are_sent_from_the_beginning() {
    let mut bench = Bench::new();
    bench.record(30);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    std::fs::rename(bench.folder.path().join(FILE), bench.folder.path().join("away")).unwrap();
    bench.records = open_to_write(&bench.folder.path().join(FILE)).unwrap();
    bench.run = write::begin_run(&bench.records, &run(None), 0).unwrap();
    bench.frames = 0;
    bench.record(4);
    bench.pass(&mut sender, MINUTE);
    assert_eq!(bench.got().0, [up_to(30), up_to(4)].concat());
}

#[test]
fn unusable_mark_file_does_not_stop_publishing() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.folder.path().join(mark::FILE)).unwrap();
    bench.record(3);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    assert_eq!((bench.got(), sender.end().unsent), ((up_to(3), 0), 0));
}
