//! Runs one after another that share the broker's session.

use super::*;

#[test]
fn what_is_under_way_when_a_run_ends_is_not_sent_again_by_the_next() {
    // It comes before the leave, and after it.
    for late in [MQTT_LEAVE * 2 / 3, MQTT_LEAVE + MQTT_LOOK / 4] {
        let mut bench = Bench::new();
        bench.record(200);
        bench.broker().completes_after = late;
        let mut sender = bench.sender();
        let counters = sender.end();
        assert!(counters.unsent > 0, "some are left for the next run: {counters:?}");
        assert_eq!(bench.kept("bloodseg/b/availability"), "offline");
        assert_eq!(bench.marked(), Some(200 - counters.unsent as i64));
        bench.pass(&mut bench.sender(), MINUTE);
        assert_eq!(bench.got(), (up_to(200), 0), "{late:?}");
    }
}
