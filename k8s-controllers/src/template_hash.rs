//! Short names for pod templates, by which the objects that stand for them are told apart.

use k8s_openapi::api::core::v1::PodTemplateSpec;

/// Letters of the hash: no vowels and nothing that looks like one, so that it never spells a word.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name for a template: equal for equal templates, and another for each collision count.
pub(crate) fn hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    // Maps in these types are ordered, so equal templates have equal texts.
    let mut text = serde_json::to_vec(template).expect("a template is plain data");
    if let Some(collisions) = collisions {
        text.extend(collisions.to_le_bytes());
    }
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut rest = text.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let mut name = String::with_capacity(10);
    for _ in 0..10 {
        let letter = usize::try_from(rest % 27).expect("below 27");
        name.push(char::from(LETTERS[letter]));
        rest /= 27;
    }
    name
}
