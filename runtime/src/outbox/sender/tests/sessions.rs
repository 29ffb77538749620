//! Successive runs that share the broker's session.

use super::*;

#[test]
fn frames_in_flight_at_run_end_are_not_resent_by_next_run() {
    // The completions arrive before the disconnect, and after it.
    for late in [MAX_MQTT_LEAVE * 9 / 10, MAX_MQTT_LEAVE + MQTT_LOOK / 4] {
        let mut bench = Bench::new();
        bench.record(200);
        bench.broker().completes_after = late;
        let mut sender = bench.sender();
        // So that the last read before the end puts some in flight.
        bench.pass(&mut sender, 2 * MQTT_LOOK);
        let counters = sender.end();
        assert!(counters.unsent > 0, "some are left for the next run: {counters:?}");
        assert_eq!(bench.kept("bloodseg/b/availability"), "offline");
        assert_eq!(bench.marked(), Some(200 - counters.unsent as i64));
        bench.pass(&mut bench.sender(), MINUTE);
        assert_eq!(bench.got(), (up_to(200), 0), "{late:?}");
    }
}

/// Another folder and run of the same box.
fn other_folder(bench: &Bench) -> Bench {
    Bench { broker: Arc::clone(&bench.broker), ..Bench::new() }
}

/// Messages that the broker has and that were not released.
fn held(bench: &Bench) -> usize {
    bench.broker().session.as_ref().map_or(0, std::collections::BTreeMap::len)
}

/// Runs until it is time to kill the process.
fn run_until_killed(bench: &Bench, is_time: impl Fn() -> bool) {
    let mut sender = bench.sender();
    for _ in 0..1000 {
        if is_time() {
            return;
        }
        let nap = sender.step();
        bench.clock.pass(nap);
    }
    panic!("the time never came");
}

/// Numbers of the frames of a folder that subscribers received.
fn got_of(bench: &Bench) -> Vec<u64> {
    let mark: i64 = bench.records.query_row("SELECT max(mark) FROM runs", [], |row| row.get(0)).unwrap();
    let messages = bench.broker().passed_on.clone();
    let values = messages.iter().map(|(_, payload)| serde_json::from_str::<Value>(payload).unwrap());
    let ours = values.filter(|value| value["run_mark"] == format!("{:016x}", mark.cast_unsigned()));
    ours.map(|value| value["frame"].as_u64().unwrap()).collect()
}

#[test]
fn messages_left_by_killed_run_of_another_folder_replace_no_frames() {
    let mut first = Bench::new();
    first.record(20);
    run_until_killed(&first, || held(&first) >= 5);
    let left = held(&first);
    let mut other = other_folder(&first);
    other.record(20);
    other.pass(&mut other.sender(), MINUTE);
    assert_eq!((got_of(&other), held(&other)), (up_to(20), 0));
    // The remaining messages of the first were delivered then; they arrive again, and nothing is missing.
    first.pass(&mut first.sender(), MINUTE);
    let mut frames = got_of(&first);
    assert!(frames.len() <= 20 + left, "{frames:?}");
    frames.sort_unstable();
    frames.dedup();
    assert_eq!(frames, up_to(20));
}

#[test]
fn cleanly_ended_run_resumes_after_killed_run_of_another_folder() {
    let mut first = Bench::new();
    first.record(20);
    assert_eq!(first.sender().end().unsent, 0);
    let mut other = other_folder(&first);
    other.record(20);
    run_until_killed(&other, || held(&other) >= 5);
    first.record(20);
    first.pass(&mut first.sender(), MINUTE);
    assert_eq!(got_of(&first), up_to(40));
}

#[test]
fn interrupted_sweep_is_repeated_by_next_run() {
    let mut first = Bench::new();
    first.record(20);
    run_until_killed(&first, || held(&first) >= 9);
    let mut other = other_folder(&first);
    other.record(20);
    run_until_killed(&other, || held(&other) < 5);
    assert!(held(&other) > 0 && got_of(&other).is_empty());
    // The same if the broker was unreachable all the time.
    other.broker().is_up = false;
    assert_eq!(other.sender().end().unsent, 20);
    other.broker().is_up = true;
    other.pass(&mut other.sender(), MINUTE);
    assert_eq!(got_of(&other), up_to(20));
}

#[test]
fn deleted_frames_in_flight_replace_no_other_frames() {
    let mut bench = Bench::new();
    bench.record(20);
    run_until_killed(&bench, || held(&bench) >= 15);
    bench.records.execute_batch("DELETE FROM cells WHERE frame <= 10; DELETE FROM frames WHERE id <= 10").unwrap();
    bench.record(20);
    bench.pass(&mut bench.sender(), MINUTE);
    let (mut frames, lost) = bench.got();
    frames.sort_unstable();
    frames.dedup();
    assert_eq!((frames, lost), (up_to(40), 10), "those that the broker had are reported as lost too");
}

#[test]
fn connection_drop_during_sweep_loses_no_frame() {
    for cut_after in 0..80 {
        let mut bench = Bench::new();
        bench.record(20);
        let left = || ("bloodseg/b/frames".to_owned(), "{}".to_owned());
        bench.broker().session = Some((1..NOTE_ID).map(|id| (id, left())).collect());
        bench.broker().cut_after = Some(cut_after);
        bench.pass(&mut bench.sender(), MINUTE);
        let mut frames = got_of(&bench);
        frames.sort_unstable();
        assert_eq!((frames, bench.broker().connections), (up_to(20), 2), "cut after {cut_after} packets");
    }
}
