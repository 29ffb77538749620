#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::shard::{Shard, mark::tests::common};
use bloodseg_vision::model::golden::sha256;

/// Four pictures, in two shards of two.
fn division(root: &Path) -> [PathBuf; 2] {
    [0, 1].map(|index| {
        let shard = Shard { index, of: 2 };
        let folder = root.join(FOLDER).join(shard.folder());
        fs::create_dir_all(&folder).unwrap();
        let (cells, frames) = (format!("image,cell\na{index},1\n"), format!("image,cells\na{index},1\nb{index},0\n"));
        fs::write(folder.join(table::TABLE), &cells).unwrap();
        fs::write(folder.join(frames::TABLE), &frames).unwrap();
        let mark = Mark {
            shard,
            common: common(4),
            pictures: 2,
            refused: 0,
            cells_sha256: sha256(cells.as_bytes()),
            frames_sha256: sha256(frames.as_bytes()),
        };
        mark.write(&folder).unwrap();
        folder
    })
}

fn change(folder: &Path, change: impl Fn(&mut Mark)) {
    let mut mark = Mark::read(folder).unwrap();
    change(&mut mark);
    mark.write(folder).unwrap();
}

fn merge(named: &[&Path], out: &Path) -> Result<Total> {
    let named: Vec<PathBuf> = named.iter().map(|&path| path.to_owned()).collect();
    join(&whole(find(&named)?)?, out)
}

#[track_caller]
fn refused(named: &[&Path], out: &Path, words: &[&str]) {
    let error = merge(named, out).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Vision(bloodseg_vision::error::ErrorKind::Input));
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} not in: {text}");
    assert!(!out.join(table::TABLE).exists() && !out.join(frames::TABLE).exists());
    assert_eq!(fs::read_dir(out).unwrap().filter(|e| e.as_ref().unwrap().path().is_file()).count(), 0, "no half files");
}

#[test]
fn tables_are_concatenated_under_one_header() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let [first, second] = division(root);
    let total = Total { shards: 2, pictures: 4, refused: 0 };
    for named in [vec![root], vec![&root.join(FOLDER)], vec![&second, &first]] {
        assert_eq!(merge(&named, root).unwrap(), total);
        assert_eq!(fs::read_to_string(root.join(table::TABLE)).unwrap(), "image,cell\na0,1\na1,1\n");
        assert_eq!(fs::read_to_string(root.join(frames::TABLE)).unwrap(), "image,cells\na0,1\nb0,0\na1,1\nb1,0\n");
    }
}

#[test]
fn missing_and_duplicate_shards_are_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let [first, second] = division(root);
    refused(&[&first], root, &["1 of 2 shards are missing: 1/2"]);
    refused(&[&second], root, &["1 of 2 shards are missing: 0/2"]);
    refused(&[root, &second], root, &["shard 1/2 once more", "1-of-2"]);
    refused(&[&root.join("none")], root, &["none"]);
    fs::create_dir(root.join("empty")).unwrap();
    refused(&[&root.join("empty")], root, &["no shards"]);
    fs::remove_file(second.join(FILE)).unwrap();
    refused(&[root], root, &["1-of-2", "not finished"]);
}

#[test]
fn many_missing_shards_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let [first, _] = division(root.path());
    change(&first, |mark| {
        mark.shard.of = 100;
        mark.common.inputs.count = 200;
    });
    let text = merge(&[&first], root.path()).unwrap_err().to_string();
    assert!(text.contains("99 of 100") && text.contains("10/100 and 89 more"), "{text}");
}

#[test]
fn shards_of_different_runs_are_rejected_with_difference() {
    for (spoil, words) in [
        ((|mark| mark.common.version = "9".into()) as fn(&mut Mark), ["version", "0.1.0"]),
        (|mark| mark.common.inputs.sha256 = "other".into(), ["list of pictures", "4 pictures"]),
        (|mark| mark.common.unet.onnx_sha256 = "other".into(), ["segmentation model", "other"]),
        (|mark| mark.common.um_per_px = Some(2.5), ["--um-per-px is 2.5", "not given"]),
        (|mark| mark.common.any_quality = true, ["--any-quality is true", "false"]),
        (|mark| (mark.shard.of, mark.pictures) = (3, 1), ["number of shards is 3", "0-of-2"]),
    ] {
        let root = tempfile::tempdir().unwrap();
        let [_, second] = division(root.path());
        change(&second, spoil);
        refused(&[root.path()], root.path(), &words);
    }
}

#[test]
fn truncated_changed_or_missing_table_is_rejected() {
    for name in [table::TABLE, frames::TABLE] {
        let root = tempfile::tempdir().unwrap();
        let [first, second] = division(root.path());
        let text = fs::read_to_string(second.join(name)).unwrap();
        for spoilt in [&text[..text.len() - 1], "", &text.replace(",1", ",2"), &text.replace("image", "picture")] {
            fs::write(second.join(name), spoilt).unwrap();
            refused(&[root.path()], root.path(), &["1-of-2", name]);
        }
        fs::remove_file(second.join(name)).unwrap();
        refused(&[root.path()], root.path(), &["1-of-2", name]);
        fs::write(first.join(name), "x").unwrap();
        refused(&[root.path()], root.path(), &["0-of-2", name]);
    }
}

#[test]
fn output_in_shard_folder_is_rejected() {
    let root = tempfile::tempdir().unwrap();
    let [first, _] = division(root.path());
    let before = fs::read(first.join(table::TABLE)).unwrap();
    let error = merge(&[root.path()], &first).unwrap_err().to_string();
    assert!(error.contains("folder of a shard"), "{error}");
    assert_eq!(fs::read(first.join(table::TABLE)).unwrap(), before);
}

#[test]
fn no_tables_without_usable_pictures() {
    let root = tempfile::tempdir().unwrap();
    division(root.path()).iter().for_each(|folder| change(folder, |mark| mark.refused = 2));
    assert_eq!(merge(&[root.path()], root.path()).unwrap(), Total { shards: 2, pictures: 4, refused: 4 });
    assert!(!root.path().join(table::TABLE).exists());
}
