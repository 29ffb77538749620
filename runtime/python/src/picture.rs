//! Arrays as pictures.

use bloodseg_vision::{
    error::{Error, Result},
    frame::limits::{MAX_PICTURE_SIDE_PX, MAX_WHOLE_FIELD_PX},
};
use image::RgbImage;
use numpy::{PyArray2, PyArray3, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::Failure;

const EXPECTED: &str = "a NumPy array of uint8 with shape (height, width, 3), or (height, width) for grey";

/// Copies an array. Without a copy, a thread of Python could change the pixels while they are analysed.
///
/// # Errors
/// [`Error::Picture`] for an array of another type or shape.
pub(crate) fn read(array: &Bound<'_, PyAny>) -> std::result::Result<RgbImage, Failure> {
    let Ok(untyped) = array.cast::<PyUntypedArray>() else {
        let name = array.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string());
        let todo = "Pass numpy.asarray(picture)";
        return Err(Error::picture(format!("an object of type {name}"), EXPECTED, todo).into());
    };
    let shape = untyped.shape().to_vec();
    check(untyped, &shape)?;
    match shape.as_slice() {
        [height, width, 3] => rgb(copied(array.cast::<PyArray3<u8>>().map_err(PyErr::from)?)?, *width, *height),
        [height, width] => {
            let grey: Vec<u8> = copied(array.cast::<PyArray2<u8>>().map_err(PyErr::from)?)?;
            rgb(grey.into_iter().flat_map(|level| [level; 3]).collect(), *width, *height)
        }
        _ => Err(Error::internal("picture", "a shape that was checked").into()),
    }
}

/// Refuses arrays of another type, shape or size, before any pixel is read.
fn check(array: &Bound<'_, PyUntypedArray>, shape: &[usize]) -> Result<()> {
    let dtype = array.dtype();
    if !dtype.is_equiv_to(&numpy::dtype::<u8>(array.py())) {
        let todo = match dtype.kind() {
            b'f' => "Convert it: (255 * array).round().astype(numpy.uint8) for levels from 0 to 1",
            b'u' | b'i' if dtype.itemsize() == 2 => "Convert it: (array >> 8).astype(numpy.uint8) for levels of 16 bit",
            b'b' => "Pass the picture and not a mask",
            _ => "Convert it to levels from 0 to 255: array.astype(numpy.uint8)",
        };
        return Err(Error::picture(format!("an array of {dtype}"), EXPECTED, todo));
    }
    let todo = match shape {
        [_, _, 3] | [_, _] => {
            let side = |px: usize| (1..=MAX_PICTURE_SIDE_PX as usize).contains(&px);
            if side(shape[0]) && side(shape[1]) && (shape[0] * shape[1]) as u64 <= MAX_WHOLE_FIELD_PX {
                return Ok(());
            }
            let expected =
                format!("1 to {MAX_PICTURE_SIDE_PX} pixels a side, and at most {MAX_WHOLE_FIELD_PX} in total");
            return Err(Error::picture(format!("an array of shape {}", words(shape)), expected, "Crop it"));
        }
        [_, _, 4] => "Remove the alpha channel: array[..., :3]",
        [_, _, 1] => "Remove the last axis: array[..., 0]",
        [3, _, _] => "Move the channels last: numpy.moveaxis(array, 0, -1)",
        [_, _, _, _] => "Pass one picture, or the list of them to segment_many",
        _ => "",
    };
    Err(Error::picture(format!("an array of shape {}", words(shape)), EXPECTED, todo))
}

/// A shape as Python shows it.
fn words(shape: &[usize]) -> String {
    match shape {
        [side] => format!("({side},)"),
        _ => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The bytes of an array in the order of its indices, whatever its strides.
fn copied<D: numpy::ndarray::Dimension>(array: &Bound<'_, numpy::PyArray<u8, D>>) -> PyResult<Vec<u8>> {
    let array = array.try_readonly().map_err(PyErr::from)?;
    Ok(match array.as_slice() {
        Ok(slice) => slice.to_vec(),
        Err(_) => array.as_array().iter().copied().collect(),
    })
}

fn rgb(bytes: Vec<u8>, width: usize, height: usize) -> std::result::Result<RgbImage, Failure> {
    // The sides were checked.
    let picture = RgbImage::from_raw(width as u32, height as u32, bytes);
    picture.ok_or_else(|| Error::internal("picture", "an array of another length than its shape").into())
}
