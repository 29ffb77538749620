//! A field run whole through the nets and the same field cut into tiles must give the same cells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{collections::BTreeMap, path::Path};

use bloodseg_vision::{
    cells::{self, Labels},
    frame::{decode, limits::MAX_WHOLE_FIELD_PX, reference},
    geometry::TILE_PX,
    model::store::Models,
    pipeline::Pipeline,
    segmentation::Segmenter,
    super_resolution::SuperResolution,
};
use image::{RgbImage, imageops};

/// Four rendered fields side by side, 128x128: nine tiles.
const EDGE: u32 = TILE_PX * 2;

fn field() -> RgbImage {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/synth/img");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut field = RgbImage::new(EDGE, EDGE);
    for (at, path) in (0_u32..4).zip(paths) {
        let tile = reference::prepare(&decode::read_picture(&path, MAX_WHOLE_FIELD_PX).unwrap()).unwrap().lr;
        imageops::replace(&mut field, &tile, i64::from(at % 2 * TILE_PX), i64::from(at / 2 * TILE_PX));
    }
    field
}

/// How many cells of `a` have a cell of `b` with an intersection over union above `least`.
fn matched(a: &Labels, b: &Labels, least: f64) -> usize {
    let mut areas: [BTreeMap<u16, u32>; 2] = Default::default();
    let mut common: BTreeMap<(u16, u16), u32> = BTreeMap::new();
    for (a, b) in a.pixels().zip(b.pixels()) {
        let pair = (a.0[0], b.0[0]);
        *areas[0].entry(pair.0).or_default() += 1;
        *areas[1].entry(pair.1).or_default() += 1;
        *common.entry(pair).or_default() += 1;
    }
    let overlaps = common.iter().filter(|((a, b), both)| {
        let either = areas[0][a] + areas[1][b] - **both;
        *a > 0 && *b > 0 && f64::from(**both) / f64::from(either) > least
    });
    overlaps.count()
}

#[test]
fn tiled_field_has_the_cells_of_the_whole_field() {
    let Ok(models) = Models::embedded() else {
        println!("skipped: this build carries no models");
        return;
    };
    let field = field();
    let mut pipeline = Pipeline::load(&models).unwrap();
    let in_tiles = pipeline.analyse(&field).unwrap();
    assert_eq!(in_tiles.tiles, 9);

    let sr = SuperResolution::load_for(&models.ssr, EDGE, EDGE).unwrap().run(&field).unwrap();
    let mut segmenter = Segmenter::load_for(&models.unet, EDGE * 4, EDGE * 4).unwrap();
    let maps = segmenter.run(&segmenter.prepare(&field, &sr)).unwrap();
    let whole = cells::split(&maps, &models.unet.manifest.cells.unwrap()).unwrap();

    let (tiles, whole_cells) = (in_tiles.cells.len(), usize::from(whole.as_raw().iter().copied().max().unwrap()));
    println!("{tiles} cells in tiles, {whole_cells} whole");
    assert!(whole_cells > 80, "too few cells to compare: {whole_cells}");
    // A level on the edge of a threshold may fall either way where a tile saw its border: one cell in fifty.
    let slack = whole_cells / 50;
    assert!(tiles.abs_diff(whole_cells) <= slack, "{tiles} cells in tiles, {whole_cells} whole");
    let same = matched(&whole, &in_tiles.labels, 0.8);
    assert!(whole_cells - same <= slack, "{same} of {whole_cells} cells are the same");
}

#[test]
fn cells_that_differ_do_not_match() {
    let a = Labels::from_raw(4, 1, vec![1, 1, 2, 2]).unwrap();
    let b = Labels::from_raw(4, 1, vec![1, 1, 0, 2]).unwrap();
    assert_eq!((matched(&a, &a, 0.8), matched(&a, &b, 0.8), matched(&a, &b, 0.4)), (2, 1, 2));
}
