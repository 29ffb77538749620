//! Messages about the box itself, and their timing.

use super::*;

fn state_of(bench: &Bench) -> Value {
    serde_json::from_str(&bench.kept("bloodseg/b/state")).unwrap()
}

#[test]
fn final_state_is_sent_while_earlier_one_is_in_flight() {
    let mut bench = Bench::new();
    bench.record(3);
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    // The state follows a frame.
    bench.record(1);
    let under_way = |sender: &Sender| sender.notes.is_in_flight(&sender.topics.state);
    for _ in 0..1000 {
        if under_way(&sender) {
            break;
        }
        let nap = sender.step();
        bench.clock.pass(nap);
    }
    assert!(under_way(&sender));
    bench.record(1);
    sender.leave();
    assert_eq!(state_of(&bench)["frame"], 5);
    assert_eq!(bench.kept("bloodseg/b/availability"), "offline");
}

#[test]
fn state_is_published_while_records_are_unreadable() {
    let mut bench = Bench::new();
    bench.record(3);
    // Left behind by an earlier run.
    bench.broker().kept.insert("bloodseg/b/state".into(), "{\"state\": \"running\"}".into());
    bench.records.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())).unwrap();
    let mut sender = bench.sender();
    bench.pass(&mut sender, MINUTE);
    assert_eq!(bench.got(), (vec![], 0));
    let state = state_of(&bench);
    assert_eq!((&state["state"], &state["frame"], &state["unsent"]), (&"starting".into(), &Value::Null, &Value::Null));
    bench.records.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    bench.pass(&mut sender, MINUTE);
    assert_eq!((&state_of(&bench)["frame"], &state_of(&bench)["unsent"]), (&3.into(), &0.into()));
}

#[test]
fn state_is_published_while_frames_of_broken_records_are_in_flight() {
    let mut bench = Bench::new();
    bench.record(3);
    bench.broker().completes_after = MAX_MQTT_ACK_WAIT / 2;
    let mut sender = bench.sender();
    bench.pass(&mut sender, MAX_MQTT_ACK_WAIT / 4);
    bench.record(1);
    bench.pass(&mut sender, 2 * MQTT_LOOK);
    // Published just now: the next state, with the broken records, has to wait.
    assert_eq!(state_of(&bench)["unsent"], 4);
    bench.records.execute_batch("ALTER TABLE frames RENAME TO away").unwrap();
    bench.pass(&mut sender, MIN_MQTT_STATE + 2 * MQTT_LOOK);
    assert!(!sender.window.is_empty() && !sender.reader.is_open());
    assert_eq!((&state_of(&bench)["frame"], &state_of(&bench)["unsent"]), (&Value::Null, &Value::Null));
}
