//! What peers may say, and what becomes of it.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{dictionary::dictionary, header::ZLIB, *};

async fn frames(bytes: &[u8]) -> io::Result<Vec<Frame>> {
    let mut reader = Reader::new(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = reader.next().await? {
        frames.push(frame);
    }
    Ok(frames)
}

fn control(kind: u16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u16(0x8003);
    frame.put_u16(kind);
    frame.put_u32(u32::try_from(body.len()).unwrap());
    frame.put_slice(body);
    frame.freeze()
}

/// A stream's opening with a header block as it is.
fn opening(stream: u32, block: &[u8]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u32(stream);
    body.put_slice(&[0; 6]);
    body.put_slice(block);
    control(1, &body)
}

/// A block as zlib packs it. Raw deflate has no dictionary of its own here: what would have been said
/// before is packed first, and left out.
fn packed(plain: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut primer = Vec::with_capacity(4096);
    deflate
        .compress_vec(&dictionary(), &mut primer, FlushCompress::Sync)
        .unwrap();
    let mut block = ZLIB.to_vec();
    block.reserve(plain.len() / 2 + 4096);
    deflate
        .compress_vec(plain, &mut block, FlushCompress::Sync)
        .unwrap();
    block
}

fn pair(name: &str, value: &str) -> Vec<u8> {
    let mut plain = BytesMut::new();
    plain.put_u32(1);
    for text in [name, value] {
        plain.put_u32(u32::try_from(text.len()).unwrap());
        plain.put_slice(text.as_bytes());
    }
    plain.to_vec()
}

#[tokio::test]
async fn what_is_encoded_is_read_back() {
    let mut encoder = Encoder::default();
    let (error, data) = (
        Headers::new(&[("streamtype", "error"), ("port", "80")]),
        Headers::new(&[("streamtype", "data"), ("port", "80")]),
    );
    let (first, opened) = encoder.open(&error);
    let (second, next) = encoder.open(&data);
    assert_eq!((first, second), (1, 3));
    let hello = Encoder::data(3, b"hello", true);
    let read = frames(&[opened, next, hello].concat()).await.unwrap();
    let opening = |stream, headers| Frame::Open {
        stream,
        headers,
        is_last: false,
    };
    let data_frame = Frame::Data {
        stream: 3,
        data: Bytes::from_static(b"hello"),
        is_last: true,
    };
    assert_eq!(read, [opening(1, error), opening(3, data), data_frame]);
}

#[tokio::test]
async fn headers_are_unpacked_with_the_dictionary() {
    let frame = opening(1, &packed(&pair("Content-Type", "text/html,image/png")));
    assert!(frame.len() < 50, "the dictionary makes it short");
    let read = frames(&frame).await.unwrap();
    let [Frame::Open { headers, .. }] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(headers.get("content-type"), Some("text/html,image/png"));
}

#[tokio::test]
async fn long_data_comes_in_pieces_and_ends_once() {
    let long = vec![7; 100_000];
    let read = frames(&Encoder::data(1, &long, true)).await.unwrap();
    let mut joined = Vec::new();
    for (index, frame) in read.iter().enumerate() {
        let Frame::Data { data, is_last, .. } = frame else {
            panic!("{frame:?}")
        };
        assert!(data.len() <= 32 * 1024);
        assert_eq!(*is_last, index + 1 == read.len());
        joined.extend_from_slice(data);
    }
    assert_eq!(joined, long);
}

#[tokio::test]
async fn hostile_frames_end_the_connection() {
    let bomb = packed(&vec![0; 8 << 20]);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let mut many = BytesMut::new();
    many.put_u32(u32::MAX);
    let cases: [(&str, Bytes, &str); 9] = [
        (
            "no dictionary",
            opening(1, b"\x78\x9c\0\0\0\0"),
            "dictionary",
        ),
        ("no block", opening(1, b""), "dictionary"),
        (
            "garbage",
            opening(1, &[&ZLIB[..], &[0xff; 40]].concat()),
            "deflate",
        ),
        ("a bomb", opening(1, &bomb), "larger than 64 KiB"),
        ("a false count", opening(1, &packed(&many)), "breaks off"),
        ("too short an opening", control(1, &[0; 4]), "too short"),
        ("too short a reset", control(3, &[0; 4]), "too short"),
        (
            "too long a message",
            control(4, &vec![0; 65_537]),
            "larger than 64 KiB",
        ),
        (
            "HTTP",
            Bytes::from_static(b"\xffET / HTTP/1.1\r\n"),
            "version",
        ),
    ];
    for (name, bytes, expected) in cases {
        let error = frames(&bytes).await.expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    let torn = &Encoder::data(1, b"hello", true)[..10];
    let error = frames(torn).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn noise_neither_panics_nor_hangs() {
    // A fixed sequence (splitmix64): the same noise every time.
    let mut state = 7u64;
    let mut noise = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut encoder = Encoder::default();
    let sound: Vec<Bytes> = (0..8)
        .flat_map(|_| {
            let (stream, opened) = encoder.open(&Headers::new(&[("streamtype", "data")]));
            [opened, Encoder::data(stream, b"some bytes", true)]
        })
        .collect();
    let sound = sound.concat();
    for _ in 0..20_000 {
        let mut bytes = sound.clone();
        for _ in 0..1 + noise() % 6 {
            let at = usize::try_from(noise()).unwrap() % bytes.len();
            bytes[at] = noise().to_le_bytes()[0];
        }
        bytes.truncate(usize::try_from(noise()).unwrap() % (bytes.len() + 1));
        let _ = frames(&bytes).await;
    }
}

/// A server that sends back what it gets, in capitals.
fn shouting() -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve(far, |_, mut stream| {
        Box::pin(async move {
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
            let _ = stream.write_all(&said.to_ascii_uppercase()).await;
        })
    }));
    near
}

#[tokio::test]
async fn a_stream_answers_after_its_other_half_has_ended() {
    let mut connection = shouting();
    let mut encoder = Encoder::default();
    for word in ["one", "two"] {
        let (stream, opened) = encoder.open(&Headers::default());
        connection.write_all(&opened).await.unwrap();
        let frame = Encoder::data(stream, word.as_bytes(), true);
        connection.write_all(&frame).await.unwrap();
    }
    let mut reader = Reader::new(connection);
    let mut heard = Vec::new();
    let mut ended = 0;
    while ended < 2 {
        if let Some(Frame::Data { data, is_last, .. }) = reader.next().await.unwrap() {
            heard.extend_from_slice(&data);
            ended += u32::from(is_last);
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, b"ENOOTW");
}

#[tokio::test]
async fn streams_that_are_unknown_or_too_many_are_reset() {
    let mut connection = shouting();
    let (mut from_server, mut to_server) = tokio::io::split(&mut connection);
    to_server
        .write_all(&Encoder::data(9, b"lost", false))
        .await
        .unwrap();
    let mut reader = Reader::new(&mut from_server);
    assert_eq!(reader.next().await.unwrap(), Some(Frame::Reset(9)));
    let mut encoder = Encoder::default();
    for _ in 0..512 {
        let (_, opened) = encoder.open(&Headers::default());
        to_server.write_all(&opened).await.unwrap();
        assert_eq!(reader.next().await.unwrap(), Some(Frame::Other), "a reply");
    }
    let (stream, opened) = encoder.open(&Headers::default());
    to_server.write_all(&opened).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(Frame::Reset(stream)));
}

#[tokio::test]
async fn a_stream_opened_twice_ends_the_connection() {
    let (mut near, far) = tokio::io::duplex(1024);
    let (_, opened) = Encoder::default().open(&Headers::default());
    let serving = serve(far, |_, _| Box::pin(std::future::ready(())));
    near.write_all(&opened).await.unwrap();
    near.write_all(&opening(1, b"\0\x04\0\xfb\xff\0\0\0\0"))
        .await
        .unwrap();
    let error = serving.await.unwrap_err();
    assert_eq!(error.to_string(), "a SPDY stream whose number isn't new");
}
