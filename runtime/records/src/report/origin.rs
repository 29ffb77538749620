//! Where the figures come from: calibration, models, versions, flags; and events during the run.

use std::io::{self, Write};

use crate::store::about::{PitchRow, RunRow};
use bloodseg_vision::placement::PitchSource;

use super::{
    Facts,
    html::text,
    summary::time,
    table::{begin, counted, end, pairs},
};

/// Calibration, models, versions, flags.
pub(super) fn how(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Facts { run, figures, pitches, models, .. } = facts;
    writeln!(out, "<section>\n<h2>How it was measured</h2>")?;
    let or_none = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let mut rows = vec![("Source", run.source.clone()), ("Description", or_none(&run.description, "not recorded"))];
    rows.extend(pitches.iter().map(|pitch| ("Pitch of the input", words(pitch, run, figures.frames))));
    if pitches.is_empty() {
        rows.push(("Pitch of the input", "no frames".into()));
    }
    let [width, height] = figures.size_px;
    if width > 0 && height > 0 {
        rows.push(("Super-resolved picture, maximum", format!("{width} x {height} px")));
    }
    rows.push(("Super-resolution factor", run.scale.to_string()));
    rows.push(("Software", format!("bloodseg {}", or_none(&run.software, "of an unknown version"))));
    rows.push(("Flags that affect counting", or_none(&run.notes, "none")));
    pairs(out, "Source, calibration and software", &rows)?;
    if models.is_empty() {
        writeln!(out, "<p>The models were not recorded.</p>\n</section>")?;
        return Ok(());
    }
    begin(out, "Models", &["Role", "name", "version", "SHA-256 of the file"])?;
    for model in models {
        let role = match model.role.as_str() {
            "ssr" => "super-resolution",
            "unet" => "segmentation",
            other => other,
        };
        write!(out, "<tr><th scope=\"row\">{}</th><td>{}</td>", text(role), text(&model.name))?;
        writeln!(out, "<td>{}</td><td class=\"hash\">{}</td></tr>", text(&model.version), text(&model.sha256))?;
    }
    end(out)?;
    writeln!(out, "</section>")
}

/// A pitch, where it comes from, and how it was used.
fn words(pitch: &PitchRow, run: &RunRow, of_frames: u64) -> String {
    let between = |[least, greatest]: [f64; 2], digits: usize| {
        let (least, greatest) = (format!("{least:.digits$}"), format!("{greatest:.digits$}"));
        if least == greatest { least } else { format!("{least} to {greatest}") }
    };
    let from = match pitch.source {
        PitchSource::Given if run.pitch_from.is_empty() => "given".to_owned(),
        PitchSource::Given => format!("given by {}", run.pitch_from),
        PitchSource::Metadata => "from the pictures' files".to_owned(),
        PitchSource::Measured => "estimated: red cells assumed to be 7.5 µm".to_owned(),
        PitchSource::None => "unknown".to_owned(),
    };
    let mut words = match pitch.um_per_px {
        Some(um) => format!("{} µm per pixel, {from}", between(um, 4)),
        None => from,
    };
    if let Some(range) = pitch.um_per_px_range {
        words.push_str(&format!(", in {}", between(range, 4)));
    }
    words.push_str(&format!("; {} input pixels per analysed pixel", between(pitch.scale, 2)));
    if pitch.frames != of_frames {
        words.push_str(&format!("; {}", counted(pitch.frames, "frame", "frames")));
    }
    words
}

/// The latest events.
pub(super) fn events(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let (events, all) = &facts.events;
    writeln!(out, "<section>\n<h2>Events</h2>")?;
    if events.is_empty() {
        return writeln!(out, "<p>No change of state and no fault was recorded.</p>\n</section>");
    }
    let earlier = all.saturating_sub(events.len() as u64);
    if earlier > 0 {
        let are = counted(earlier, "earlier event is", "earlier events are");
        writeln!(out, "<p>The latest {} of {all}: {are} not listed.</p>", events.len())?;
    }
    begin(out, "Changes of state and faults", &["Time", "kind", "what happened"])?;
    for event in events {
        let (kind, words) = (text(&event.kind), text(&event.text));
        writeln!(out, "<tr><td>{}</td><td>{kind}</td><td>{words}</td></tr>", time(event.at_utc_ms))?;
    }
    end(out)?;
    writeln!(out, "</section>")
}
