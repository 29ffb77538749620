//! Frames that were not kept, wherever they were lost.

use super::*;

fn on_record(folder: &Path) -> u64 {
    let connection = store::open_to_read(&folder.join(store::FILE)).unwrap();
    connection.query_row("SELECT not_kept FROM runs", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

#[test]
fn losses_before_keeper_are_reported_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), PLENTY);
    assert_eq!(keeper.keep(&record(1, 3)), Kept::Durable);
    assert!(events(folder.path()).is_empty());
    // Seven frames found no room in the queue.
    keeper.lost_by_run(7);
    assert_eq!(keeper.keep(&record(9, 3)), Kept::Durable);
    assert_eq!(on_record(folder.path()), 7);
    // Further losses are only reported when their number has doubled, and at the end.
    for lost in 8..=13 {
        keeper.lost_by_run(lost);
        assert_eq!(keeper.keep(&record(2 * lost, 3)), Kept::Durable);
    }
    assert_eq!(events(folder.path()).len(), 1);
    keeper.lost_by_run(14);
    assert_eq!(keeper.keep(&record(30, 3)), Kept::Durable);
    assert_eq!(keeper.end("stopped", 16).lost, 16);
    assert_eq!(on_record(folder.path()), 16);
    let texts: Vec<String> = events(folder.path()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), 3);
    for (text, frames) in texts.iter().zip([7, 7, 2]) {
        assert!(text.starts_with(&format!("{frames} frames were not kept: they came faster")), "{texts:?}");
    }
}

#[test]
fn next_keeper_reports_each_loss_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(noon()));
    let run = run(None);
    let open = || Keeper::open(folder.path(), &run, &PLENTY, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let mut first = open();
    leave_pages(&first, 0);
    assert_eq!(first.keep(&record(1, 200)), Kept::NotKept);
    leave_pages(&first, 100);
    assert_eq!(first.keep(&record(2, 200)), Kept::Durable);
    leave_pages(&first, 0);
    for number in 3..=5 {
        assert_eq!(first.keep(&record(number, 2000)), Kept::NotKept);
    }
    // As if its thread died.
    drop(first);
    let mut second = open();
    second.lost_by_run(4);
    assert_eq!(second.keep(&record(6, 1)), Kept::Durable);
    assert_eq!(second.end("stopped", 4).lost, 4);
    assert_eq!(on_record(folder.path()), 4);
    let texts: Vec<String> = events(folder.path()).into_iter().map(|(_, text)| text).collect();
    assert!(
        matches!(&texts[..], [one, three] if one.starts_with("1 frames") && three.starts_with("3 frames")),
        "{texts:?}"
    );
}
