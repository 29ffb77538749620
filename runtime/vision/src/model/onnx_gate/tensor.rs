//! Weights as stored in the file.

use super::{
    Fault, fault,
    graph::{numbers, once, text, unknown},
    wire::{Fields, Value},
};
use crate::model::limits::MAX_GRAPH_DIM;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    U8,
    I8,
    I32,
}

impl Kind {
    /// By ONNX type number.
    pub(super) fn of(number: u64) -> Result<Self, Fault> {
        match number {
            1 => Ok(Self::F32),
            2 => Ok(Self::U8),
            3 => Ok(Self::I8),
            6 => Ok(Self::I32),
            _ => Err(fault(format!("element type {number}"), "f32, u8, i8 or i32")),
        }
    }

    /// Bytes of an element.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::U8 | Self::I8 => 1,
        }
    }
}

/// A constant tensor: its elements in little-endian order, as many as its shape requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weights<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// At most 4 sizes, each 1 to [`MAX_GRAPH_DIM`]; none for a single number.
    pub(crate) shape: Vec<u64>,
    pub(crate) data: &'a [u8],
}

impl<'a> Weights<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (mut dims, mut kind, mut name, mut data) = (vec![], None, None, None);
        let mut fields = Fields::of(bytes, "weights");
        while let Some(field) = fields.next()? {
            match (field.number, field.value) {
                (1, value) => numbers(&mut dims, value, "shape of weights")?,
                (2, Value::Varint(number)) => once(&mut kind, number, "element type of weights")?,
                (8, Value::Bytes(bytes)) => once(&mut name, text(bytes)?, "name of weights")?,
                (9, Value::Bytes(bytes)) => once(&mut data, bytes, "data of weights")?,
                (12, Value::Bytes(bytes)) => _ = text(bytes)?,
                (14, Value::Varint(0)) => {}
                _ => return Err(unknown("weights that are not raw data in the file", field)),
            }
        }
        let (name, data, kind) = (name.unwrap_or(""), data.unwrap_or(b""), Kind::of(kind.unwrap_or(0))?);
        if dims.len() > 4 || dims.iter().any(|dim| !(1..=MAX_GRAPH_DIM).contains(dim)) {
            let found = format!("weights {name} of shape {dims:?}");
            return Err(fault(found, format!("at most 4 sizes of 1 to {MAX_GRAPH_DIM}")));
        }
        let shape: Vec<u64> = dims.iter().map(|dim| dim.unsigned_abs()).collect();
        // Four sizes of at most 2^12 each: no overflow.
        let bytes = kind.bytes() * shape.iter().product::<u64>();
        if bytes != data.len() as u64 {
            let found = format!("weights {name}: {} bytes for {kind:?} of shape {dims:?}", data.len());
            return Err(fault(found, format!("{bytes} bytes")));
        }
        let weights = Self { name, kind, shape, data };
        let bad = weights.floats().find(|value| !value.is_finite());
        match bad {
            Some(value) => Err(fault(format!("weights {name}: the value {value}"), "finite numbers")),
            None => Ok(weights),
        }
    }

    /// The elements if they are floats; otherwise empty.
    pub(crate) fn floats(&self) -> impl Iterator<Item = f32> {
        let data = if self.kind == Kind::F32 { self.data } else { &[] };
        data.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four))
    }

    /// Number of elements.
    pub(super) fn len(&self) -> u64 {
        self.shape.iter().product()
    }
}
