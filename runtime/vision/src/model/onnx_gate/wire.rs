//! The protobuf wire format, parsed strictly: the fields of a message in order, borrowed from the file.
//!
//! Nothing is allocated or skipped: callers reject files with unknown fields, so no two readers can see different graphs
//! in one file.

use super::{Fault, fault};

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// Its number in the message's definition.
    pub(super) number: u32,
    /// Its value.
    pub(super) value: Value<'a>,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// An integer.
    Varint(u64),
    /// Four bytes.
    Fixed32([u8; 4]),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// A text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of one message, in the order of the file.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// The fields of `message`; `what` names it in faults.
    pub(super) fn of(message: &'a [u8], what: &'static str) -> Self {
        Self { rest: message, what }
    }

    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| self.broken("a field without a number"))?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.broken("a length beyond the file"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(self.array()?),
            _ => return Err(self.broken("a field of an unknown type")),
        };
        Ok(Some(Field { number, value }))
    }

    /// The numbers of a packed field.
    pub(super) fn packed(bytes: &'a [u8], what: &'static str) -> impl Iterator<Item = Result<u64, Fault>> + 'a {
        let mut rest = Self::of(bytes, what);
        std::iter::from_fn(move || {
            if rest.rest.is_empty() {
                return None;
            }
            let number = rest.varint();
            if number.is_err() {
                // A fault ends it: the rest has no meaning.
                rest.rest = &[];
            }
            Some(number)
        })
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.broken("a number of more than 64 bits"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.broken("an unterminated number"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| self.broken("too few bytes"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.broken("truncated")),
        }
    }

    fn broken(&self, found: &str) -> Fault {
        fault(format!("{}: {found}", self.what), "a complete ONNX file")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Field<'_>>, Fault> {
        let mut fields = Fields::of(bytes, "test");
        let mut found = Vec::new();
        while let Some(field) = fields.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let wanted = [
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed32([1, 2, 3, 4])),
            (4, Value::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
        ];
        assert_eq!(all(&bytes).unwrap(), wanted.map(|(number, value)| Field { number, value }));
        for length in 1..bytes.len() {
            let whole = [3, 7, 12].contains(&length);
            assert_eq!(all(&bytes[..length]).is_ok(), whole, "{length} bytes");
        }
    }

    #[test]
    fn out_of_bounds_numbers_lengths_and_kinds_are_rejected() {
        for bytes in [
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02].as_slice(),
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x00, 0x01],
            &[0x0b],
            &[0x0c],
        ] {
            all(bytes).unwrap_err();
        }
        assert_eq!(Fields::packed(&[1, 0x96, 1], "x").collect::<Result<Vec<_>, _>>().unwrap(), [1, 150]);
        assert_eq!(Fields::packed(&[0x96, 0x96], "x").filter(Result::is_err).count(), 1);
    }
}
