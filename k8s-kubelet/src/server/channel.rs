//! The channels of a remote command, as Kubernetes multiplexes them over a WebSocket: the first byte
//! of each binary message names the channel.

/// The protocols served, best first. The fifth adds closing a channel to the fourth.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// A channel's number.
pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
/// Carries a `Status` at the end.
pub(super) const ERROR: u8 = 3;
pub(super) const RESIZE: u8 = 4;
/// Names a channel that its sender closes.
const CLOSE: u8 = 255;

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// Bytes on a channel.
    Data(u8, &'a [u8]),
    /// The end of a channel.
    Close(u8),
}

/// Reads a client's message; `None` if it has no meaning.
pub(super) fn read(message: &[u8]) -> Option<Said<'_>> {
    match message {
        [CLOSE, channel, ..] => Some(Said::Close(*channel)),
        [channel, data @ ..] => Some(Said::Data(*channel, data)),
        [] => None,
    }
}

/// A message on a channel.
pub(super) fn write(channel: u8, data: &[u8]) -> Vec<u8> {
    [&[channel], data].concat()
}

/// The best protocol among those that a client offers.
pub(super) fn choose<'a>(offered: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let offered: Vec<_> = offered.map(str::trim).collect();
    PROTOCOLS.into_iter().find(|known| offered.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_protocol_is_chosen() {
        let choose = |offer: &'static str| choose(offer.split(','));
        assert_eq!(
            choose("v4.channel.k8s.io, v5.channel.k8s.io"),
            Some("v5.channel.k8s.io")
        );
        assert_eq!(
            choose("channel.k8s.io,v4.channel.k8s.io"),
            Some("v4.channel.k8s.io")
        );
        assert_eq!(choose("channel.k8s.io"), None);
    }

    #[test]
    fn the_first_byte_names_the_channel() {
        assert_eq!(read(&[0, b'h', b'i']), Some(Said::Data(STDIN, b"hi")));
        assert_eq!(read(&[255, 0]), Some(Said::Close(STDIN)));
        assert_eq!(read(&[]), None);
        assert_eq!(write(STDOUT, b"x"), [1, b'x']);
    }
}
