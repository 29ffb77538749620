//! The real connection: MQTT 3.1.1 over TCP with rumqttc. The only file that uses it.
//!
//! rumqttc's packets and connection are used, but not its own tracking of messages in flight: after each connection the
//! sender decides what to send, under its own ids. What rumqttc would resend is discarded.

use std::{collections::VecDeque, fmt, time::Duration};

use rumqttc::{
    Client, Connection, Disconnect, Event, LastWill, MqttOptions, NetworkOptions, Packet as Wire, PubRel, Publish, QoS,
    RecvTimeoutError, Request,
};

use super::{
    access::Access,
    link::{Heard, Link, Packet},
    message::OFFLINE,
    window::NOTE_ID,
};
use crate::{
    config::limits::MAX_MQTT_NAME_BYTES,
    outbox::limits::{MAX_MQTT_CONNECT, MAX_MQTT_INCOMING_BYTES, MAX_MQTT_MESSAGE_BYTES},
};

/// Minimum wait: with less, the sockets would never be polled.
const LEAST_PATIENCE: Duration = Duration::from_millis(1);

/// See the module.
pub(super) struct MqttLink {
    connection: Connection,
    // Nothing is sent through it, but the connection ends with it.
    _client: Client,
    /// Events from before the connection broke that are not reported yet.
    told_later: VecDeque<Heard>,
}

impl MqttLink {
    pub(super) fn new(access: &Access) -> Self {
        let mut options = MqttOptions::new(&access.client_id, &access.host, access.port);
        options
            .set_keep_alive(access.keep_alive)
            .set_clean_session(false)
            .set_max_packet_size(MAX_MQTT_INCOMING_BYTES, MAX_MQTT_MESSAGE_BYTES + 8 * MAX_MQTT_NAME_BYTES)
            .set_inflight(NOTE_ID)
            .set_last_will(LastWill::new(&access.topics.availability, OFFLINE, QoS::AtLeastOnce, true));
        if let Some((user, password)) = &access.login {
            options.set_credentials(user, password.reveal());
        }
        let (client, mut connection) = Client::new(options, 1);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(MAX_MQTT_CONNECT.as_secs());
        connection.eventloop.set_network_options(network);
        Self { connection, _client: client, told_later: VecDeque::new() }
    }

    /// Drops the connection; events received before are reported later, because they count.
    fn cut(&mut self) {
        let eventloop = &mut self.connection.eventloop;
        let counts = |heard: &Heard| matches!(heard, Heard::Received(_) | Heard::Completed(_) | Heard::Acknowledged(_));
        self.told_later.extend(eventloop.state.events.drain(..).map(heard).filter(counts));
        eventloop.clean();
        eventloop.state.collision = None;
        eventloop.pending.clear();
    }
}

fn heard(event: Event) -> Heard {
    match event {
        Event::Outgoing(_) | Event::Incoming(Wire::PingResp) => Heard::Noise,
        Event::Incoming(Wire::ConnAck(answer)) => Heard::Connected { resumed: answer.session_present },
        Event::Incoming(Wire::PubRec(packet)) => Heard::Received(packet.pkid),
        Event::Incoming(Wire::PubComp(packet)) => Heard::Completed(packet.pkid),
        Event::Incoming(Wire::PubAck(packet)) => Heard::Acknowledged(packet.pkid),
        // There are no subscriptions, so nothing else can arrive.
        Event::Incoming(_) => Heard::Lost("the broker sent an unexpected packet".into()),
    }
}

impl Link for MqttLink {
    fn hear(&mut self, patience: Duration) -> Heard {
        if let Some(heard) = self.told_later.pop_front() {
            return heard;
        }
        let lost = match self.connection.recv_timeout(patience.max(LEAST_PATIENCE)) {
            Ok(Ok(event)) => match heard(event) {
                Heard::Lost(why) => why,
                heard => return heard,
            },
            Ok(Err(error)) => error.to_string(),
            Err(RecvTimeoutError::Timeout) => return Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => "the connection is closed".to_owned(),
        };
        self.cut();
        self.told_later.push_back(Heard::Lost(lost));
        self.told_later.pop_front().unwrap_or(Heard::Noise)
    }

    fn send(&mut self, packet: Packet<'_>) {
        let request = match packet {
            Packet::Once { id, topic, payload, again } => {
                let mut publish = Publish::new(topic, QoS::ExactlyOnce, payload);
                (publish.pkid, publish.dup) = (id, again);
                Request::Publish(publish)
            }
            Packet::Kept { id, topic, payload } => {
                let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
                (publish.pkid, publish.retain) = (id, true);
                Request::Publish(publish)
            }
            Packet::Release(id) => Request::PubRel(PubRel::new(id)),
            Packet::Leave => Request::Disconnect(Disconnect),
        };
        self.connection.eventloop.pending.push_back(request);
    }

    fn hang_up(&mut self) {
        self.cut();
    }
}

impl fmt::Debug for MqttLink {
    // Without the options, which contain the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttLink").finish_non_exhaustive()
    }
}
