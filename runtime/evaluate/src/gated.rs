//! The quality check of the device in front of a method: frames that are not good have no cells.

use image::RgbImage;

use crate::method::{Answer, Method, Methods};
use bloodseg_vision::{cells::Labels, error::Result, frame::quality};

/// A method behind the quality check.
struct Gated<'a>(Box<dyn Method + 'a>);

impl Method for Gated<'_> {
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
        let answer = self.0.answer(lr)?;
        if quality::judge(lr).verdict.is_good() {
            return Ok(answer);
        }
        let labels = Labels::new(answer.labels.width(), answer.labels.height());
        Ok(Answer { labels, ..answer })
    }
}

impl<'a> Methods<'a> {
    /// The same methods, each behind the quality check: a false alarm then costs cells, as on the device. The picture is
    /// produced in any case.
    pub fn gated(self) -> Self {
        let gate = |method: Box<dyn Method + 'a>| Box::new(Gated(method)) as Box<dyn Method + 'a>;
        Self { model: gate(self.model), bicubic: gate(self.bicubic), float: self.float.map(gate) }
    }
}
