//! Lines of container logs: written again, they are what was read.

use anyhow::{Result, ensure};
use k8s_kubelet::server::log::{Line, Stream};
use k8s_store::testing::Dice;

use super::Target;
use crate::mutate;

const WORDS: [&str; 14] = [
    "2024-01-02T03:04:05.000000006Z",
    " ",
    "stdout",
    "stderr",
    " F ",
    " P ",
    " P:x ",
    ":",
    "text",
    "\n",
    "\u{e9}",
    "\u{0}",
    "stdout F ",
    "F",
];

pub(super) struct CriLog;

impl Target for CriLog {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut line = match dice.one_in(2) {
            true => mutate::sentence(dice, &WORDS, 8),
            false => b"2024-01-02T03:04:05.000000006Z stderr P a text\n".to_vec(),
        };
        mutate::mutate(dice, &mut line, &WORDS);
        line
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(line) = Line::parse(input) else {
            return Ok(());
        };
        let stream = match line.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let tag = if line.is_partial { "P" } else { "F" };
        let head = format!("{} {stream} {tag} ", line.time);
        let written = [head.as_bytes(), line.content, b"\n"].concat();
        let again = Line::parse(&written);
        ensure!(again.as_ref() == Some(&line), "{line:?} becomes {again:?}");
        ensure!(
            line.content_with_newline().starts_with(line.content),
            "{line:?} loses text"
        );
        Ok(())
    }
}
