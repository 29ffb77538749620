//! `bloodseg sample`: which sample is under the lens; and the flags that name one.

use std::path::PathBuf;

use clap::Args;

use super::{print, recorded, session::Session};
use crate::error::{Error, Result};
use bloodseg_records::sample::{Sample, SampleFile};

/// The flags of `run` and `segment` that name a sample.
#[derive(Debug, Clone, Args)]
pub(super) struct SampleArgs {
    /// Sample that the frames belong to: a pseudonym, such as the number of a slide. `report --sample` pools calls and runs
    #[arg(long = "sample", value_name = "ID")]
    name: Option<String>,

    #[command(flatten)]
    about: About,
}

impl SampleArgs {
    /// The sample that they name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) for a text that is too long or has control characters.
    pub(super) fn sample(&self) -> Result<Option<Sample>> {
        self.about.sample(self.name.as_deref())
    }
}

/// What is said about a sample beside its name.
#[derive(Debug, Clone, Args)]
struct About {
    /// Who prepared or examined the sample
    #[arg(long, value_name = "NAME", requires = "name")]
    operator: Option<String>,

    /// Stain of the sample
    #[arg(long, value_name = "STAIN", requires = "name")]
    stain: Option<String>,

    /// A note about the sample
    #[arg(long, value_name = "TEXT", requires = "name")]
    note: Option<String>,
}

impl About {
    /// The sample of this name.
    fn sample(&self, name: Option<&str>) -> Result<Option<Sample>> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Some(name) = name.map(str::to_owned) else { return Ok(None) };
        let sample = Sample { name, operator: text(&self.operator), stain: text(&self.stain), note: text(&self.note) };
        sample.checked().map(Some).map_err(|found| Error::config("the command line", found, ""))
    }
}

/// Arguments of `sample`.
///
/// A run looks for a change before each frame: frames from then on belong to the new sample, and their fields are compared with
/// none before. Without NAME, prints the sample that is under the lens. Results carry the name, so use a pseudonym.
#[derive(Debug, Args)]
pub(super) struct SampleCommand {
    /// Name of the sample that is put under the lens
    #[arg(value_name = "NAME", conflicts_with = "clear")]
    name: Option<String>,

    #[command(flatten)]
    about: About,

    /// Frames belong to no sample from now on
    #[arg(long)]
    clear: bool,

    /// Folder of results of the run [default: the one folder with records in the folder for results]
    #[arg(long = "in", value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) if no folder is named and there is not exactly one,
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if it cannot be written.
pub(super) fn run(session: &Session, args: &SampleCommand) -> Result<()> {
    let folder = recorded::folder(session, args.folder.as_deref())?;
    if !folder.is_dir() {
        return Err(Error::input(&folder, "no folder", "the folder of results of a run", ""));
    }
    let file = SampleFile::of(&folder);
    let sample = args.about.sample(args.name.as_deref())?;
    if sample.is_some() || args.clear {
        file.write(sample.as_ref())?;
    }
    print::line(match file.read()? {
        None => "no sample".to_owned(),
        Some(Sample { name, operator, stain, note }) => {
            let more = [("operator", operator), ("stain", stain), ("note", note)];
            let more = more.into_iter().filter(|(_, text)| !text.is_empty());
            more.fold(format!("sample   {name}"), |line, (what, text)| format!("{line}, {what} {text}"))
        }
    });
    Ok(())
}
