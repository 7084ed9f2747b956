//! Protobuf's wire form, both ways: a message is a row of numbered values. What they mean is not known here.

use super::ProtobufError;

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Walks the values of a message with their numbers. After an error it ends.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Result<(u32, Wire<'a>), ProtobufError> {
        let tag = varint(&mut self.rest)?;
        let number = u32::try_from(tag >> 3).unwrap_or_default();
        if number == 0 {
            return Err(ProtobufError::Tag(tag >> 3));
        }
        let value = match (tag & 7) as u8 {
            0 => Wire::Varint(varint(&mut self.rest)?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = varint(&mut self.rest)?;
                let length = usize::try_from(length).map_err(|_| ProtobufError::Truncated)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(ProtobufError::IllegalWireType(other)),
        };
        Ok((number, value))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

/// Writes a message from its last byte to its first, so that the length of what is nested is known when it is due. What
/// comes later in the message is written earlier.
///
/// ```
/// use k8s_apimachinery::scheme::protobuf::Backwards;
/// let mut out = Backwards::default();
/// out.nested(2, |out| {
///     out.varint(1, 150);
///     Ok::<_, ()>(())
/// })?;
/// out.bytes(1, b"k");
/// assert_eq!(out.finish(), b"\x0a\x01k\x12\x03\x08\x96\x01");
/// # Ok::<(), ()>(())
/// ```
#[derive(Debug, Default)]
pub struct Backwards {
    reversed: Vec<u8>,
}

impl Backwards {
    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.reversed.is_empty()
    }

    /// Bytes without a number.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.reversed.extend(bytes.iter().rev());
    }

    /// A text, bytes, or a message that is written already.
    pub fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.raw(bytes);
        self.header(number, bytes.len());
    }

    /// A whole number or a flag.
    pub fn varint(&mut self, number: u32, value: u64) {
        self.number(value);
        self.number(u64::from(number) << 3);
    }

    /// Eight bytes: the bits of a number with a fraction.
    pub fn fixed64(&mut self, number: u32, bits: u64) {
        self.raw(&bits.to_le_bytes());
        self.number(u64::from(number) << 3 | 1);
    }

    /// A message of its own, which `write` writes, last field first.
    pub fn nested<E>(
        &mut self,
        number: u32,
        write: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = self.len();
        write(self)?;
        self.header(number, self.len() - end);
        Ok(())
    }

    /// What goes before the `length` bytes that were just written.
    pub fn header(&mut self, number: u32, length: usize) {
        self.number(length as u64);
        self.number(u64::from(number) << 3 | 2);
    }

    /// The message, the right way round.
    pub fn finish(mut self) -> Vec<u8> {
        self.reversed.reverse();
        self.reversed
    }

    fn number(&mut self, value: u64) {
        let start = self.len();
        put_varint(value, &mut self.reversed);
        self.reversed[start..].reverse();
    }
}

/// Appends a number of variable length.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How long a number of variable length is.
pub(super) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Takes a number of variable length: seven bits a byte, the lowest first.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, ProtobufError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(ProtobufError::Truncated)?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ProtobufError::Overflow)
}
