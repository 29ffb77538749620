//! Topics: `TOPIC/BOX/...`.

/// The topics of one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Name of the box.
    pub box_name: String,
    /// Availability: `online` or `offline`, retained.
    pub availability: String,
    /// One message per frame.
    pub frames: String,
    /// Messages about frames deleted before they were published.
    pub lost: String,
    /// The state of the box, retained.
    pub state: String,
    /// Prefix of discovery topics, if enabled.
    pub discovery: Option<String>,
}

impl Topics {
    /// The topics of a box; `discovery` is the prefix of discovery topics.
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
