#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    folder
}

fn all(named: &[PathBuf], recursive: bool) -> Result<Vec<Input>> {
    collect(named, recursive, &BTreeSet::new())
}

fn stems(folder: &Path, recursive: bool) -> Vec<String> {
    all(&[folder.to_owned()], recursive).unwrap().into_iter().map(|input| input.stem).collect()
}

#[test]
fn folder_yields_its_pictures_by_name() {
    let folder = folder(&["b.png", "a.JPG", "a.sr.png", "notes.txt", "._b.png", ".x/d.png", "sub/c.tif"]);
    assert_eq!(stems(folder.path(), false), ["a", "b"]);
    assert_eq!(stems(folder.path(), true), ["a", "b", "sub/c"]);
}

#[test]
fn folder_without_pictures_is_refused() {
    let empty = folder(&["notes.txt", "._a.png"]);
    assert!(all(&[empty.path().to_owned()], false).unwrap_err().to_string().contains("without pictures"));
}

#[test]
fn stems_keep_folders_and_colliding_extensions() {
    let folder = folder(&["slide1/0001.png", "slide2/0001.png", "slide2/b.tif", "slide2/B.png", "slide2/c.d.png"]);
    assert_eq!(
        stems(folder.path(), true),
        ["slide1/0001", "slide2/0001", "slide2/B.png", "slide2/b.tif", "slide2/c.d"]
    );
    let one = |path: &str| folder.path().join(path);
    let error = all(&[one("slide1"), one("slide2")], false).unwrap_err().to_string();
    assert!(error.contains("the same name as") && error.contains("0001.png"), "{error}");
    let taken = BTreeSet::from(["0001.tif".to_owned()]);
    assert_eq!(collect(&[one("slide1/0001.png")], false, &taken).unwrap()[0].stem, "0001.png");
}

#[cfg(unix)]
#[test]
fn folder_is_read_once_despite_links() {
    let folder = folder(&["a/p.png", "b/q.png"]);
    let at = |name: &str| folder.path().join(name);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(at(to), at(name)).unwrap();
    link("", "a/loop");
    link("b", "a/aside");
    link("b", "0first");
    assert_eq!(stems(folder.path(), true), ["a/p", "b/q"]);
    let twice = [folder.path().join("b"), folder.path().join("a/aside")];
    assert_eq!(all(&twice, false).unwrap().len(), 1);
}

#[test]
fn file_is_accepted_whatever_its_name() {
    assert_eq!(all(&["x/a.dat".into()], false).unwrap()[0].stem, "a");
    assert_eq!(all(&["x/.a.png".into()], false).unwrap()[0].name, ".a.png");
}

#[test]
fn results_never_overwrite_inputs() {
    let folder = folder(&["a.png", "a.mask.png"]);
    let inputs = all(&[folder.path().join("a.png"), folder.path().join("a.mask.png")], false).unwrap();
    assert!(check_apart(&inputs, folder.path()).is_err());
    assert!(check_apart(&inputs, &folder.path().join("out")).is_ok());
}
