//! Time, randomness and identity, injected: a simulation hands in its own and gets the same history from the same seed.

use jiff::Timestamp;
use rand::RngCore;
use uuid::Builder;

/// What a server takes from the world.
pub trait Environment: Send + Sync + 'static {
    /// The time, for `creationTimestamp` and its like.
    fn now(&self) -> Timestamp;

    /// 128 random bits, for `uid` and generated names.
    fn random(&self) -> u128;
}

/// The machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self) -> u128 {
        let mut rng = rand::rng();
        u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
    }
}

/// A new `uid`, or any other identifier that nothing else has.
pub(crate) fn new_uid(environment: &dyn Environment) -> String {
    let bytes = environment.random().to_be_bytes();
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The time in the form of `metav1.Time`: RFC 3339 in whole seconds.
pub fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The characters of generated names: no vowels, so that no words appear, and nothing easily confused.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `generateName` with five random characters behind it, cut so that both fit into 63.
pub(crate) fn generated_name(prefix: &str, environment: &dyn Environment) -> String {
    const SUFFIX: usize = 5;
    const LONGEST: usize = 63;
    let mut end = prefix.len().min(LONGEST - SUFFIX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = prefix[..end].to_owned();
    let mut random = environment.random();
    for _ in 0..SUFFIX {
        let index = (random % ALPHABET.len() as u128) as usize;
        random /= ALPHABET.len() as u128;
        name.push(char::from(ALPHABET[index]));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still;

    impl Environment for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn random(&self) -> u128 {
            27 * 27 + 1
        }
    }

    #[test]
    fn the_same_randomness_gives_the_same_names() {
        assert_eq!(generated_name("web-", &Still), "web-cbcbb");
        assert_eq!(generated_name(&"a".repeat(80), &Still).len(), 63);
        assert_eq!(new_uid(&Still), "00000000-0000-4000-8000-0000000002da");
        assert_eq!(rfc3339(Still.now()), "1970-01-01T00:00:00Z");
    }
}
