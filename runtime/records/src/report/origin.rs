//! Where the figures come from: calibration, models, versions, flags; and what happened meanwhile.

use std::io::{self, Write};

use super::{
    Facts,
    html::text,
    summary::time,
    table::{begin, counted, end, pairs},
};

/// Calibration, models, versions, flags.
pub(super) fn how(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Facts { run, figures, lengths, models, .. } = facts;
    writeln!(out, "<section>\n<h2>How it was measured</h2>")?;
    let or_none = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let mut rows = vec![("Source", run.source.clone()), ("What it is", or_none(&run.description, "not on record"))];
    match run.um_per_px.zip(run.um_per_sr_px()).filter(|_| lengths.known()) {
        Some((um, um_sr)) => {
            rows.push(("Pitch of the input", format!("{um:.4} µm a pixel")));
            rows.push(("Pitch of the super-resolved picture", format!("{um_sr:.4} µm a pixel")));
            rows.push(("Pitch known from", or_none(&run.pitch_from, "not on record")));
        }
        None => rows.push(("Pitch", "not known: there is no calibration, and lengths are in pixels".into())),
    }
    let [width, height] = figures.size_px;
    if width > 0 && height > 0 {
        rows.push(("Super-resolved picture, at most", format!("{width} x {height} px")));
    }
    rows.push(("Super-resolved by", format!("{} times", run.scale)));
    rows.push(("Software that ran", format!("bloodseg {}", or_none(&run.software, "of a version not on record"))));
    rows.push(("Flags that change what is counted", or_none(&run.notes, "none")));
    pairs(out, "Source, calibration and software", &rows)?;
    if models.is_empty() {
        writeln!(out, "<p>The models are not on record.</p>\n</section>")?;
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

/// The latest events.
pub(super) fn events(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let (events, all) = &facts.events;
    writeln!(out, "<section>\n<h2>Events</h2>")?;
    if events.is_empty() {
        return writeln!(out, "<p>No change of state and no fault is on record.</p>\n</section>");
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
