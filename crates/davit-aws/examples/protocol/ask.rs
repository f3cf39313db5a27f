//! Requests and answers: what stands in a request, values in both directions, why there is no answer.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use davit_aws::{
    http::Headers,
    value::{Map, Value},
};
use serde_json::{Map as JsonMap, Value as Json, json};

/// What a command gives.
pub(crate) type Answer = Result<Json, Refusal>;

/// Why there is no answer.
pub(crate) struct Refusal(JsonMap<String, Json>);

impl Refusal {
    /// `kind` says which part refused.
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        let mut members = JsonMap::new();
        members.insert("kind".to_owned(), kind.into());
        members.insert("message".to_owned(), message.into().into());
        Self(members)
    }

    /// An error with its causes.
    pub(crate) fn of(kind: &str, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        Self::new(kind, text)
    }

    /// The same with something more.
    pub(crate) fn with(mut self, name: &str, value: Json) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn into_json(self) -> Json {
        json!({ "error": self.0 })
    }
}

/// A part of a request.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a>(pub(crate) &'a Json);

impl<'a> Asked<'a> {
    /// What stands under the first of these names that is there and not null.
    pub(crate) fn any(self, names: &[&str]) -> Option<&'a Json> {
        names.iter().find_map(|name| self.0.get(name).filter(|it| !it.is_null()))
    }

    pub(crate) fn get(self, name: &str) -> Option<&'a Json> {
        self.any(&[name])
    }

    /// The part under a name; an empty one if it is not there.
    pub(crate) fn part(self, name: &str) -> Self {
        Self(self.get(name).unwrap_or(&Json::Null))
    }

    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Json::as_str)
    }

    pub(crate) fn any_text(self, names: &[&str]) -> Option<&'a str> {
        self.any(names).and_then(Json::as_str)
    }

    pub(crate) fn owned(self, names: &[&str]) -> Option<String> {
        self.any_text(names).map(str::to_owned)
    }

    pub(crate) fn need_text(self, name: &str) -> Result<&'a str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::new("request", format!("needs a text {name:?}")))
    }

    pub(crate) fn flag(self, names: &[&str]) -> Option<bool> {
        self.any(names).and_then(Json::as_bool)
    }

    pub(crate) fn number(self, names: &[&str]) -> Option<u64> {
        let number = self.any(names)?;
        number.as_u64().or_else(|| number.as_str()?.parse().ok())
    }

    pub(crate) fn list(self, name: &str) -> &'a [Json] {
        self.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// The entries of an object, or of a list of pairs.
    pub(crate) fn entries(self, name: &str) -> Vec<(String, &'a Json)> {
        match self.get(name) {
            Some(Json::Object(map)) => map.iter().map(|(key, it)| (key.clone(), it)).collect(),
            Some(Json::Array(pairs)) => {
                let pair = |it: &'a Json| Some((it.get(0)?.as_str()?.to_owned(), it.get(1)?));
                pairs.iter().filter_map(pair).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Texts by their names: an object whose values are texts or lists of them, or a list of pairs.
    pub(crate) fn texts(self, name: &str) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (key, value) in self.entries(name) {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                texts.push((key.clone(), text));
            }
        }
        texts
    }

    pub(crate) fn headers(self) -> Headers {
        self.texts("headers").into_iter().collect()
    }

    /// Bytes: a text under a name, or base64 under the name with `_base64` behind it.
    pub(crate) fn bytes(self, name: &str) -> Result<Bytes, Refusal> {
        let encoded = format!("{name}_base64");
        match (self.text(&encoded), self.text(name)) {
            (Some(text), _) => decode(text),
            (None, Some(text)) => Ok(Bytes::copy_from_slice(text.as_bytes())),
            (None, None) => Ok(Bytes::new()),
        }
    }

    /// Parameters: `{"$base64": "..."}` stands for bytes.
    pub(crate) fn params(self, name: &str) -> Result<Map, Refusal> {
        match self.get(name).map(to_value).transpose()? {
            Some(Value::Map(map)) => Ok(map),
            None => Ok(Map::new()),
            Some(_) => Err(Refusal::new("request", format!("{name:?} is no object"))),
        }
    }
}

pub(crate) fn decode(text: &str) -> Result<Bytes, Refusal> {
    let decoded = STANDARD.decode(text);
    decoded.map(Bytes::from).map_err(|_| Refusal::new("request", "a text that is no base64"))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A value as requests have it.
pub(crate) fn to_value(json: &Json) -> Result<Value, Refusal> {
    Ok(match json {
        Json::Array(items) => Value::List(items.iter().map(to_value).collect::<Result<_, _>>()?),
        Json::Object(map) => {
            if let (1, Some(Json::String(text))) = (map.len(), map.get("$base64")) {
                return Ok(Value::Blob(decode(text)?));
            }
            let entry = |(key, it): (&String, &Json)| Ok((key.clone(), to_value(it)?));
            Value::Map(map.iter().map(entry).collect::<Result<_, Refusal>>()?)
        }
        other => other.clone().into(),
    })
}

/// How values are written in answers.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    iso8601: bool,
    base64: bool,
}

impl Style {
    pub(crate) fn of(asked: Asked<'_>) -> Self {
        Self {
            iso8601: asked.text("timestamps") == Some("iso8601"),
            base64: asked.text("blobs") == Some("base64"),
        }
    }

    pub(crate) fn map(self, map: Map) -> Json {
        self.json(&Value::Map(map))
    }

    pub(crate) fn json(self, value: &Value) -> Json {
        match value {
            Value::List(items) => items.iter().map(|it| self.json(it)).collect(),
            Value::Map(map) => map.iter().map(|(key, it)| (key.clone(), self.json(it))).collect(),
            Value::Float(it) if it.is_nan() => "NaN".into(),
            Value::Float(it) if it.is_infinite() => {
                if *it > 0.0 {
                    "Infinity".into()
                } else {
                    "-Infinity".into()
                }
            }
            Value::Blob(bytes) if self.base64 => encode(bytes).into(),
            Value::Timestamp(time) if !self.iso8601 => match time.subsec_nanosecond() {
                0 => time.as_second().into(),
                _ => time.as_duration().as_secs_f64().into(),
            },
            other => other.to_json(),
        }
    }
}

/// A body in an answer: a text, or base64 where it is none.
pub(crate) fn put_body(answer: &mut Json, body: &[u8]) {
    match std::str::from_utf8(body) {
        Ok(text) => answer["body"] = text.into(),
        Err(_) => answer["body_base64"] = encode(body).into(),
    }
}

/// Headers in an answer; values of one name are put together.
pub(crate) fn headers_json(headers: &Headers) -> Json {
    let mut map = JsonMap::new();
    for (name, value) in headers.iter() {
        match map.get_mut(name) {
            Some(Json::String(known)) => *known = format!("{known},{value}"),
            _ => drop(map.insert(name.to_owned(), value.into())),
        }
    }
    Json::Object(map)
}
