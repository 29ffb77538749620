//! Selects the field for a window: first the source, by its weight, then one of its fields.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use super::field::Field;

/// The fields of each source, and its weight.
#[derive(Debug)]
pub struct Sources {
    /// Cumulative weights and fields of the sources.
    groups: Vec<(f64, Vec<usize>)>,
}

impl Sources {
    /// Groups fields.
    pub fn of(fields: &[Field]) -> Self {
        Self::with(fields, |_| true)
    }

    /// Groups those fields that `keep` accepts.
    pub fn with(fields: &[Field], keep: impl Fn(&Field) -> bool) -> Self {
        let mut by_name: BTreeMap<&str, (f64, Vec<usize>)> = BTreeMap::new();
        for (index, field) in fields.iter().enumerate().filter(|(_, field)| keep(field)) {
            let group = by_name.entry(&field.source).or_insert((field.share, Vec::new()));
            group.1.push(index);
        }
        let mut sum = 0.0;
        let up_to = |(share, members): (f64, Vec<usize>)| {
            sum += share;
            (sum, members)
        };
        Self { groups: by_name.into_values().map(up_to).collect() }
    }

    /// Whether no field was kept.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Draws a field; `fields` are those that were grouped, at least one.
    pub fn draw<'a>(&self, fields: &'a [Field], rng: &mut impl Rng) -> &'a Field {
        let whole = self.groups.last().map_or(1.0, |(sum, _)| *sum);
        let drawn = rng.random_range(0.0..whole);
        let group = self.groups.iter().find(|(sum, _)| drawn < *sum).or(self.groups.last());
        let members = group.map_or(&[][..], |(_, members)| members);
        let index = members.get(rng.random_range(0..members.len().max(1))).copied().unwrap_or(0);
        &fields[index]
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, RgbImage};
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn sources_are_drawn_by_weight_not_field_count() {
        let field = |source: &str, share: f64| Field {
            source: source.into(),
            share,
            ..Field::of_mask("f".into(), RgbImage::new(4, 4), GrayImage::new(4, 4))
        };
        let mut fields: Vec<Field> = (0..30).map(|_| field("many", 1.0)).collect();
        fields.push(field("one", 3.0));
        let (sources, mut rng) = (Sources::of(&fields), Pcg64Mcg::seed_from_u64(1));
        let drawn = (0..4000).filter(|_| sources.draw(&fields, &mut rng).source == "one").count();
        assert!((2850..3150).contains(&drawn), "{drawn}");
        let kept = Sources::with(&fields, |field| field.source == "one");
        assert!((0..20).all(|_| kept.draw(&fields, &mut rng).source == "one") && !kept.is_empty());
        assert!(Sources::with(&fields, |_| false).is_empty());
    }
}
