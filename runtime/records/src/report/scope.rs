//! What a page is about: a run, or all frames of a sample, from however many calls and runs.

use crate::{
    error::Result,
    sample::Sample,
    store::{
        about::{EventRow, ModelRow, RunRow},
        read::{Filter, Records},
    },
    validation::Validation,
};

/// See the module.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Its frames.
    pub filter: Filter,
    /// The run, or the latest one with frames of the sample.
    pub run: RunRow,
    /// Numbers of all its runs.
    pub runs: Vec<i64>,
    /// What is recorded about the sample: several entries if operator, stain or note were changed. For a run, its
    /// samples.
    pub samples: Vec<Sample>,
    /// A person's counts, by which the cells per field are corrected.
    pub validation: Option<Validation>,
}

impl Scope {
    /// A run.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when the records cannot be read.
    pub fn of_run(records: &Records, run: RunRow) -> Result<Self> {
        let filter = Filter { run: Some(run.id), ..Filter::default() };
        let samples = records.samples_of_run(run.id)?;
        Ok(Self { filter, runs: vec![run.id], samples, run, validation: None })
    }

    /// All frames of the sample with this name; none if there is no such sample.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when the records cannot be read.
    pub fn of_sample(records: &Records, name: &str) -> Result<Option<Self>> {
        let runs = records.runs_of_sample(name)?;
        let Some(latest) = runs.last() else { return Ok(None) };
        let Some(run) = records.run(*latest)? else { return Ok(None) };
        let filter = Filter { sample: Some(name.to_owned()), ..Filter::default() };
        Ok(Some(Self { filter, samples: records.samples(name)?, run, runs, validation: None }))
    }

    /// Whether it is a sample.
    pub(super) fn is_of_sample(&self) -> bool {
        self.filter.sample.is_some()
    }

    /// Its title.
    pub(super) fn title(&self) -> String {
        match &self.filter.sample {
            Some(name) => format!("Sample {name}"),
            None => format!("Run {} of {}", self.run.id, self.run.source),
        }
    }

    /// The models of its runs, without duplicates.
    pub(super) fn models(&self, records: &Records) -> Result<Vec<ModelRow>> {
        let mut models: Vec<ModelRow> = Vec::new();
        for run in &self.runs {
            for model in records.models(*run)? {
                if !models.contains(&model) {
                    models.push(model);
                }
            }
        }
        Ok(models)
    }

    /// The latest events of its runs, at most `most`, in order; and their total number.
    pub(super) fn events(&self, records: &Records, most: usize) -> Result<(Vec<EventRow>, u64)> {
        let (mut events, mut all) = (Vec::new(), 0);
        for run in self.runs.iter().rev() {
            let (mut of_run, count) = records.events(*run, most.saturating_sub(events.len()))?;
            all += count;
            of_run.append(&mut events);
            events = of_run;
        }
        Ok((events, all))
    }
}
