//! Arrays as pictures.

use bloodseg_vision::{
    error::{Error, Result},
    frame::limits::{MAX_PICTURE_SIDE_PX, MAX_WHOLE_FIELD_PX},
};
use image::RgbImage;
use numpy::{PyArray2, PyArray3, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyString},
};

use crate::errors::Failure;

const EXPECTED: &str = "a NumPy array of uint8 with shape (height, width, 3), or (height, width) for grey";

/// Copies an array. Without a copy, a thread of Python could change the pixels while they are analysed.
///
/// # Errors
/// [`Error::Picture`] for an array of another type or shape.
pub(crate) fn read(array: &Bound<'_, PyAny>) -> std::result::Result<RgbImage, Failure> {
    let Ok(untyped) = array.cast::<PyUntypedArray>() else {
        let name = array.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string());
        let is_file = array.is_instance_of::<PyString>()
            || array.is_instance_of::<PyBytes>()
            || array.hasattr(intern!(array.py(), "__fspath__")).unwrap_or(false);
        let todo = match is_file {
            true => "Read it: numpy.asarray(PIL.Image.open(path).convert(\"RGB\"))",
            false => "Pass numpy.asarray(picture)",
        };
        return Err(Error::picture(format!("an object of type {name}"), EXPECTED, todo).into());
    };
    // The mask of a NumPy masked array would be ignored.
    if array.hasattr(intern!(array.py(), "mask")).unwrap_or(false) {
        let todo = "Pass array.filled(0): black at the border is no specimen";
        return Err(Error::picture("an array with a mask", EXPECTED, todo).into());
    }
    let shape = untyped.shape().to_vec();
    let fits = check_shape(&shape);
    // An array repeated by its strides can have more levels than can be scanned.
    check_type(untyped, || fits.is_ok().then(|| levels(untyped)).flatten())?;
    fits?;
    match shape.as_slice() {
        [height, width, 3] => rgb(copied(array.cast::<PyArray3<u8>>().map_err(PyErr::from)?)?, *width, *height),
        [height, width] => {
            let grey: Vec<u8> = copied(array.cast::<PyArray2<u8>>().map_err(PyErr::from)?)?;
            rgb(grey.into_iter().flat_map(|level| [level; 3]).collect(), *width, *height)
        }
        _ => Err(Error::internal("picture", "a shape that was checked").into()),
    }
}

/// Rejects arrays of another type, with a remedy that depends on their levels.
fn check_type(array: &Bound<'_, PyUntypedArray>, levels: impl FnOnce() -> Option<[f64; 2]>) -> Result<()> {
    let dtype = array.dtype();
    if dtype.is_equiv_to(&numpy::dtype::<u8>(array.py())) {
        return Ok(());
    }
    let levels = if matches!(dtype.kind(), b'f' | b'u' | b'i') { levels() } else { None };
    let todo = match (dtype.kind(), levels.map(|[_, most]| most)) {
        (b'b', _) => "Pass the picture and not a mask",
        (_, Some(most)) if most.is_nan() => "Replace NaN first: it is no level",
        _ if levels.is_some_and(|[least, _]| least < 0.0) => "Convert it to levels from 0 to 255: some are negative",
        (b'f', Some(most)) if most <= 1.0 => {
            "Convert it: (255 * array).round().astype(numpy.uint8) for levels from 0 to 1"
        }
        (_, Some(most)) if most <= 255.0 => "Convert it: array.round().astype(numpy.uint8) for levels from 0 to 255",
        (b'u' | b'i', Some(most)) if most <= 4095.0 => {
            "Convert it: (array >> 4).astype(numpy.uint8) for levels of 12 bit, (array >> 8) for 16 bit"
        }
        (b'u' | b'i', Some(most)) if most <= 65_535.0 => {
            "Convert it: (array >> 8).astype(numpy.uint8) for levels of 16 bit"
        }
        _ => "Convert it to levels from 0 to 255, of type numpy.uint8",
    };
    let of = levels.map_or_else(String::new, |[least, most]| format!(" with levels from {least} to {most}"));
    Err(Error::picture(format!("an array of {dtype}{of}"), EXPECTED, todo))
}

/// Minimum and maximum level of a numeric array; `None` if there are none.
fn levels(array: &Bound<'_, PyUntypedArray>) -> Option<[f64; 2]> {
    let of = |name| array.call_method0(name).ok()?.extract().ok();
    Some([of("min")?, of("max")?])
}

/// Rejects arrays of another shape or size, before any pixel is read.
fn check_shape(shape: &[usize]) -> Result<()> {
    let todo = match shape {
        [_, _, 3] | [_, _] => {
            return check_sides(shape[1], shape[0], || format!("an array of shape {}", words(shape)));
        }
        [_, _, 4] => "Remove the alpha channel: array[..., :3]",
        [_, _, 1] => "Remove the last axis: array[..., 0]",
        [3, _, _] => "Move the channels last: numpy.moveaxis(array, 0, -1)",
        [_, _, _, _] => "Pass one picture, or the list of them to segment_many",
        _ => "",
    };
    Err(Error::picture(format!("an array of shape {}", words(shape)), EXPECTED, todo))
}

/// Refuses pictures that are empty or too large.
pub(crate) fn check_sides(width: usize, height: usize, found: impl FnOnce() -> String) -> Result<()> {
    let side = |px: usize| (1..=MAX_PICTURE_SIDE_PX as usize).contains(&px);
    if side(width) && side(height) && (width * height) as u64 <= MAX_WHOLE_FIELD_PX {
        return Ok(());
    }
    let expected = format!("1 to {MAX_PICTURE_SIDE_PX} pixels a side, and at most {MAX_WHOLE_FIELD_PX} in total");
    Err(Error::picture(found(), expected, "Crop it"))
}

/// A shape as Python shows it.
fn words(shape: &[usize]) -> String {
    match shape {
        [side] => format!("({side},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The bytes of an array in index order, whatever its strides.
fn copied<D: numpy::ndarray::Dimension>(array: &Bound<'_, numpy::PyArray<u8, D>>) -> PyResult<Vec<u8>> {
    let array = array.try_readonly().map_err(PyErr::from)?;
    let view = array.as_array();
    // Not numpy's `as_slice`: it also accepts Fortran order, where bytes are not in index order.
    Ok(match view.as_slice() {
        Some(slice) => slice.to_vec(),
        None => view.iter().copied().collect(),
    })
}

fn rgb(bytes: Vec<u8>, width: usize, height: usize) -> std::result::Result<RgbImage, Failure> {
    // The sides were checked.
    let picture = RgbImage::from_raw(width as u32, height as u32, bytes);
    picture.ok_or_else(|| Error::internal("picture", "an array of another length than its shape").into())
}
