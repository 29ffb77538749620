//! Groups of fields with similar stain and light, so that a training can leave one out and be measured on it.
//!
//! A stain is described by its absorption: the mean optical density (Beer-Lambert: -ln((level + 1) / 256)) of the cells
//! minus that of the glass, in red, green and blue, and the density of the glass, which comes from the lamp. Fields are
//! grouped by k-means (Lloyd, 1982) with each feature normalised to zero mean and unit variance, starting with
//! farthest-first traversal (Gonzalez, 1985): without random draws, the same fields give the same groups.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::field::Field;

/// Number of groups.
pub const GROUPS: usize = 4;
/// Only every n-th pixel in each direction is read, which is enough for a mean.
const STRIDE_PX: usize = 4;
/// Maximum number of k-means iterations.
const MOST_ROUNDS: usize = 100;

/// Red, green and blue of the cells minus the glass, and of the glass, as optical densities.
pub type Features = [f64; 4];

/// Fields of one stain.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Indices into the grouped fields, ascending.
    pub members: Vec<usize>,
    /// Means over them.
    pub mean: Features,
}

/// The features of a field's stain; `None` for a field without cells or without glass.
pub fn features(field: &Field) -> Option<Features> {
    let density: Vec<f64> = (0..256).map(|level| -((f64::from(level) + 1.0) / 256.0).ln()).collect();
    let width = field.picture.width() as usize;
    let (mut sums, mut counts) = ([[0.0; 3]; 2], [0.0; 2]);
    let rows = field.picture.as_raw().chunks_exact(width * 3).zip(field.mask.as_raw().chunks_exact(width));
    for (picture, mask) in rows.step_by(STRIDE_PX) {
        for (pixel, level) in picture.chunks_exact(3).zip(mask).step_by(STRIDE_PX) {
            let inside = usize::from(*level > 127);
            counts[inside] += 1.0;
            for (sum, level) in sums[inside].iter_mut().zip(pixel) {
                *sum += density[usize::from(*level)];
            }
        }
    }
    if counts.contains(&0.0) {
        return None;
    }
    let mean = |inside: usize, channel: usize| sums[inside][channel] / counts[inside];
    let stain = |channel| mean(1, channel) - mean(0, channel);
    Some([stain(0), stain(1), stain(2), (mean(0, 0) + mean(0, 1) + mean(0, 2)) / 3.0])
}

/// At most [`GROUPS`] groups of fields given by their features, the largest first. Fewer if there are fewer stains; a
/// field without features joins the group nearest to the overall mean.
pub fn groups(fields: &[Option<Features>]) -> Vec<Group> {
    let points = standardised(fields);
    let mut centres = farthest_first(&points);
    let mut nearest = assign(&points, &centres);
    for _ in 0..MOST_ROUNDS {
        for (group, centre) in centres.iter_mut().enumerate() {
            let members: Vec<usize> = (0..points.len()).filter(|index| nearest[*index] == group).collect();
            // A group that lost all its fields keeps its centre.
            *centre = mean_of(&points, &members).unwrap_or(*centre);
        }
        let next = assign(&points, &centres);
        if next == nearest {
            break;
        }
        nearest = next;
    }
    let raw: Vec<Features> = filled(fields);
    let mut groups: Vec<Group> = (0..centres.len())
        .filter_map(|group| {
            let members: Vec<usize> = (0..points.len()).filter(|index| nearest[*index] == group).collect();
            mean_of(&raw, &members).map(|mean| Group { members, mean })
        })
        .collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.members.len()), group.members.first().copied()));
    groups
}

/// The group `number`, counted from 1 as [`table`] does.
///
/// # Errors
/// A number of no group.
pub fn pick(groups: &[Group], number: usize) -> Result<&Group> {
    match number.checked_sub(1).and_then(|index| groups.get(index)) {
        Some(group) => Ok(group),
        None => bail!(
            "--leave-out-stain {number}: no such group; expected 1 to {}. `train-host stains` lists them",
            groups.len()
        ),
    }
}

/// The groups as a table, one line each, optionally followed by the names of their fields.
pub fn table(groups: &[Group], names: &[String], with_names: bool) -> String {
    let mut text = String::from("group  fields     red   green    blue   glass\n");
    for (group, number) in groups.iter().zip(1..) {
        let [red, green, blue, glass] = group.mean;
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "{number:5}  {:6}  {red:6.3}  {green:6.3}  {blue:6.3}  {glass:6.3}", group.members.len());
        for name in group.members.iter().filter_map(|index| names.get(*index)).filter(|_| with_names) {
            let _ = writeln!(text, "         {name}");
        }
    }
    text.push_str("red, green, blue: mean optical density of the cells less that of the glass; glass: its own\n");
    text
}

/// The features, with the overall mean for fields without any.
fn filled(fields: &[Option<Features>]) -> Vec<Features> {
    let known: Vec<Features> = fields.iter().flatten().copied().collect();
    let mean = mean_of(&known, &(0..known.len()).collect::<Vec<_>>()).unwrap_or_default();
    fields.iter().map(|features| features.unwrap_or(mean)).collect()
}

/// Normalises each feature to zero mean and unit variance; a constant one becomes zero.
fn standardised(fields: &[Option<Features>]) -> Vec<Features> {
    let mut points = filled(fields);
    let count = points.len().max(1) as f64;
    for feature in 0..points.first().map_or(0, |point| point.len()) {
        let mean = points.iter().map(|p| p[feature]).sum::<f64>() / count;
        let deviation = (points.iter().map(|p| (p[feature] - mean).powi(2)).sum::<f64>() / count).sqrt();
        let scale = if deviation > 1e-9 { deviation.recip() } else { 0.0 };
        points.iter_mut().for_each(|p| p[feature] = (p[feature] - mean) * scale);
    }
    points
}

/// The point nearest to the overall mean, then repeatedly the point farthest from those chosen.
fn farthest_first(points: &[Features]) -> Vec<Features> {
    let from_mean = |index: &usize| distance(&points[*index], &Features::default());
    let Some(first) = (0..points.len()).min_by(|a, b| from_mean(a).total_cmp(&from_mean(b))) else { return Vec::new() };
    let mut centres = vec![points[first]];
    while centres.len() < GROUPS {
        let apart = |point: &Features| centres.iter().map(|c| distance(point, c)).fold(f64::INFINITY, f64::min);
        // The first of several equally far ones.
        let farthest = points.iter().rev().max_by(|a, b| apart(a).total_cmp(&apart(b)));
        match farthest.filter(|point| apart(point) > 0.0) {
            Some(point) => centres.push(*point),
            None => break,
        }
    }
    centres
}

/// The nearest centre of every point, the first of several equally near ones.
fn assign(points: &[Features], centres: &[Features]) -> Vec<usize> {
    let nearest = |point: &Features| {
        let to = |index: &usize| distance(point, &centres[*index]);
        (0..centres.len()).min_by(|a, b| to(a).total_cmp(&to(b))).unwrap_or_default()
    };
    points.iter().map(nearest).collect()
}

fn mean_of(points: &[Features], members: &[usize]) -> Option<Features> {
    if members.is_empty() {
        return None;
    }
    let sum = |feature: usize| members.iter().map(|index| points[*index][feature]).sum::<f64>();
    Some(std::array::from_fn(|feature| sum(feature) / members.len() as f64))
}

fn distance(a: &Features, b: &Features) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bloodseg_smear::{SmearSpec, render, stain::Stain};

    use super::*;

    fn field(stain: Stain, seed: u64) -> Field {
        let smear = render(&SmearSpec { stain, ..SmearSpec::field(320, 256) }, seed);
        Field::of_mask(seed.to_string(), smear.picture, smear.mask)
    }

    #[test]
    fn two_stains_are_not_mixed_in_a_group() {
        let stains = [Stain::VIOLET, Stain::SLATE, Stain::VIOLET, Stain::VIOLET, Stain::SLATE, Stain::VIOLET];
        let fields: Vec<Field> = stains.into_iter().zip(1..).map(|(stain, seed)| field(stain, seed)).collect();
        let features: Vec<Option<Features>> = fields.iter().map(features).collect();
        let groups = groups(&features);
        // Four groups are requested; none of them may mix the two stains.
        for group in &groups {
            let mixed: Vec<bool> = group.members.iter().map(|index| stains[*index] == Stain::SLATE).collect();
            assert!(mixed.windows(2).all(|w| w[0] == w[1]), "{groups:?}");
        }
        let mut members: Vec<usize> = groups.iter().flat_map(|g| g.members.clone()).collect();
        members.sort_unstable();
        assert_eq!(members, [0, 1, 2, 3, 4, 5]);
        let [violet, slate] = [features[0].unwrap(), features[1].unwrap()];
        assert!(slate[0] > violet[0] + 0.1 && slate[2] > violet[2] + 0.1, "{violet:?} {slate:?}");
    }

    #[test]
    fn distinct_groups_are_found_in_any_order() {
        let at = |x: f64, glass: f64| Some([x, 0.5, 0.2, glass]);
        let forward = [at(0.2, 0.1), at(0.21, 0.1), at(0.22, 0.11), at(0.9, 0.1), at(0.91, 0.1), at(0.5, 0.9)];
        let sizes = |fields: &[Option<Features>]| groups(fields).iter().map(|g| g.members.len()).collect::<Vec<_>>();
        let mut three = forward.to_vec();
        three.extend([at(0.9, 0.9), at(0.91, 0.9), at(0.92, 0.9), at(0.93, 0.9)]);
        assert_eq!(sizes(&three), [4, 3, 2, 1]);
        three.reverse();
        assert_eq!(sizes(&three), [4, 3, 2, 1]);
    }

    #[test]
    fn few_identical_and_blank_fields_are_grouped() {
        assert!(groups(&[]).is_empty());
        assert_eq!(groups(&[Some([0.3; 4]); 5]).len(), 1);
        assert_eq!(groups(&[None, None]).len(), 1);
        let found = groups(&[Some([0.1; 4]), None, Some([0.9; 4])]);
        assert_eq!(found.iter().map(|g| g.members.len()).sum::<usize>(), 3);
        assert!(found.iter().all(|g| g.mean.iter().all(|m| m.is_finite())));
        let mut blank = field(Stain::PALE, 1);
        blank.mask.fill(0);
        assert_eq!(features(&blank), None);
    }

    #[test]
    fn group_is_picked_by_number() {
        let groups = groups(&[Some([0.1; 4]), Some([0.1; 4]), Some([0.9; 4])]);
        assert_eq!(pick(&groups, 2).unwrap().members, [2]);
        for number in [0, 3, usize::MAX] {
            assert!(pick(&groups, number).unwrap_err().to_string().contains("1 to 2"));
        }
        let names = ["a", "b", "c"].map(str::to_owned);
        assert!(table(&groups, &names, true).contains("         c\n"));
        assert!(!table(&groups, &names, false).contains("         c\n"));
    }
}
