//! Many pictures on several threads.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread::{self, available_parallelism},
    time::Duration,
};

use bloodseg_vision::{
    analyser::{Analyser, Known, Shared},
    error::Error,
};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::{exceptions::PyOverflowError, prelude::*, types::PyBool};

use crate::{
    errors::{Failure, guarded},
    picture,
    result::Taken,
};

/// Maximum number of threads; more would only use memory.
const MAX_THREADS: usize = 64;

/// Interval at which Ctrl-C is checked.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

type Outcome = Result<Taken, Failure>;

/// The arrays of a list or of any other iterable.
///
/// # Errors
/// [`Error::Picture`] for a single picture, whose rows would be taken for pictures.
pub(crate) fn listed(arrays: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyAny>>> {
    let is_single = arrays.cast::<PyUntypedArray>().is_ok_and(|array| array.ndim() < 4);
    let fault = |found: String| {
        let todo = "Pass [array], or one picture to segment";
        PyErr::from(Failure::Ours(Error::picture(found, "a list of arrays", todo)))
    };
    if is_single {
        return Err(fault("a single array".to_owned()));
    }
    let name = || arrays.get_type().name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string());
    let items = arrays.try_iter().map_err(|_| fault(format!("an object of type {}", name())))?;
    items.map(|item| item.map(Bound::unbind)).collect()
}

/// Number of threads for `count` pictures: as many as the processor has, by default.
///
/// # Errors
/// [`Error::Picture`] for zero, or more than [`MAX_THREADS`].
pub(crate) fn threads(given: Option<&Bound<'_, PyAny>>, count: usize) -> PyResult<usize> {
    let threads = match given {
        None => available_parallelism().map_or(1, usize::from).min(MAX_THREADS),
        Some(threads) => within("threads", threads, 1, MAX_THREADS as u64)? as usize,
    };
    Ok(threads.min(count.max(1)))
}

/// A Python integer from `least` to `most`.
///
/// # Errors
/// [`Error::Input`] with `name` for any other integer or a boolean, even if no Rust type holds it; a `TypeError` for anything else.
pub(crate) fn within(name: &str, given: &Bound<'_, PyAny>, least: u64, most: u64) -> PyResult<u64> {
    let fault = || Error::picture(given, format!("a whole number of {least} to {most}"), "").at(Path::new(name));
    if is_truth(given) {
        return Err(Failure::Ours(fault()).into());
    }
    match given.extract::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Err(error) if !error.is_instance_of::<PyOverflowError>(given.py()) => Err(error),
        _ => Err(Failure::Ours(fault()).into()),
    }
}

/// A Python number.
///
/// # Errors
/// [`Error::Input`] with `name` for a boolean; a `TypeError` for what is not a number.
pub(crate) fn number(name: &str, given: &Bound<'_, PyAny>) -> PyResult<f64> {
    if is_truth(given) {
        return Err(Failure::Ours(Error::picture(given, "a number", "").at(Path::new(name))).into());
    }
    given.extract()
}

/// Whether it is a `bool` of Python or NumPy: both pass as the numbers 0 and 1.
fn is_truth(given: &Bound<'_, PyAny>) -> bool {
    let is_numpy = || given.get_type().name().is_ok_and(|name| name == "bool_" || name == "bool");
    given.is_instance_of::<PyBool>() || is_numpy()
}

/// Results in the order of `arrays`, the same for any number of threads: the common scale is fixed before the first
/// picture, and no picture depends on another.
///
/// # Errors
/// The exception of the first picture that cannot be used, unless `return_exceptions`; an interrupt.
pub(crate) fn segment(
    py: Python<'_>,
    mut analyser: Analyser,
    arrays: &[Py<PyAny>],
    threads: usize,
    return_exceptions: bool,
) -> PyResult<Vec<Py<PyAny>>> {
    let (outcomes, interrupt) = py.detach(|| {
        let shared = guarded(|| Ok(analyser.share_scale(arrays.len(), |at| Ok(arrays.get(at).and_then(readable)))?))?;
        let work = Work { arrays, shared, return_exceptions, next: AtomicUsize::new(0), stop: AtomicBool::new(false) };
        work.through(analyser, threads)
    })?;
    interrupt.map_or(Ok(()), Err)?;
    let mut results = Vec::with_capacity(arrays.len());
    for (at, outcome) in outcomes {
        match outcome {
            Ok(taken) => results.push(taken.into_python(py)?),
            Err(failure @ Failure::Ours(_)) if return_exceptions => {
                results.push(failure.raised(Some(at)).into_value(py).into_any());
            }
            Err(failure) => return Err(failure.raised(Some(at))),
        }
    }
    Ok(results)
}

/// A picture for measuring the scale; its errors are reported when its turn comes.
fn readable(array: &Py<PyAny>) -> Option<image::RgbImage> {
    Python::attach(|py| picture::read(array.bind(py)).ok())
}

/// The pictures of a call.
struct Work<'a> {
    arrays: &'a [Py<PyAny>],
    shared: Shared,
    return_exceptions: bool,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Work<'_> {
    /// Outcomes by picture number, and the exception of a signal.
    fn through(
        &self,
        analyser: Analyser,
        threads: usize,
    ) -> Result<(BTreeMap<usize, Outcome>, Option<PyErr>), Failure> {
        let others = (1..threads).map(|_| analyser.another()).collect::<Result<Vec<_>, _>>()?;
        let outcomes = Mutex::new(BTreeMap::new());
        let mut interrupt = None;
        thread::scope(|scope| {
            let (ended, ends) = channel::<()>();
            for mut analyser in others.into_iter().chain([analyser]) {
                let (ended, outcomes) = (ended.clone(), &outcomes);
                scope.spawn(move || {
                    // The sender is dropped at the end.
                    let _ended = ended;
                    self.work(&mut analyser, outcomes);
                });
            }
            drop(ended);
            // Python handles signals only in its main thread, which waits here.
            while ends.recv_timeout(SIGNALS_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = Python::attach(|py| py.check_signals()) {
                    self.stop.store(true, Ordering::Relaxed);
                    interrupt = Some(error);
                }
            }
        });
        Ok((outcomes.into_inner().unwrap_or_else(PoisonError::into_inner), interrupt))
    }

    /// Analyses pictures until there are no more. They are taken in order, so that the first failure of a call is the
    /// same for any number of threads.
    fn work(&self, analyser: &mut Analyser, outcomes: &Mutex<BTreeMap<usize, Outcome>>) {
        while !self.stop.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(array) = self.arrays.get(at) else { break };
            let outcome = guarded(|| {
                let picture = Python::attach(|py| picture::read(array.bind(py)))?;
                let known = Known { measured: self.shared.measured.get(&at).copied(), ..Known::default() };
                analyser.analyse_known(&picture, &known)?;
                Taken::of(analyser)
            });
            if outcome.is_err() && !self.return_exceptions {
                self.stop.store(true, Ordering::Relaxed);
            }
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(at, outcome);
        }
    }
}
