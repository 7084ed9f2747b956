//! Bodies in Kubernetes' protobuf form: what can be read is JSON that can be read, and can be written.

use anyhow::{Result, ensure};
use k8s_apimachinery::scheme::{Schema, codec, protobuf};
use k8s_store::testing::Dice;

use super::Target;
use crate::mutate;

pub(super) struct Protobuf;

impl Target for Protobuf {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let count = Schema::builtin_kinds().count();
        let gvk = Schema::builtin_kinds()
            .nth(dice.below(count))
            .unwrap_or_default();
        let mut names = Vec::new();
        bytes(&mut names, 1, gvk.api_version().as_bytes());
        bytes(&mut names, 2, gvk.kind.as_bytes());
        let mut envelope = protobuf::MAGIC.to_vec();
        bytes(&mut envelope, 1, &names);
        bytes(&mut envelope, 2, &message(dice, 8));
        if dice.one_in(3) {
            mutate::mutate(dice, &mut envelope, &[]);
        }
        envelope
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((gvk, tree)) = protobuf::decode(input) else {
            return Ok(());
        };
        ensure!(tree["kind"] == gvk.kind, "{gvk} is written as {tree}");
        let (again, _) = codec::decode_json(&codec::encode_json(&tree))?;
        ensure!(again == tree, "{tree} comes back as {again}");
        // Times out of range of RFC 3339 can be read, and not be written.
        if let Ok(written) = protobuf::encode(&tree) {
            let (_, again) = protobuf::decode(&written)?;
            ensure!(again == tree, "{tree} is written so that it reads {again}");
        }
        Ok(())
    }
}

/// A message of fields with small numbers, as those of objects are.
fn message(dice: &mut Dice, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..dice.below(5) {
        let largest = if dice.one_in(4) { 40 } else { 5 };
        let number = 1 + dice.below(largest) as u64;
        match dice.below(10) {
            0 => {
                varint(&mut out, number << 3);
                let value = dice.throw() >> dice.below(64);
                varint(&mut out, value);
            }
            1 => {
                varint(&mut out, number << 3 | 1);
                out.extend(dice.throw().to_le_bytes());
            }
            2 => {
                varint(&mut out, number << 3 | 5);
                out.extend((dice.throw() as u32).to_le_bytes());
            }
            3..6 => {
                let text = mutate::pick(dice, &["", "a", "1Gi", "80", "{\"a\":[1]}", "\u{e9}"]);
                bytes(&mut out, number, text.as_bytes());
            }
            _ if depth > 0 => bytes(&mut out, number, &message(dice, depth - 1)),
            _ => bytes(&mut out, number, b"\xff"),
        }
    }
    out
}

fn bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
