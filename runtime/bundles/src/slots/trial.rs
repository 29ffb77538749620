//! The first frames of new models: confirms them or rolls back.

use crate::limits::MIN_TRIAL_FRAMES;

/// The outcome of a frame under models on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// Both models ran, and cells were counted.
    Counted,
    /// The frame was not good enough to count; only super-resolution ran.
    Looked,
    /// The analysis rejected the output of the models.
    Refused,
    /// The engine failed.
    Broke(String),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The trial continues, or is already over.
    GoOn,
    /// Confirm the models: [`super::Slots::confirm`].
    Confirm,
    /// Roll back, for this reason: [`super::Slots::fall_back`].
    GoBack(String),
}

/// A trial, frame by frame.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    counted: u32,
    refused: u32,
    is_over: bool,
}

impl Trial {
    /// Records a frame and returns what to do.
    pub fn frame(&mut self, tried: Tried) -> Next {
        if self.is_over {
            return Next::GoOn;
        }
        let next = self.next(tried);
        self.is_over = matches!(next, Next::Confirm | Next::GoBack(_));
        next
    }

    fn next(&mut self, tried: Tried) -> Next {
        match tried {
            Tried::Broke(reason) => return Next::GoBack(reason),
            Tried::Refused => self.refused += 1,
            // It says nothing about the segmenter.
            Tried::Looked => {}
            Tried::Counted => self.counted += 1,
        }
        if 2 * self.refused > MIN_TRIAL_FRAMES {
            let Self { counted, refused, .. } = self;
            return Next::GoBack(format!("{refused} frames refused and {counted} counted"));
        }
        if self.counted >= MIN_TRIAL_FRAMES { Next::Confirm } else { Next::GoOn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decision after the last frame, and the number of decisions before it.
    fn after(frames: &[(Tried, u32)]) -> (Next, usize) {
        let mut trial = Trial::default();
        let all = frames.iter().flat_map(|(tried, count)| vec![tried.clone(); *count as usize]);
        let mut steps: Vec<Next> = all.map(|tried| trial.frame(tried)).collect();
        let last = steps.pop().unwrap_or(Next::GoOn);
        (last, steps.iter().filter(|step| **step != Next::GoOn).count())
    }

    #[test]
    fn counted_frames_confirm_models() {
        let most = MIN_TRIAL_FRAMES;
        assert_eq!(after(&[(Tried::Counted, most - 1)]), (Next::GoOn, 0));
        assert_eq!(after(&[(Tried::Counted, most)]), (Next::Confirm, 0));
        assert_eq!(after(&[(Tried::Counted, most), (Tried::Broke("late".into()), 1)]), (Next::GoOn, 1));
        assert_eq!(after(&[(Tried::Refused, most / 2), (Tried::Counted, most)]), (Next::Confirm, 0));
    }

    #[test]
    fn uncountable_frames_do_not_affect_trial() {
        let most = MIN_TRIAL_FRAMES;
        assert_eq!(after(&[(Tried::Looked, 9 * most)]), (Next::GoOn, 0));
        assert_eq!(after(&[(Tried::Looked, 9 * most), (Tried::Counted, most)]), (Next::Confirm, 0));
    }

    #[test]
    fn engine_failure_or_mostly_refused_frames_roll_back() {
        assert_eq!(after(&[(Tried::Broke("bang".into()), 1)]), (Next::GoBack("bang".into()), 0));
        let refused = MIN_TRIAL_FRAMES / 2 + 1;
        let (next, before) = after(&[(Tried::Counted, 3), (Tried::Refused, refused)]);
        assert_eq!((next, before), (Next::GoBack(format!("{refused} frames refused and 3 counted")), 0));
    }
}
