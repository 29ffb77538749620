//! The gate of the device in front of a method: frames that are not good have no cells.

use image::RgbImage;

use crate::method::{Answer, Method, Methods};
use bloodseg_vision::{cells::Labels, error::Result, frame::quality};

/// A method behind the gate.
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
    /// The same methods, each behind the gate: a false alarm then costs cells, as it does on the device. The picture is
    /// made all the same.
    pub fn gated(self) -> Self {
        let gate = |method: Box<dyn Method + 'a>| Box::new(Gated(method)) as Box<dyn Method + 'a>;
        Self { model: gate(self.model), bicubic: gate(self.bicubic), float: self.float.map(gate) }
    }
}
