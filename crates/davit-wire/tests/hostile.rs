//! Whatever comes over the wire, a decoder neither panics nor keeps more than its limits allow.

use davit_wire::{Call, Decoder, Greeting, Json, Kind, Limits, Message, Open, Reply, encode};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits { message: 200_000, partial: 300_000, messages: 8 };

/// Feeds bytes in pieces; what comes out until something makes no sense.
fn decode(bytes: &[u8], piece: usize) -> Vec<Message> {
    let mut decoder = Decoder::new(LIMITS);
    let mut all = Vec::new();
    for part in bytes.chunks(piece.max(1)) {
        decoder.feed(part);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => {
                    assert!(message.body.len() <= LIMITS.message.max(davit_wire::CHUNK));
                    all.push(message);
                }
                Ok(None) => break,
                Err(_) => return all,
            }
        }
    }
    all
}

fn kind() -> impl Strategy<Value = Kind> {
    (1_u8..=18).prop_map(|it| Kind::of(it).expect("there are eighteen"))
}

fn message() -> impl Strategy<Value = (Kind, u32, Vec<u8>)> {
    (kind(), any::<u32>(), vec(any::<u8>(), 0..2000))
}

proptest! {
    #[test]
    fn anything_may_come(bytes in vec(any::<u8>(), 0..4000), piece in 1_usize..500) {
        decode(&bytes, piece);
    }

    #[test]
    fn what_was_sent_comes_out(messages in vec(message(), 0..10), piece in 1_usize..500) {
        let mut bytes = Vec::new();
        for (kind, number, body) in &messages {
            encode(*kind, *number, body, &mut bytes);
        }
        let seen: Vec<_> =
            decode(&bytes, piece).into_iter().map(|it| (it.kind, it.number, it.body)).collect();
        prop_assert_eq!(seen, messages);
    }

    #[test]
    fn a_stream_may_be_damaged_anywhere(
        messages in vec(message(), 1..5),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        for (kind, number, body) in &messages {
            encode(*kind, *number, body, &mut bytes);
        }
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()));
        decode(&bytes, 97);
    }

    #[test]
    fn bodies_may_say_anything(body in vec(any::<u8>(), 0..300), text in "[{}\\[\\]\":,a-z0-9]{0,200}") {
        for bytes in [&body[..], text.as_bytes()] {
            // An error is as good as an answer.
            let _ = (Call::decode(bytes), Reply::decode(bytes), Open::decode(bytes));
            let _ = Greeting::decode(bytes);
        }
    }
}

#[test]
fn deeply_nested_bodies_are_refused() {
    let deep = format!("{{\"reply\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Reply::decode(deep.as_bytes()).is_err());
}
