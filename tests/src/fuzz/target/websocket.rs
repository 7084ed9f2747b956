//! Messages on the channels of a WebSocket, in every protocol: written, they say the same again.

use anyhow::{Result, ensure};
use k8s_kubelet::server::channel::{Protocol, Said};
use k8s_store::testing::Dice;
use tokio_tungstenite::tungstenite::Message;

use super::Target;
use crate::mutate;

const PROTOCOLS: [&str; 7] = [
    "",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "v5.channel.k8s.io",
    "chat",
];

pub(super) struct WebSockets;

impl Target for WebSockets {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut message = mutate::pick(dice, &PROTOCOLS).as_bytes().to_vec();
        message.push(b'\n');
        let channel = [0, 1, 4, 255, b'0', b'1', b'/', b'3'][dice.below(8)];
        message.push(channel);
        message.extend_from_slice(
            mutate::pick(dice, &["", "aGk=", "hi", "{}", "====", "\u{0}"]).as_bytes(),
        );
        if dice.one_in(2) {
            mutate::mutate(dice, &mut message, &[]);
        }
        message
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let mut parts = input.splitn(2, |byte| *byte == b'\n');
        let offer = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let Some(protocol) = Protocol::choose(offer.split(',')) else {
            return Ok(());
        };
        let body = parts.next().unwrap_or_default();
        let text = std::str::from_utf8(body).ok().map(Message::text);
        for message in [Some(Message::binary(body.to_vec())), text]
            .into_iter()
            .flatten()
        {
            let Some(Said::Data(channel, data)) = protocol.read(message) else {
                continue;
            };
            // Ours are few; digits name no others.
            if channel < 10 {
                let again = protocol.read(protocol.write(channel, &data));
                let said = Said::Data(channel, data);
                ensure!(again.as_ref() == Some(&said), "{said:?} becomes {again:?}");
            }
        }
        let _ = protocol.end(body);
        Ok(())
    }
}
