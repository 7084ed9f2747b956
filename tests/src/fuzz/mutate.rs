//! Valid bytes, slightly wrong.

use k8s_store::testing::Dice;

/// Lengths and counts at which programs like to break.
const EDGES: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// One of them.
pub(crate) fn pick<'a, T: ?Sized>(dice: &mut Dice, from: &[&'a T]) -> &'a T {
    from[dice.below(from.len())]
}

/// Up to four edits: bits, bytes, ranges, edges, and words of the language.
pub(crate) fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>, words: &[&str]) {
    for _ in 0..=dice.below(4) {
        edit(dice, bytes, words);
    }
}

fn edit(dice: &mut Dice, bytes: &mut Vec<u8>, words: &[&str]) {
    let at = dice.below(bytes.len() + 1);
    let end = at + dice.below((bytes.len() - at).min(32) + 1);
    match dice.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = dice.throw() as u8,
        2 => bytes.insert(at, dice.throw() as u8),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let copy = bytes[at..end].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        5 => {
            let edge = EDGES[dice.below(EDGES.len())];
            let width = [1, 2, 4, 8][dice.below(4)];
            let edge = match dice.one_in(2) {
                true => edge.to_le_bytes()[..width].to_vec(),
                false => edge.to_be_bytes()[8 - width..].to_vec(),
            };
            let end = (at + width).min(bytes.len());
            bytes.splice(at..end, edge);
        }
        6 if dice.one_in(4) => bytes.truncate(at),
        _ if words.is_empty() => {}
        7 => drop(bytes.splice(at..end, pick(dice, words).bytes())),
        _ => drop(bytes.splice(at..at, pick(dice, words).bytes())),
    }
}

/// A text of up to so many words of a language, with some noise.
pub(crate) fn sentence(dice: &mut Dice, words: &[&str], longest: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..dice.below(longest + 1) {
        text.extend_from_slice(pick(dice, words).as_bytes());
    }
    if dice.one_in(4) {
        mutate(dice, &mut text, words);
    }
    text
}
