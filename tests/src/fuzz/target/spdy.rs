//! SPDY frames: however they arrive, no bytes of a stream are lost or made up, and what a peer can
//! make the reader hold is bounded.

use anyhow::{Result, ensure};
use k8s_kubelet::spdy::{Encoder, Frame, Headers, Reader};
use k8s_store::testing::Dice;
use tokio::runtime::{Builder, Runtime};

use super::Target;
use crate::mutate;

/// The most that a frame hands on, in bytes.
const LARGEST: usize = 64 * 1024 + 8;

pub(super) struct Spdy(Runtime);

impl Spdy {
    pub(super) fn new() -> Self {
        let runtime = Builder::new_current_thread().build();
        Spdy(runtime.expect("a runtime"))
    }
}

impl Target for Spdy {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let mut wire = Vec::new();
        for _ in 0..1 + dice.below(5) {
            match dice.below(6) {
                0 | 1 => {
                    let name = mutate::pick(dice, &["streamtype", "port", ":path", ""]);
                    let value = mutate::pick(dice, &["stdin", "80", "error", "\u{e9}"]);
                    let headers = vec![(name, value); dice.below(4)];
                    wire.extend_from_slice(&encoder.open(&Headers::new(&headers)).1);
                }
                2 => wire.extend_from_slice(&encoder.reply(1)),
                3 => wire.extend([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]),
                4 => wire.extend([0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0]),
                _ => {
                    let data = vec![b'x'; dice.below(40)];
                    wire.extend_from_slice(&Encoder::data(1, &data, dice.one_in(2)));
                }
            }
        }
        if !dice.one_in(4) {
            mutate::mutate(dice, &mut wire, &["\u{0}", "\u{1}"]);
        }
        wire
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        self.0.block_on(async {
            let mut reader = Reader::new(input);
            let mut again = Vec::new();
            let mut frames = 0;
            while let Ok(Some(frame)) = reader.next().await {
                frames += 1;
                match frame {
                    Frame::Data {
                        stream,
                        data,
                        is_last,
                    } => {
                        ensure!(data.len() <= LARGEST, "a piece of {} bytes", data.len());
                        let frame = Encoder::data(stream, &data, is_last);
                        let read = Reader::new(&frame[..]).next().await?;
                        let expected = Frame::Data {
                            stream,
                            data: data.clone(),
                            is_last,
                        };
                        ensure!(read == Some(expected), "{read:?} instead of {data:?}");
                        again.extend_from_slice(&data);
                    }
                    Frame::Open { headers, .. } => {
                        let (_, frame) = Encoder::default().open(&headers);
                        let Some(Frame::Open { headers: read, .. }) =
                            Reader::new(&frame[..]).next().await?
                        else {
                            anyhow::bail!("what was opened does not open again");
                        };
                        ensure!(read == headers, "{headers:?} become {read:?}");
                    }
                    Frame::Ping(frame) => ensure!(frame.len() <= LARGEST, "a long ping"),
                    Frame::Reset(_) | Frame::GoAway | Frame::Other => {}
                }
            }
            ensure!(
                frames <= input.len(),
                "{frames} frames of {} bytes",
                input.len()
            );
            ensure!(again.len() <= input.len(), "more data than was sent");
            Ok(())
        })
    }
}
