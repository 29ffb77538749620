//! The kind of a cell: the kind maps averaged over its pixels, in integers.

use serde::{Deserialize, Serialize};

use super::{Cell, Labels, runs::runs};
use crate::{
    error::{Error, Result},
    model::manifest::CellRule,
    segmentation::{CellMaps, KindMaps},
};

/// The kind of a cell. Parasites are not a kind: an infected red cell is a red cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A red cell.
    Red,
    /// A white cell, of any sort.
    White,
    /// A platelet. It is listed with the cells but counted separately: [`Kind::is_cell`].
    Platelet,
    /// The models report no kinds.
    #[default]
    Unknown,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Red, Self::White, Self::Platelet, Self::Unknown];

    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::White => "white",
            Self::Platelet => "platelet",
            Self::Unknown => "unknown",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name, if the kind is known.
    pub fn known(self) -> Option<&'static str> {
        (self != Self::Unknown).then(|| self.name())
    }

    /// Whether it counts as a cell; platelets do not.
    pub fn is_cell(self) -> bool {
        self != Self::Platelet
    }

    /// Whether it may have the size of a red cell: red or unknown.
    pub fn may_be_red(self) -> bool {
        matches!(self, Self::Red | Self::Unknown)
    }
}

/// Level of the kind maps where a kind is as likely as red.
pub(super) const EVEN_LEVEL: u8 = 128;

/// `1000 / (1 + exp(-m / 16))`, rounded, for a margin of `m` levels. A margin is at most 128: red is one of the three,
/// and its level is constant.
const THOUSANDTHS: [u16; 129] = [
    500, 516, 531, 547, 562, 577, 593, 608, 622, 637, 651, 665, 679, 693, 706, 719, 731, 743, 755, 766, //
    777, 788, 798, 808, 818, 827, 835, 844, 852, 860, 867, 874, 881, 887, 893, 899, 905, 910, 915, 920, //
    924, 928, 932, 936, 940, 943, 947, 950, 953, 955, 958, 960, 963, 965, 967, 969, 971, 972, 974, 976, //
    977, 978, 980, 981, 982, 983, 984, 985, 986, 987, 988, 988, 989, 990, 990, 991, 991, 992, 992, 993, //
    993, 994, 994, 994, 995, 995, 995, 996, 996, 996, 996, 997, 997, 997, 997, 997, 998, 998, 998, 998, //
    998, 998, 998, 998, 998, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, 999, //
    999, 999, 1000, 1000, 1000, 1000, 1000, 1000, 1000,
];

/// The kind of a cell with `area_px` pixels and these sums of levels, and its confidence in thousandths.
///
/// Means are rounded to levels, and the rule's margin is subtracted from white. The greatest of red (level 128), white and
/// platelet is the kind; red wins ties, and white wins against platelet. The confidence is the logistic function of the
/// margin between the greatest and the second.
fn decide(sums: Sums, area_px: u32, rule: &CellRule) -> (Kind, u16) {
    let area = i64::from(area_px.max(1));
    let logit = |sum: u64| (2 * i64::try_from(sum).unwrap_or(i64::MAX / 4) + area) / (2 * area) - i64::from(EVEN_LEVEL);
    let (white, platelet) = (logit(sums.white) - i64::from(rule.white_margin), logit(sums.platelet));
    let (kind, best, second) = if white.max(platelet) <= 0 {
        (Kind::Red, 0, white.max(platelet))
    } else if white >= platelet {
        (Kind::White, white, platelet.max(0))
    } else {
        (Kind::Platelet, platelet, white.max(0))
    };
    let margin = usize::try_from(best - second).unwrap_or_default();
    (kind, THOUSANDTHS[margin.min(THOUSANDTHS.len() - 1)])
}

/// Sums of the levels of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    white: u64,
    platelet: u64,
    area_px: u32,
}

/// Adds the levels of every pixel to the sums of its label, label 1 first; labels without sums are skipped.
fn add_levels(labels: &Labels, maps: &KindMaps, sums: &mut [Sums]) -> Result<()> {
    if [maps.white.dimensions(), maps.platelet.dimensions()] != [labels.dimensions(); 2] {
        return Err(Error::internal("cells::kind", "kind maps and labels differ in size"));
    }
    let width = (labels.width() as usize).max(1);
    let levels = maps.white.as_raw().chunks_exact(width).zip(maps.platelet.as_raw().chunks_exact(width));
    for (row, (white, platelet)) in labels.as_raw().chunks_exact(width).zip(levels) {
        for run in runs(row, 0) {
            if let Some(of) = sums.get_mut(usize::from(run.value) - 1) {
                let sum = |levels: &[u8]| levels[run.begin..run.end].iter().map(|level| u64::from(*level)).sum::<u64>();
                of.white += sum(white);
                of.platelet += sum(platelet);
                of.area_px += (run.end - run.begin) as u32;
            }
        }
    }
    Ok(())
}

/// Removes the platelets from labels, without renumbering the others. Does nothing if kinds are unknown.
///
/// # Errors
/// [`Error::Internal`] if maps and labels differ in size.
pub fn leave_out_platelets(labels: &mut Labels, maps: &CellMaps, rule: &CellRule) -> Result<()> {
    let Some(maps) = &maps.kinds else { return Ok(()) };
    let most = labels.iter().copied().max().unwrap_or(0);
    let mut sums = vec![Sums::default(); usize::from(most)];
    add_levels(labels, maps, &mut sums)?;
    let is_platelet: Vec<bool> =
        sums.into_iter().map(|sums| decide(sums, sums.area_px, rule).0 == Kind::Platelet).collect();
    for label in labels.iter_mut().filter(|label| **label > 0 && is_platelet[usize::from(**label) - 1]) {
        *label = 0;
    }
    Ok(())
}

/// Determines the kinds in one picture after another, reusing memory.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    sums: Vec<Sums>,
}

impl Kinds {
    /// Bytes that it keeps per cell.
    pub(super) const BYTES_PER_CELL: usize = size_of::<Sums>();

    /// Writes the kind of every cell of `labels`. Reserves memory for `most` cells at once, and for more on demand.
    ///
    /// # Errors
    /// [`Error::Internal`] if maps and labels differ in size.
    pub(super) fn assign(
        &mut self,
        labels: &Labels,
        maps: &KindMaps,
        rule: &CellRule,
        most: usize,
        cells: &mut [Cell],
    ) -> Result<()> {
        let count = cells.last().map_or(0, |cell| usize::from(cell.label));
        self.sums.clear();
        self.sums.reserve_exact(most.max(count));
        self.sums.resize(count, Sums::default());
        add_levels(labels, maps, &mut self.sums)?;
        for cell in cells {
            let sums = self.sums.get(usize::from(cell.label).saturating_sub(1)).copied().unwrap_or_default();
            (cell.kind, cell.kind_thousandths) = decide(sums, cell.area_px, rule);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{GrayImage, Luma};

    use super::*;
    use crate::{
        cells::{measure, properties::RULE},
        consistency::Consistency,
        segmentation::CellMaps,
    };

    fn of(white: u64, platelet: u64) -> (Kind, u16) {
        decide(Sums { white, platelet, area_px: 1 }, 1, &RULE)
    }

    #[test]
    fn white_must_exceed_red_by_the_margin() {
        let of =
            |white, platelet| decide(Sums { white, platelet, area_px: 1 }, 1, &CellRule { white_margin: 32, ..RULE });
        assert_eq!((of(160, 0), of(161, 0)), ((Kind::Red, 500), (Kind::White, 516)));
        assert_eq!((of(144, 0), of(192, 0)), ((Kind::Red, 731), (Kind::White, 881)));
        // Red cells and platelets are decided as before.
        assert_eq!((of(0, 100), of(0, 144)), ((Kind::Red, 852), (Kind::Platelet, 731)));
        assert_eq!((of(176, 144), of(175, 144)), ((Kind::White, 500), (Kind::Platelet, 516)));
        let never = |white| decide(Sums { white, platelet: 0, area_px: 1 }, 1, &CellRule { white_margin: 255, ..RULE });
        assert_eq!((never(255), never(0)), ((Kind::Red, 1000), (Kind::Red, 1000)));
    }

    #[test]
    fn greatest_mean_decides_kind_and_red_wins_ties() {
        assert_eq!(of(0, 0), (Kind::Red, 1000));
        assert_eq!(of(128, 128), (Kind::Red, 500));
        assert_eq!(of(128, 0), (Kind::Red, 500));
        assert_eq!(of(129, 128), (Kind::White, 516));
        assert_eq!(of(0, 144), (Kind::Platelet, 731));
        assert_eq!(of(144, 144), (Kind::White, 500));
        assert_eq!(of(160, 144), (Kind::White, 731));
        assert_eq!(of(255, 0), (Kind::White, 1000));
    }

    #[test]
    fn means_are_rounded_to_levels() {
        let of = |white, area_px| decide(Sums { white, platelet: 0, area_px }, area_px, &RULE);
        assert_eq!(of(3 * 128 + 1, 3), (Kind::Red, 500));
        assert_eq!(of(3 * 128 + 2, 3), (Kind::White, 516));
        assert_eq!(of(2 * 128 + 1, 2), (Kind::White, 516));
        // More pixels than any picture has.
        assert_eq!(of(u64::from(u32::MAX) * 255, u32::MAX).0, Kind::White);
    }

    #[test]
    fn table_is_logistic_and_covers_every_margin() {
        for (margin, thousandths) in THOUSANDTHS.iter().enumerate() {
            let exact = 1000.0 / (1.0 + (-(margin as f64) / 16.0).exp());
            assert_eq!(f64::from(*thousandths), exact.round(), "{margin}");
        }
        let sure = |white, platelet| of(white, platelet).1;
        assert!((0..=255).all(|white| (0..=255).all(|platelet| (500..=1000).contains(&sure(white, platelet)))));
        // The greatest margin is the last entry of the table.
        assert_eq!((of(0, 0).1, THOUSANDTHS[128]), (1000, 1000));
    }

    #[test]
    fn kind_is_decided_by_mean_over_own_pixels() {
        let labels = Labels::from_raw(6, 2, vec![1, 1, 0, 3, 3, 4, 1, 0, 0, 3, 0, 4]).unwrap();
        let level =
            |levels: [u8; 5]| GrayImage::from_fn(6, 2, |x, y| Luma([levels[usize::from(labels.get_pixel(x, y).0[0])]]));
        let map = GrayImage::from_pixel(6, 2, Luma([200]));
        let kinds = KindMaps { white: level([255, 100, 0, 200, 90]), platelet: level([255, 90, 0, 100, 176]) };
        let maps = CellMaps { kinds: Some(kinds), ..CellMaps::without_kinds(map.clone(), map) };
        let picture = image::RgbImage::new(6, 2);
        let consistency = Consistency::new(&picture, &picture).unwrap();
        let kinds_of = |maps: &CellMaps| -> Vec<_> {
            let cells = measure(&labels, maps, &RULE, &consistency).unwrap();
            cells.iter().map(|cell| (cell.label, cell.kind, cell.kind_confidence())).collect()
        };
        let expected = [(1, Kind::Red, Some(0.852)), (3, Kind::White, Some(0.989)), (4, Kind::Platelet, Some(0.953))];
        assert_eq!(kinds_of(&maps), expected);
        let unknown = CellMaps { kinds: None, ..maps.clone() };
        assert!(kinds_of(&unknown).iter().all(|(_, kind, sure)| (*kind, *sure) == (Kind::Unknown, None)));
        let odd = KindMaps { white: GrayImage::new(6, 2), platelet: GrayImage::new(2, 6) };
        assert!(measure(&labels, &CellMaps { kinds: Some(odd), ..maps }, &RULE, &consistency).is_err());
    }

    #[test]
    fn removing_platelets_keeps_other_labels() {
        let mut labels = Labels::from_raw(4, 1, vec![1, 0, 2, 3]).unwrap();
        let map = |levels: [u8; 4]| image::GrayImage::from_raw(4, 1, levels.to_vec()).unwrap();
        let kinds = KindMaps { white: map([100, 0, 100, 200]), platelet: map([100, 0, 180, 100]) };
        let mut maps = CellMaps::empty(4, 1);
        leave_out_platelets(&mut labels, &maps, &RULE).unwrap();
        assert_eq!(labels.as_raw(), &[1, 0, 2, 3]);
        maps.kinds = Some(kinds);
        leave_out_platelets(&mut labels, &maps, &RULE).unwrap();
        assert_eq!(labels.as_raw(), &[1, 0, 0, 3]);
    }

    #[test]
    fn kind_names_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json_name(kind), kind.name());
        }
        assert_eq!(Kind::from_name("parasite"), None);
        assert_eq!((Kind::Unknown.known(), Kind::White.known()), (None, Some("white")));
    }

    fn serde_json_name(kind: Kind) -> String {
        serde_json::to_value(kind).unwrap().as_str().unwrap().into()
    }
}
