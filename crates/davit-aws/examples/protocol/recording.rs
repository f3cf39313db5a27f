//! Answers that were recorded, in the place of the network, and the requests that asked for them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use davit_aws::{
    connection::{Transport, TransportError},
    http::{Request, Response},
    time,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::{
    ask::{Asked, Refusal, decode, headers_json, put_body},
    wire,
};

/// What was recorded, in its order.
pub(crate) struct Recording {
    left: Mutex<Vec<Exchange>>,
    seen: Mutex<Vec<Json>>,
}

/// A request and its answer. What the request does not say fits every one.
#[derive(Default)]
struct Exchange {
    method: Option<String>,
    uri: Option<String>,
    answer: Option<Given>,
}

enum Given {
    Response(Response),
    /// Nothing comes.
    Timeout,
    /// No connection.
    Refused,
}

impl Recording {
    /// A list of exchanges, or what the recorder of Smithy's clients writes.
    pub(crate) fn read(asked: Asked<'_>) -> Result<Self, Refusal> {
        let left = match asked.get("http") {
            Some(Json::Array(exchanges)) => {
                exchanges.iter().map(|it| Exchange::read(Asked(it))).collect::<Result<_, _>>()?
            }
            Some(traffic) => of_events(Asked(traffic))?,
            None => Vec::new(),
        };
        Ok(Self { left: Mutex::new(left), seen: Mutex::default() })
    }

    /// When the first of the credentials end that were recorded.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        let ends = |exchange: &Exchange| match &exchange.answer {
            Some(Given::Response(response)) => ends_in(&String::from_utf8_lossy(&response.body)),
            _ => None,
        };
        lock(&self.left).iter().filter_map(ends).min()
    }

    /// The requests that came, and how many answers were not asked for.
    pub(crate) fn told(&self) -> (Json, usize) {
        (lock(&self.seen).clone().into(), lock(&self.left).len())
    }
}

/// The first time that stands behind `Expiration`, in JSON or XML: a text, or milliseconds.
fn ends_in(text: &str) -> Option<Timestamp> {
    let behind = text.split("xpiration").skip(1);
    let read = |behind: &str| {
        let value = behind.trim_start_matches(['"', ' ', ':', '>']);
        let value = value.split(['"', '<', ',', '}']).next()?.trim();
        match value.parse() {
            Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
            Err(_) => time::parse(value),
        }
    };
    behind.filter_map(read).min()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Recording {
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let mut seen = json!({
            "method": request.method,
            "url": request.url(),
            "headers": headers_json(&request.headers),
        });
        put_body(&mut seen, &request.body);
        lock(&self.seen).push(seen);
        let mut left = lock(&self.left);
        let found = left.iter().position(|it| it.fits(&request)).map(|at| left.remove(at));
        Box::pin(async move {
            let host = request.host;
            match found.and_then(|it| it.answer) {
                Some(Given::Response(response)) => Ok(response),
                Some(Given::Timeout) => {
                    let after = std::time::Duration::from_secs(1);
                    Err(TransportError::ConnectTimeout { host, after })
                }
                // A metadata service says no to what it does not have.
                None if request.scheme == "http" => {
                    Ok(Response { status: 404, ..Response::default() })
                }
                Some(Given::Refused) | None => {
                    Err(TransportError::Connect { host, source: "nothing was recorded".into() })
                }
            }
        })
    }
}

impl Exchange {
    fn read(asked: Asked<'_>) -> Result<Self, Refusal> {
        let request = asked.part("request");
        // An answer stands by itself, or beside its request.
        let response = if asked.get("response").is_some() { asked.part("response") } else { asked };
        let answer = match asked.text("error") {
            Some("timeout") => Given::Timeout,
            Some(_) => Given::Refused,
            None => Given::Response(wire::response(response)?),
        };
        Ok(Self {
            method: request.owned(&["method"]),
            uri: request.owned(&["uri", "url"]),
            answer: Some(answer),
        })
    }

    fn fits(&self, request: &Request) -> bool {
        self.method.as_deref().is_none_or(|it| it.eq_ignore_ascii_case(&request.method))
            && self.uri.as_deref().is_none_or(|it| plain(it) == plain(&request.url()))
    }
}

/// An address without the scheme's own port and the last slash, its parameters sorted.
fn plain(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    let mut place = place.trim_end_matches('/').to_owned();
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        let Some(rest) = place.strip_prefix(scheme) else { continue };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        place = format!("{scheme}{}{path}", host.strip_suffix(port).unwrap_or(host));
    }
    format!("{place}?{}", parameters.join("&"))
}

/// The exchanges of a recorder that writes events: each belongs to a connection.
fn of_events(asked: Asked<'_>) -> Result<Vec<Exchange>, Refusal> {
    let mut found: Vec<(u64, Exchange, BytesMut)> = Vec::new();
    for event in asked.list("events") {
        let event = Asked(event);
        let id = event.number(&["connection_id"]).unwrap_or(0);
        let action = event.part("action");
        let at = found.iter().position(|(known, ..)| *known == id).unwrap_or_else(|| {
            found.push((id, Exchange::default(), BytesMut::new()));
            found.len() - 1
        });
        let (_, exchange, body) = &mut found[at];
        if action.get("Request").is_some() {
            let request = action.part("Request").part("request");
            exchange.method = request.owned(&["method"]);
            exchange.uri = request.owned(&["uri"]);
        } else if action.get("Response").is_some() {
            let response = action.part("Response").part("response");
            exchange.answer = Some(match response.get("Ok") {
                Some(response) => Given::Response(wire::response(Asked(response))?),
                None if response.0.to_string().to_lowercase().contains("time") => Given::Timeout,
                None => Given::Refused,
            });
        } else if action.part("Data").text("direction") == Some("Response") {
            let data = action.part("Data").part("data");
            match (data.any_text(&["Utf8", "utf8"]), data.any_text(&["Base64", "base64"])) {
                (Some(text), _) => body.extend_from_slice(text.as_bytes()),
                (_, Some(text)) => body.extend_from_slice(&decode(text)?),
                _ => {}
            }
        }
    }
    let finish = |(_, mut exchange, body): (u64, Exchange, BytesMut)| {
        if let Some(Given::Response(response)) = &mut exchange.answer {
            response.body = Bytes::from(body);
        }
        exchange
    };
    Ok(found.into_iter().map(finish).collect())
}
