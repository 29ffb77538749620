//! A workbook of Excel (ECMA-376) with three sheets: samples, frames and cells.
//!
//! Numbers are numbers and text is text, whatever the locale of the reader. Each sheet is generated twice from one
//! snapshot of the records, once for its length and checksum, so that memory does not grow with the number of rows.

use std::{
    fmt::Display,
    io::{self, Write},
};

use super::{
    ExportError, Result, rows,
    rows::Sheet,
    zip::{Archive, Measure, Measured},
};
use crate::{
    error::Error,
    store::read::{Filter, Records},
};

/// Rows of a sheet, with the header.
const MAX_ROWS: u32 = 1_048_576;

/// Characters of a field.
const MAX_CHARS: usize = 32_767;

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

const RELATIONSHIPS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

const DOCUMENT: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

type Fill = fn(&Records, &Filter, &mut dyn Sheet, &mut dyn FnMut()) -> Result<()>;

const SHEETS: [(&str, Fill); 3] = [("samples", rows::samples), ("frames", rows::frames), ("cells", rows::cells)];

/// Writes the workbook from one snapshot of the records.
pub(super) fn write(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    records.at_one_moment(|| {
        let mut archive = Archive::begin(out);
        let mut written = Vec::new();
        for (name, content) in frame_of_workbook() {
            archive.file(name, content.as_bytes())?;
            written.push((name.to_owned(), Measured::of(content.as_bytes())));
        }
        for (at, (name, fill)) in SHEETS.into_iter().enumerate() {
            let mut measure = Measure::default();
            sheet(records, filter, (name, fill), &mut measure, &mut || ())?;
            let measured = measure.end().ok_or_else(|| too_large(records, name, "4 GiB"))?;
            let path = format!("xl/worksheets/sheet{}.xml", at + 1);
            let is_last = at + 1 == SHEETS.len();
            let mut step = || {
                if is_last {
                    progress()
                }
            };
            sheet(records, filter, (name, fill), archive.begin_file(&path, measured)?, &mut step)?;
            written.push((path, measured));
        }
        for (path, measured) in &written {
            archive.list(path, *measured)?;
        }
        Ok(archive.end()?)
    })
}

/// Everything but the sheets: their names, and two styles, of which the second is that of a header.
fn frame_of_workbook() -> [(&'static str, String); 5] {
    let each = |part: &dyn Fn(usize, &str) -> String| -> String {
        SHEETS.iter().enumerate().map(|(at, (name, _))| part(at + 1, name)).collect()
    };
    let package = "application/vnd.openxmlformats-package.relationships+xml";
    let office = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let types = each(&|at, _| {
        format!("<Override PartName=\"/xl/worksheets/sheet{at}.xml\" ContentType=\"{office}.worksheet+xml\"/>")
    });
    let sheets = each(&|at, name| format!("<sheet name=\"{name}\" sheetId=\"{at}\" r:id=\"rId{at}\"/>"));
    let targets = each(&|at, _| {
        format!("<Relationship Id=\"rId{at}\" Type=\"{DOCUMENT}/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>")
    });
    [
        (
            "[Content_Types].xml",
            format!(
                "{XML}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
                 <Default Extension=\"rels\" ContentType=\"{package}\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{office}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/styles.xml\" ContentType=\"{office}.styles+xml\"/>{types}</Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "{XML}<Relationships xmlns=\"{RELATIONSHIPS}\">\
                 <Relationship Id=\"rId1\" Type=\"{DOCUMENT}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!("{XML}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{DOCUMENT}\"><sheets>{sheets}</sheets></workbook>"),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "{XML}<Relationships xmlns=\"{RELATIONSHIPS}\">{targets}\
                 <Relationship Id=\"rId{}\" Type=\"{DOCUMENT}/styles\" Target=\"styles.xml\"/></Relationships>",
                SHEETS.len() + 1
            ),
        ),
        (
            "xl/styles.xml",
            format!(
                "{XML}<styleSheet xmlns=\"{MAIN}\"><fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>\
                 <font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts>\
                 <fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>\
                 <fill><patternFill patternType=\"gray125\"/></fill></fills>\
                 <borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
                 <cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>\
                 <cellXfs count=\"2\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>\
                 <xf numFmtId=\"0\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyFont=\"1\"/></cellXfs></styleSheet>"
            ),
        ),
    ]
}

fn sheet(
    records: &Records,
    filter: &Filter,
    (name, fill): (&'static str, Fill),
    out: &mut dyn Write,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    // The header stays in view.
    write!(
        out,
        "{XML}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView workbookViewId=\"0\">\
         <pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/></sheetView></sheetViews><sheetData>"
    )?;
    let mut page = Page { out, records, name, rows: 0, row: Vec::new(), field: String::new() };
    fill(records, filter, &mut page, progress)?;
    Ok(out.write_all(b"</sheetData></worksheet>")?)
}

fn too_large(records: &Records, name: &str, most: &str) -> ExportError {
    let found = format!("{name} that take more than {most} in a sheet");
    let remedy = "Choose a part with --run, --sample, --since or --until, or export csv";
    Error::input(records.path(), found, "as many as a sheet of Excel holds", remedy).into()
}

/// A sheet being written, row by row.
struct Page<'a> {
    out: &'a mut dyn Write,
    records: &'a Records,
    name: &'static str,
    rows: u32,
    /// XML of the fields so far.
    row: Vec<u8>,
    field: String,
}

impl Page<'_> {
    fn string(&mut self, text: &str) -> io::Result<()> {
        let style = if self.rows == 0 { " s=\"1\"" } else { "" };
        write!(self.row, "<c t=\"inlineStr\"{style}><is><t xml:space=\"preserve\">")?;
        for c in text.chars().take(MAX_CHARS) {
            match c {
                '&' => self.row.extend(b"&amp;"),
                '<' => self.row.extend(b"&lt;"),
                '>' => self.row.extend(b"&gt;"),
                // Not in XML.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => write!(self.row, "\u{fffd}")?,
                c => write!(self.row, "{c}")?,
            }
        }
        self.row.write_all(b"</t></is></c>")
    }
}

impl Sheet for Page<'_> {
    fn value(&mut self, value: &dyn Display) -> Result<()> {
        use std::fmt::Write as _;
        let mut field = std::mem::take(&mut self.field);
        field.clear();
        let _ = write!(field, "{value}");
        let number = field.parse::<f64>().ok().filter(|number| number.is_finite());
        match (field.as_str(), number) {
            ("", _) => self.row.write_all(b"<c/>")?,
            (digits, Some(_)) => write!(self.row, "<c><v>{digits}</v></c>")?,
            ("true", _) => self.row.write_all(b"<c t=\"b\"><v>1</v></c>")?,
            ("false", _) => self.row.write_all(b"<c t=\"b\"><v>0</v></c>")?,
            (word, _) => self.string(word)?,
        }
        self.field = field;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<()> {
        Ok(self.string(text)?)
    }

    fn end(&mut self) -> Result<()> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(too_large(self.records, self.name, &format!("{} rows", MAX_ROWS - 1)));
        }
        self.out.write_all(b"<row>")?;
        self.out.write_all(&self.row)?;
        self.row.clear();
        Ok(self.out.write_all(b"</row>\n")?)
    }
}
