//! A picture from standard input, kept in a file for as long as the call lasts: decoders read a file more than once.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};
use bloodseg_vision::{error::Cause, frame::limits::MAX_PICTURE_FILE_BYTES};

/// The argument that stands for standard input.
const DASH: &str = "-";

/// Name of the picture in tables and results.
const NAME: &str = "stdin";

/// The inputs of a call, with standard input as a file.
#[derive(Debug)]
pub(super) struct WithStdin {
    pub(super) inputs: Vec<PathBuf>,
    /// Removed at the end.
    folder: Option<PathBuf>,
}

impl WithStdin {
    /// Reads `from` to its end if `-` is among the inputs, and keeps it in a new folder in `temp`.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for input that is empty, too long, or cannot be read, and
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if it cannot be kept.
    pub(super) fn of(inputs: &[PathBuf], from: impl Read, temp: &Path) -> Result<Self> {
        let mut this = Self { inputs: inputs.to_vec(), folder: None };
        let mut dashes = this.inputs.iter_mut().filter(|input| *input == Path::new(DASH));
        let Some(dash) = dashes.next() else { return Ok(this) };
        if dashes.next().is_some() {
            return Err(Error::config("the command line", "`-` twice", "Standard input is one picture"));
        }
        // Read first, so that a stop while waiting for input leaves no file behind.
        let bytes = read(from)?;
        let folder = temp.join(format!("bloodseg-stdin-{}", std::process::id()));
        let failed = |error: io::Error| Error::output(&folder, error);
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails if it exists: another user may have created it.
        builder.create(&folder).map_err(failed)?;
        *dash = folder.join(NAME);
        let path = dash.clone();
        this.folder = Some(folder.clone());
        let mut file = File::create_new(&path).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        Ok(this)
    }
}

/// The bytes of one picture.
fn read(from: impl Read) -> Result<Vec<u8>> {
    let refused = |found: Cause| {
        Error::input(Path::new("standard input"), found, "one picture", "Pipe a PNG, JPEG, TIFF or BMP file")
    };
    let mut bytes = Vec::new();
    from.take(MAX_PICTURE_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| refused(error.into()))?;
    match bytes.len() as u64 {
        0 => Err(refused("no bytes".into())),
        1..=MAX_PICTURE_FILE_BYTES => Ok(bytes),
        _ => Err(refused(format!("more than {MAX_PICTURE_FILE_BYTES} bytes").into())),
    }
}

impl Drop for WithStdin {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::ErrorKind;

    #[derive(Debug)]
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }

    #[test]
    fn dash_becomes_a_temporary_file_and_other_inputs_stay() {
        let inputs = [PathBuf::from("a.png"), PathBuf::from("-")];
        let temp = tempfile::tempdir().unwrap();
        let with = WithStdin::of(&inputs, &b"bytes"[..], temp.path()).unwrap();
        let path = with.inputs[1].clone();
        assert_eq!((with.inputs[0].as_path(), fs::read(&path).unwrap()), (Path::new("a.png"), b"bytes".to_vec()));
        assert!(WithStdin::of(&inputs, &b"bytes"[..], temp.path()).is_err(), "what is there is not used");
        drop(with);
        assert!(!path.exists() && !path.parent().unwrap().exists());
        assert!(WithStdin::of(&[PathBuf::from("-"), PathBuf::from("-")], &b""[..], temp.path()).is_err());
        assert!(WithStdin::of(&inputs, &b""[..], temp.path()).is_err());
        assert_eq!(WithStdin::of(&inputs, Broken, temp.path()).unwrap_err().kind(), ErrorKind::Input);
        assert!(!path.parent().unwrap().exists());
    }
}
