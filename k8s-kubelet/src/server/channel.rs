//! The channels of a remote command, as Kubernetes multiplexes them over a WebSocket: the first byte
//! of each message names the channel.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

/// A channel's number.
pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
/// Carries a `Status` at the end.
pub(super) const ERROR: u8 = 3;
pub(super) const RESIZE: u8 = 4;
/// Names a channel that its sender closes.
const CLOSE: u8 = 255;

/// A protocol of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// As it is negotiated.
    pub name: &'static str,
    /// Messages are text: the channel as a digit, then base64.
    is_base64: bool,
    /// Channels can be closed one by one.
    closes: bool,
    /// The end is told as a `Status`; before that it was told in words, and only of failures.
    has_status: bool,
}

const fn protocol(name: &'static str, is_base64: bool, closes: bool, has_status: bool) -> Protocol {
    Protocol {
        name,
        is_base64,
        closes,
        has_status,
    }
}

/// The protocols served. The first is spoken when a client names none.
const PROTOCOLS: [Protocol; 6] = [
    protocol("", false, false, false),
    protocol("channel.k8s.io", false, false, false),
    protocol("base64.channel.k8s.io", true, false, false),
    protocol("v4.channel.k8s.io", false, false, true),
    protocol("v4.base64.channel.k8s.io", true, false, true),
    protocol("v5.channel.k8s.io", false, true, true),
];

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Bytes on a channel.
    Data(u8, Bytes),
    /// The end of a channel.
    Close(u8),
}

impl Protocol {
    /// The first protocol offered that is served.
    pub fn choose<'a>(offered: impl Iterator<Item = &'a str>) -> Option<Protocol> {
        let mut offered = offered
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .peekable();
        if offered.peek().is_none() {
            return Some(PROTOCOLS[0]);
        }
        offered.find_map(|name| PROTOCOLS.into_iter().find(|known| known.name == name))
    }

    /// Reads a client's message; `None` if it has no meaning.
    pub fn read(self, message: Message) -> Option<Said> {
        let data = match message {
            Message::Binary(data) => data,
            Message::Text(text) => text.into(),
            _ => return None,
        };
        match *data.first()? {
            CLOSE if self.closes => Some(Said::Close(*data.get(1)?)),
            digit if self.is_base64 => {
                let decoded = BASE64_STANDARD.decode(&data[1..]).ok()?;
                Some(Said::Data(digit.checked_sub(b'0')?, decoded.into()))
            }
            channel => Some(Said::Data(channel, data.slice(1..))),
        }
    }

    /// A message on a channel.
    pub fn write(self, channel: u8, data: &[u8]) -> Message {
        if self.is_base64 {
            let digit = char::from(b'0' + channel);
            return Message::text(format!("{digit}{}", BASE64_STANDARD.encode(data)));
        }
        Message::binary([&[channel], data].concat())
    }

    /// How the end is told, given as a `Status`; `None` if there is nothing to tell.
    pub fn end(self, status: &[u8]) -> Option<Message> {
        if self.has_status {
            return (!status.is_empty()).then(|| self.write(ERROR, status));
        }
        let status: serde_json::Value = serde_json::from_slice(status).unwrap_or_default();
        let words = status["message"].as_str()?;
        (status["status"] == "Failure").then(|| self.write(ERROR, words.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(offer: &'static str) -> Option<&'static str> {
        Protocol::choose(offer.split(',')).map(|protocol| protocol.name)
    }

    fn named(name: &'static str) -> Protocol {
        Protocol::choose([name].into_iter()).unwrap()
    }

    #[test]
    fn the_first_protocol_that_is_known_is_chosen() {
        let newest = "v5.channel.k8s.io";
        assert_eq!(chosen("v5.channel.k8s.io, v4.channel.k8s.io"), Some(newest));
        assert_eq!(chosen("v9.channel.k8s.io,v5.channel.k8s.io"), Some(newest));
        let text = "v4.base64.channel.k8s.io";
        assert_eq!(chosen("v4.base64.channel.k8s.io"), Some(text));
        assert_eq!(chosen(""), Some(""));
        assert_eq!(chosen("chat"), None);
    }

    #[test]
    fn the_first_byte_names_the_channel() {
        let newest = named("v5.channel.k8s.io");
        let said = newest.read(Message::binary(vec![0, b'h', b'i']));
        assert_eq!(said, Some(Said::Data(STDIN, Bytes::from_static(b"hi"))));
        let closed = Message::binary(vec![255, 0]);
        assert_eq!(newest.read(closed.clone()), Some(Said::Close(STDIN)));
        let older = named("v4.channel.k8s.io").read(closed);
        assert_eq!(older, Some(Said::Data(255, Bytes::from_static(&[0]))));
        assert_eq!(newest.read(Message::binary(vec![])), None);
        assert_eq!(newest.read(Message::binary(vec![255])), None);
        assert_eq!(newest.write(STDOUT, b"x"), Message::binary(vec![1, b'x']));
    }

    #[test]
    fn text_carries_bytes_as_base64() {
        let text = named("v4.base64.channel.k8s.io");
        assert_eq!(text.write(STDERR, b"\xff\0"), Message::text("2/wA="));
        let said = text.read(Message::text("0aGk="));
        assert_eq!(said, Some(Said::Data(STDIN, Bytes::from_static(b"hi"))));
        for wrong in ["0!", "/aGk=", ""] {
            assert_eq!(text.read(Message::text(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn protocols_without_a_status_tell_only_failures() {
        let failure = br#"{"status":"Failure","message":"exit 3"}"#;
        let oldest = named("channel.k8s.io");
        assert_eq!(
            oldest.end(failure),
            Some(Message::binary(b"\x03exit 3".to_vec()))
        );
        assert_eq!(oldest.end(br#"{"status":"Success"}"#), None);
        let message = named("v4.channel.k8s.io").end(br#"{"status":"Success"}"#);
        assert_eq!(
            message,
            Some(Message::binary(b"\x03{\"status\":\"Success\"}".to_vec()))
        );
    }
}
