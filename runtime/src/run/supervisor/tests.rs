#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const TICK: Duration = Duration::from_millis(200);

/// Stages that move with each tick, unless a test says otherwise.
struct Box_ {
    supervisor: Supervisor,
    now: Duration,
    seen: [Seen; 3],
    abandoned: usize,
    problem: Option<Reason>,
    stopping: bool,
    /// Stages that do not move.
    still: Vec<Stage>,
}

impl Box_ {
    fn new() -> Self {
        let seen = [Seen { turns: 0, life: Life::Alive }; 3];
        let supervisor = Supervisor::new(Duration::ZERO);
        Self { supervisor, now: Duration::ZERO, seen, abandoned: 0, problem: None, stopping: false, still: Vec::new() }
    }

    fn tick(&mut self) -> Orders {
        self.now += TICK;
        for stage in Stage::ALL {
            let seen = &mut self.seen[stage as usize];
            if seen.life == Life::Alive && !self.still.contains(&stage) {
                seen.turns += 1;
            }
        }
        let orders = self.supervisor.tick(self.now, self.seen, self.abandoned, self.problem, self.stopping);
        for order in &orders {
            match order {
                Order::Restart(stage) => self.seen[*stage as usize].life = Life::Alive,
                Order::LeaveBehind(stage) => {
                    self.seen[*stage as usize].life = Life::Dead;
                    self.abandoned += 1;
                }
                Order::FeedWatchdog | Order::Became(_) | Order::GiveUp(_) => {}
            }
        }
        orders
    }

    /// All orders until `time` has passed, with the time of each.
    fn run(&mut self, time: Duration) -> Vec<(Duration, Order)> {
        let until = self.now + time;
        let mut all = Vec::new();
        while self.now < until {
            let orders = self.tick();
            all.extend(orders.into_iter().map(|order| (self.now, order)));
        }
        all
    }

    fn kill(&mut self, stage: Stage) {
        self.seen[stage as usize].life = Life::Dead;
    }
}

fn count(orders: &[(Duration, Order)], wanted: Order) -> usize {
    orders.iter().filter(|(_, order)| *order == wanted).count()
}

fn states(orders: &[(Duration, Order)]) -> Vec<State> {
    let state = |(_, order): &(Duration, Order)| match order {
        Order::Became(state) => Some(*state),
        _ => None,
    };
    orders.iter().filter_map(state).collect()
}

#[test]
fn healthy_run_is_running_and_feeds_watchdog() {
    let mut it = Box_::new();
    let orders = it.run(Duration::from_secs(60));
    assert_eq!(states(&orders), [State::Running]);
    let fed = count(&orders, Order::FeedWatchdog);
    assert!((60..=120).contains(&fed), "{fed}");
    assert_eq!(orders.len(), fed + 1);
}

#[test]
fn dead_stage_is_restarted_and_recovers_on_progress() {
    for stage in Stage::ALL {
        let mut it = Box_::new();
        it.run(Duration::from_secs(5));
        it.kill(stage);
        let orders = it.run(Duration::from_secs(5));
        assert_eq!(count(&orders, Order::Restart(stage)), 1, "{stage:?}");
        assert_eq!(states(&orders), [State::Recovering(stage), State::Running]);
    }
}

#[test]
fn repeatedly_dying_stage_backs_off_and_is_given_up() {
    for stage in [Stage::Analysis, Stage::Records] {
        let mut it = Box_::new();
        it.run(Duration::from_secs(1));
        let (mut restarts, mut given_up) = (Vec::new(), None);
        while given_up.is_none() {
            it.kill(stage);
            it.still = vec![stage];
            for (at, order) in it.run(TICK) {
                match order {
                    Order::Restart(_) => restarts.push(at),
                    Order::GiveUp(which) => given_up = Some(which),
                    _ => {}
                }
            }
            assert!(it.now < Duration::from_secs(600), "never given up");
        }
        assert_eq!(given_up, Some(stage));
        assert_eq!(restarts.len() as u32, MAX_RESTARTS_IN_VAIN);
        let pauses: Vec<_> = restarts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.is_sorted() && pauses[0] >= MIN_RESTART, "{pauses:?}");
    }
}

#[test]
fn repeatedly_dying_capture_is_retried_indefinitely() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(1));
    let mut restarts = 0;
    // An hour is enough to reach the longest delay.
    let until = it.now + Duration::from_secs(3600);
    while it.now < until {
        it.kill(Stage::Capture);
        let orders = it.run(TICK);
        restarts += count(&orders, Order::Restart(Stage::Capture));
        assert!(orders.iter().all(|(_, order)| !matches!(order, Order::GiveUp(_))));
    }
    let most = 3600 / MAX_RESTART.as_secs() as usize + 10;
    assert!((most / 2..=most).contains(&restarts), "{restarts}");
    assert_eq!(it.supervisor.state(), State::Recovering(Stage::Capture));
    // The other stages continue, and the watchdog is notified.
    it.kill(Stage::Capture);
    let orders = it.run(Duration::from_secs(10));
    assert!(count(&orders, Order::FeedWatchdog) >= 10);
}

#[test]
fn failures_are_forgotten_after_stable_run() {
    let mut it = Box_::new();
    for _ in 0..100 {
        it.run(RESTART_FORGIVEN + Duration::from_secs(2));
        it.kill(Stage::Analysis);
        let orders = it.run(Duration::from_secs(2));
        assert_eq!(count(&orders, Order::Restart(Stage::Analysis)), 1);
    }
}

#[test]
fn hanging_capture_is_abandoned_once_before_watchdog_starves() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(5));
    it.still = vec![Stage::Capture];
    let orders = it.run(CAPTURE_STALL * 10);
    assert_eq!(count(&orders, Order::LeaveBehind(Stage::Capture)), MAX_ABANDONED);
    assert_eq!(count(&orders, Order::Restart(Stage::Capture)), MAX_ABANDONED);
    // No third thread is started. Page and records continue, and the watchdog starves in the end.
    assert_eq!(it.supervisor.state(), State::Degraded(Reason::CameraAway));
    let longest = orders
        .iter()
        .filter(|(_, order)| *order == Order::FeedWatchdog)
        .map(|(at, _)| *at)
        .collect::<Vec<_>>()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max();
    assert!(longest < Some(crate::run::limits::WATCHDOG), "{longest:?}");
    it.run(CAPTURE_HOPELESS);
    assert_eq!(count(&it.run(Duration::from_secs(60)), Order::FeedWatchdog), 0);
    assert_eq!(it.supervisor.state(), State::Degraded(Reason::CameraAway));
    // The capture recovers.
    it.still.clear();
    it.abandoned = 0;
    assert_eq!(states(&it.run(Duration::from_secs(5))), [State::Running]);
}

#[test]
fn hanging_analysis_starves_watchdog_and_is_given_up() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(5));
    it.still = vec![Stage::Analysis];
    it.run(Duration::from_secs(1));
    let orders = it.run(ANALYSIS_STALL);
    assert_eq!(count(&orders, Order::FeedWatchdog), 0);
    assert!(count(&orders, Order::GiveUp(Stage::Analysis)) > 0);
}

#[test]
fn stalled_records_degrade_the_run_without_ending_it() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(5));
    it.still = vec![Stage::Records];
    let orders = it.run(Duration::from_secs(3600));
    assert_eq!(states(&orders), [State::Degraded(Reason::RecordsStand)]);
    assert!(count(&orders, Order::FeedWatchdog) > 3000);
    it.still.clear();
    assert_eq!(states(&it.run(TICK)), [State::Running]);
}

#[test]
fn reported_problem_degrades_run_until_cleared() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(1));
    for reason in [Reason::CameraAway, Reason::RecordsNotKept, Reason::FramesRefused] {
        it.problem = Some(reason);
        assert_eq!(states(&it.run(TICK)), [State::Degraded(reason)]);
    }
    it.problem = None;
    assert_eq!(states(&it.run(TICK)), [State::Running]);
}

#[test]
fn stopping_is_final_and_restarts_nothing() {
    let mut it = Box_::new();
    it.run(Duration::from_secs(1));
    it.stopping = true;
    it.kill(Stage::Capture);
    it.kill(Stage::Analysis);
    let orders = it.run(Duration::from_secs(120));
    assert_eq!(states(&orders), [State::Stopping]);
    assert!(orders.iter().all(|(_, order)| !matches!(order, Order::Restart(_))), "{orders:?}");
    it.stopping = false;
    it.run(TICK);
    assert_eq!(it.supervisor.state(), State::Stopping);
}

proptest! {
    /// Whatever the stages do: only a dead stage is restarted, no sooner than [`MIN_RESTART`] after the last restart,
    /// and the watchdog is notified only after progress of the analysis.
    #[test]
    fn orders_are_consistent_for_any_events(deeds in prop::collection::vec((0_u8..8, 0_usize..3), 1..400)) {
        let mut it = Box_::new();
        let mut restarted_at = [None::<Duration>; 3];
        let mut analysed = 0;
        for (deed, stage) in deeds {
            let stage = Stage::ALL[stage];
            match deed {
                0 => it.kill(stage),
                1 => it.still.push(stage),
                2 => it.still.clear(),
                3 => it.now += Duration::from_secs(20),
                4 => it.abandoned = 0,
                5 => it.problem = Some(Reason::CameraAway),
                6 => it.problem = None,
                _ => {}
            }
            let down = it.seen.map(|seen| seen.life == Life::Dead);
            let orders = it.tick();
            for order in &orders {
                match *order {
                    Order::Restart(stage) => {
                        prop_assert!(down[stage as usize], "{stage:?} was not down");
                        if let Some(before) = restarted_at[stage as usize].replace(it.now) {
                            prop_assert!(it.now - before >= MIN_RESTART);
                        }
                    }
                    Order::FeedWatchdog => {
                        let turns = it.seen[Stage::Analysis as usize].turns;
                        prop_assert!(turns > analysed, "fed without a move");
                        analysed = turns;
                    }
                    Order::LeaveBehind(stage) => prop_assert_eq!(stage, Stage::Capture),
                    Order::Became(state) => prop_assert!(!matches!(state, State::Stopping)),
                    Order::GiveUp(stage) => prop_assert_ne!(stage, Stage::Capture),
                }
            }
        }
    }
}
