//! Frames, to the byte and cut into pieces.

use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn all_types() -> Message {
    let time = Timestamp::from_millisecond(1_767_323_045_678).expect("small");
    let headers = [
        ("yes", HeaderValue::Bool(true)),
        ("no", HeaderValue::Bool(false)),
        ("byte", HeaderValue::Byte(-3)),
        ("short", HeaderValue::Short(-300)),
        ("int", HeaderValue::Int(70_000)),
        ("long", HeaderValue::Long(-5_000_000_000)),
        ("bytes", HeaderValue::Bytes(Bytes::from_static(b"\0\xff"))),
        ("text", HeaderValue::String("h\u{e9}".to_owned())),
        ("time", HeaderValue::Timestamp(time)),
        ("uuid", HeaderValue::Uuid(Uuid::from_u128(1 << 100))),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Message { headers, payload: Bytes::from_static(b"payload") }
}

#[test]
fn a_frame_is_what_the_specification_shows() {
    // The smallest frame that there is.
    let frame = Message::default().encode().expect("small");
    assert_eq!(
        frame[..],
        [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff],
    );
}

#[test]
fn messages_come_out_of_bytes_in_pieces_of_any_size() {
    let frame = all_types().encode().expect("small");
    let stream = [&frame[..], &frame[..]].concat();
    for size in 1..stream.len() {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for piece in stream.chunks(size) {
            decoder.push(piece);
            while let Some(message) = decoder.next_message().expect("frames") {
                messages.push(message);
            }
        }
        assert_eq!(messages, [all_types(), all_types()], "pieces of {size}");
        assert_eq!(decoder.finish(), Ok(()));
    }
    let mut decoder = Decoder::default();
    decoder.push(&frame[..frame.len() - 1]);
    assert_eq!(decoder.next_message(), Ok(None));
    assert_eq!(decoder.finish(), Err(FrameError::Truncated));
}

#[test]
fn every_flipped_bit_is_seen() {
    let frame = all_types().encode().expect("small");
    for bit in 0..frame.len() * 8 {
        let mut broken = frame.to_vec();
        broken[bit / 8] ^= 1 << (bit % 8);
        let mut decoder = Decoder::default();
        decoder.push(&broken);
        let error = decoder.next_message().expect_err("a checksum");
        assert!(matches!(error, FrameError::Checksum { .. }), "{bit}: {error}");
        decoder.push(&frame);
        assert_eq!(decoder.next_message(), Err(error), "nothing more is read");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let long = |size: usize| HeaderValue::Bytes(vec![0; size].into());
    let with = |headers: Vec<(String, HeaderValue)>| Message { headers, ..Message::default() };
    for (message, error) in [
        (with(vec![("n".repeat(256), long(1))]), FrameError::Header("a long name")),
        (with(vec![("n".to_owned(), long(65_536))]), FrameError::Header("a long value")),
        (
            with((0..3).map(|it| (it.to_string(), long(65_535))).collect()),
            FrameError::Headers(3 * 65_540),
        ),
        (
            Message { payload: vec![0; LONGEST_PAYLOAD + 1].into(), ..Message::default() },
            FrameError::Payload(LONGEST_PAYLOAD + 1),
        ),
    ] {
        assert_eq!(message.encode(), Err(error));
    }
    for (total, headers) in [(u32::MAX, 0_u32), (15, 0), (100, 99), (1 << 30, 1 << 20)] {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&prelude);
        prelude.extend(crc.sum().to_be_bytes());
        let mut decoder = Decoder::default();
        decoder.push(&prelude);
        assert!(decoder.next_message().is_err(), "{total} {headers}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_refused(pieces: Vec<Vec<u8>>) {
        let mut decoder = Decoder::default();
        for piece in pieces {
            decoder.push(&piece);
            let _ = decoder.next_message();
        }
        let _ = decoder.finish();
    }

    #[test]
    fn any_headers_are_read_or_refused(headers: Vec<u8>) {
        let total = u32::try_from(16 + headers.len()).expect("small");
        let mut frame = total.to_be_bytes().to_vec();
        frame.extend((total - 16).to_be_bytes());
        let sum = |bytes: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            crc.sum().to_be_bytes()
        };
        frame.extend(sum(&frame));
        frame.extend(headers);
        frame.extend(sum(&frame));
        let mut decoder = Decoder::default();
        decoder.push(&frame);
        let read = decoder.next_message();
        prop_assert!(matches!(read, Ok(Some(_)) | Err(FrameError::Header(_))), "{:?}", read);
    }
}
