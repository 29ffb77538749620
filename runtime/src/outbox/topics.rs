//! Where messages go: `TOPIC/BOX/...`.

/// The topics of one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Name of the box.
    pub box_name: String,
    /// Whether the box is there: `online` or `offline`, retained.
    pub availability: String,
    /// A message a frame.
    pub frames: String,
    /// A message for frames that were deleted before they could be sent.
    pub lost: String,
    /// What the box is in, retained.
    pub state: String,
    /// What the topics of discovery begin with, where it is on.
    pub discovery: Option<String>,
}

impl Topics {
    /// Those of a box; `discovery` is what the topics of discovery begin with.
    pub fn new(prefix: &str, box_name: &str, discovery: Option<&str>) -> Self {
        let topic = |last: &str| format!("{prefix}/{box_name}/{last}");
        Self {
            availability: topic("availability"),
            frames: topic("frames"),
            lost: topic("lost"),
            state: topic("state"),
            box_name: box_name.to_owned(),
            discovery: discovery.map(str::to_owned),
        }
    }
}
