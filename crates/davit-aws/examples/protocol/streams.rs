//! Frames of event streams, and checksums.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use davit_aws::{
    checksum::{self, Algorithm, Chunked},
    event_stream::{Decoder, HeaderValue, Message, encode_event},
    value::{Map, Value},
};
use serde_json::{Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, Style, decode, encode, put_body, to_value},
    models::Models,
    wire,
};

/// The types of headers by their numbers in frames.
const TYPES: [&str; 10] = [
    "bool_true",
    "bool_false",
    "byte",
    "short",
    "int",
    "long",
    "bytes",
    "string",
    "timestamp",
    "uuid",
];

pub(crate) fn event_stream(asked: Asked<'_>, models: &mut Models) -> Answer {
    let of_model = asked.any(&["service", "model"]).is_some();
    if let Some(text) = asked.text("decode") {
        let bytes = decode(text)?;
        if !of_model {
            return Ok(messages(&bytes));
        }
        let (service, operation) = models.operation(asked)?;
        let style = Style::of(asked);
        let mut initial = Map::new();
        let events = wire::events(service, operation, &bytes, &mut initial);
        let events = events.map_err(|it| it.refusal(style))?;
        return Ok(json!({
            "events": style.json(&Value::List(events)),
            "initial": style.map(initial),
        }));
    }
    let message = if of_model {
        let (service, operation) = models.operation(asked)?;
        let event = to_value(asked.get("event").unwrap_or(&Json::Null))?;
        let input = operation.input.and_then(|it| service.structure(it));
        let members = input.map(|it| it.members.as_slice()).unwrap_or_default();
        let is_stream = |it| service.structure(it).is_some_and(|it| it.event_stream);
        let stream = members.iter().map(|it| it.shape).find(|it| is_stream(*it));
        let made = stream.and_then(|shape| encode_event(service, shape, &event));
        made.ok_or_else(|| Refusal::new("params", "no event of the operation's stream"))?
    } else {
        message(asked.part("encode"))?
    };
    let frame = message.encode().map_err(|it| Refusal::of("frame", &it))?;
    Ok(json!({ "frame": encode(&frame) }))
}

/// The messages of frames, as far as they can be read.
fn messages(bytes: &[u8]) -> Json {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let mut messages = Vec::new();
    let ended = loop {
        match decoder.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break decoder.finish(),
            Err(error) => break Err(error),
        }
    };
    let messages: Vec<Json> = messages.iter().map(message_json).collect();
    match ended {
        Ok(()) => json!({ "messages": messages }),
        Err(error) => Refusal::of("frame", &error).with("messages", messages.into()).into_json(),
    }
}

fn message_json(message: &Message) -> Json {
    let header = |(name, value): &(String, HeaderValue)| {
        let (kind, value) = match value {
            HeaderValue::Bool(it) => ("bool", json!(it)),
            HeaderValue::Byte(it) => ("byte", json!(it)),
            HeaderValue::Short(it) => ("short", json!(it)),
            HeaderValue::Int(it) => ("int", json!(it)),
            HeaderValue::Long(it) => ("long", json!(it)),
            HeaderValue::Bytes(it) => ("bytes", encode(it).into()),
            HeaderValue::String(it) => ("string", json!(it)),
            HeaderValue::Timestamp(it) => ("timestamp", it.as_millisecond().into()),
            HeaderValue::Uuid(it) => ("uuid", it.to_string().into()),
        };
        json!({"name": name, "type": kind, "value": value})
    };
    let headers: Json = message.headers.iter().map(header).collect();
    json!({"headers": headers, "payload_base64": encode(&message.payload)})
}

fn message(asked: Asked<'_>) -> Result<Message, Refusal> {
    let mut headers = Vec::new();
    for header in asked.list("headers") {
        let header = Asked(header);
        let name = header.need_text("name")?;
        let wrong = || Refusal::new("request", format!("the value of the header {name:?}"));
        let text = header.text("value");
        let number = header.get("value").and_then(Json::as_i64);
        let kind = match header.get("type") {
            // As it stands in a frame.
            Some(Json::Number(code)) => {
                code.as_u64().and_then(|it| TYPES.get(usize::try_from(it).ok()?).copied())
            }
            kind => kind.and_then(Json::as_str),
        };
        let value = match kind.unwrap_or_default() {
            "bool_true" => HeaderValue::Bool(true),
            "bool_false" => HeaderValue::Bool(false),
            "bool" | "boolean" => HeaderValue::Bool(header.flag(&["value"]).ok_or_else(wrong)?),
            "byte" => HeaderValue::Byte(small(number).ok_or_else(wrong)?),
            "short" => HeaderValue::Short(small(number).ok_or_else(wrong)?),
            "int" | "integer" => HeaderValue::Int(small(number).ok_or_else(wrong)?),
            "long" => HeaderValue::Long(number.ok_or_else(wrong)?),
            "bytes" | "binary" => HeaderValue::Bytes(decode(text.ok_or_else(wrong)?)?),
            "string" => HeaderValue::String(text.ok_or_else(wrong)?.to_owned()),
            "timestamp" => {
                let time = number.and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
                HeaderValue::Timestamp(time.ok_or_else(wrong)?)
            }
            "uuid" => {
                let uuid = text.and_then(|it| it.parse().ok());
                HeaderValue::Uuid(uuid.ok_or_else(wrong)?)
            }
            _ => return Err(Refusal::new("request", format!("the type of the header {name:?}"))),
        };
        headers.push((name.to_owned(), value));
    }
    Ok(Message { headers, payload: asked.bytes("payload")? })
}

fn small<T: TryFrom<i64>>(number: Option<i64>) -> Option<T> {
    number.and_then(|it| T::try_from(it).ok())
}

pub(crate) fn checksum(asked: Asked<'_>, _: &mut Models) -> Answer {
    let body = asked.bytes("body")?;
    let name = asked.need_text("algorithm")?;
    let value = match name.to_ascii_lowercase().as_str() {
        "md5" => checksum::md5(&body),
        "tree_hash" => return Ok(json!({ "hex": checksum::tree_hash(&body) })),
        _ => {
            let missing = || Refusal::new("request", format!("there is no algorithm {name:?}"));
            let algorithm = Algorithm::of(name).ok_or_else(missing)?;
            if asked.flag(&["chunked"]) == Some(true) {
                let length = body.len() as u64;
                let mut answer = json!({
                    "decoded_length": length,
                    "length": Chunked::encoded_length(algorithm, length),
                    "trailer": algorithm.header(),
                });
                put_body(&mut answer, &Chunked::whole(algorithm, body).concat());
                return Ok(answer);
            }
            algorithm.of_bytes(&body)
        }
    };
    let bytes = STANDARD.decode(&value).unwrap_or_default();
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    Ok(json!({"checksum": value, "hex": hex}))
}
