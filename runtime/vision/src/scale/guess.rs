//! A rough cell size for a picture of any magnification, without a model, because models know only one magnification.
//!
//! For discs scattered over a plane, similarity at a distance depends on the overlap of a disc with itself shifted by it:
//! one half at 0.404 of the diameter (Matheron, "Random sets and integral geometry", 1975). So the distance at which
//! pixels are half as similar as neighbours gives the diameter, independent of the stain. Rims, pallor and the lens
//! reduce it; on real smears the diameter is 0.6 to 2 times the estimate.

use super::thumb::Thumb;

/// Distance of half similarity in cell diameters: 0.404 for a disc, times 0.74, the median for real cells.
const HALF_LIKE: f64 = 0.3;

/// Greatest cell size considered, as a share of the shorter side.
const MOST_SHARE: f64 = 0.45;

/// Minimum number of lit pixels.
const LEAST_LIT_PX: usize = 16;

/// Terms of the trend: a polynomial of degree 2 in x and y.
const TERMS: usize = 6;

/// The rough diameter of cells in pixels of the downscaled picture; `None` if no size stands out.
pub(super) fn diameter_px(thumb: &Thumb) -> Option<f64> {
    let levels = without_trend(thumb)?;
    Some(half_like_px(&levels, thumb)? / HALF_LIKE * thumb.shrink)
}

/// The green levels minus their trend, which comes from the lamp; 0 where the picture is not lit.
fn without_trend(thumb: &Thumb) -> Option<Vec<f64>> {
    let terms = |at: usize| {
        let x = (at % thumb.width) as f64 / thumb.width as f64 - 0.5;
        let y = (at / thumb.width) as f64 / thumb.height as f64 - 0.5;
        [1.0, x, y, x * x, x * y, y * y]
    };
    let lit = || (0..thumb.green.len()).filter(|at| thumb.lit[*at]);
    if lit().count() < LEAST_LIT_PX {
        return None;
    }
    let mut equations = [[0.0; TERMS + 1]; TERMS];
    for at in lit() {
        let terms = terms(at);
        for (row, factor) in equations.iter_mut().zip(terms) {
            for (sum, term) in row.iter_mut().zip(terms.into_iter().chain([thumb.green[at]])) {
                *sum += factor * term;
            }
        }
    }
    let weights = solve(equations);
    let mut rest = vec![0.0; thumb.green.len()];
    for at in lit() {
        rest[at] = thumb.green[at] - terms(at).iter().zip(weights).map(|(term, weight)| term * weight).sum::<f64>();
    }
    Some(rest)
}

/// Solves symmetric equations by elimination; a redundant term gets no weight.
fn solve(mut equations: [[f64; TERMS + 1]; TERMS]) -> [f64; TERMS] {
    let least = 1e-9 * equations[0][0];
    for pivot in 0..TERMS {
        let row = equations[pivot];
        if row[pivot] <= least {
            equations[pivot] = [0.0; TERMS + 1];
            continue;
        }
        for (other, below) in equations.iter_mut().enumerate() {
            if other != pivot {
                let factor = below[pivot] / row[pivot];
                below.iter_mut().zip(row).for_each(|(value, from)| *value -= factor * from);
            }
        }
    }
    std::array::from_fn(|at| {
        let (own, sum) = (equations[at][at], equations[at][TERMS]);
        if own > least { sum / own } else { 0.0 }
    })
}

/// The distance in x or y at which pixels are half as similar as neighbours would be without noise.
fn half_like_px(levels: &[f64], thumb: &Thumb) -> Option<f64> {
    let most = ((thumb.width.min(thumb.height) as f64 * MOST_SHARE) as usize).max(2);
    let near = likeness(levels, thumb, 1);
    // Noise only contributes at distance 0, so the similarity there is extrapolated from the next two.
    let top = near + (near - likeness(levels, thumb, 2)).max(0.0);
    let half = top / 2.0;
    if near <= 0.0 {
        return None;
    }
    if near <= half {
        return Some(1.0);
    }
    let mut before = near;
    for lag in 2..=most {
        let here = likeness(levels, thumb, lag);
        if here <= half {
            return Some((lag - 1) as f64 + (before - half) / (before - here));
        }
        before = here;
    }
    None
}

/// Mean product of lit pixels at this distance in a row or column.
fn likeness(levels: &[f64], thumb: &Thumb, lag: usize) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0_u64);
    let rows = levels.chunks_exact(thumb.width).zip(thumb.lit.chunks_exact(thumb.width));
    for (y, (row, lit)) in rows.enumerate() {
        let beside = (row.get(lag..).unwrap_or_default(), lit.get(lag..).unwrap_or_default());
        let start = (y + lag) * thumb.width;
        let below = (levels.get(start..).unwrap_or_default(), thumb.lit.get(start..).unwrap_or_default());
        for other in [beside, below] {
            sum += row.iter().zip(other.0).map(|(a, b)| a * b).sum::<f64>();
            pairs += lit.iter().zip(other.1).map(|(a, b)| u64::from(*a && *b)).sum::<u64>();
        }
    }
    sum / pairs.max(1) as f64
}
