//! The outbox: publishes durable records to an MQTT broker, in order, each frame once (docs/mqtt.md).
//!
//! The outbox is the records: there is no other queue, so a day without the broker costs no memory. A separate thread
//! reads them, and neither the pipeline nor the keeper ever waits for it.

pub mod access;
mod discovery;
pub mod limits;
pub mod link;
mod link_mqtt;
pub mod mark;
mod message;
mod notes;
#[cfg(test)]
mod scripted;
pub mod sender;
mod sweep;
pub mod topics;
pub mod unsent;
mod window;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::{
    error::{Error, Result},
    outbox::limits::MAX_MQTT_END_GRACE,
    run::{shared::Shared, stop::Stop},
};
use access::Access;
use link_mqtt::MqttLink;
use sender::{Counters, Sender};

/// The outbox of a run.
#[derive(Debug)]
pub struct Outbox {
    stop: Arc<Stop>,
    end: Receiver<Counters>,
}

/// How the outbox ended.
#[derive(Debug)]
pub enum End {
    /// It ended in time.
    InTime(Counters),
    /// It hangs, or died, and was abandoned.
    LeftBehind,
}

impl Outbox {
    /// Starts publishing the records in `folder`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the system cannot create a thread.
    pub fn begin(access: Access, folder: &Path, shared: &Arc<Shared>) -> Result<Self> {
        let stop = Arc::new(Stop::default());
        let (to, end) = sync_channel(1);
        let (stopped, shared, folder) = (Arc::clone(&stop), Arc::clone(shared), folder.to_owned());
        thread::Builder::new()
            .name("mqtt".to_owned())
            .spawn(move || {
                // A panic here must not end the run.
                let done = catch_unwind(AssertUnwindSafe(|| {
                    let mut sender = Sender::new(&access, &folder, Box::new(MqttLink::new(&access)), &shared);
                    let counters = work(&mut sender, &stopped);
                    // Report before the connection is closed, which may hang in name resolution.
                    let _ = to.try_send(counters);
                }));
                if done.is_err() {
                    log::error!("mqtt: the outbox panicked; nothing more is published in this run");
                }
            })
            .map_err(|e| Error::internal("threads", e))?;
        Ok(Self { stop, end })
    }

    /// Ends it: what the broker accepts within a few seconds is still sent.
    pub fn end(self) -> End {
        self.stop.raise();
        self.end.recv_timeout(MAX_MQTT_END_GRACE).map_or(End::LeftBehind, End::InTime)
    }
}

fn work(sender: &mut Sender, stop: &Stop) -> Counters {
    while !stop.is_raised() {
        let nap = sender.step();
        if nap > Duration::ZERO {
            stop.sleep(nap);
        }
    }
    sender.end()
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InTime(Counters { acknowledged, unsent, lost }) => {
                write!(f, "{acknowledged} frames acknowledged by the broker")?;
                if *unsent > 0 {
                    write!(f, "; {unsent} are pending for the next run with this folder")?;
                }
                if *lost > 0 {
                    write!(f, "; {lost} were deleted before they could be sent")?;
                }
                Ok(())
            }
            Self::LeftBehind => {
                f.write_str("the broker did not answer in time; unacknowledged frames are pending in the records")
            }
        }
    }
}
