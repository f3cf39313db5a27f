//! Makes a request out of a method and what it is given, as Google's own clients do. Does no IO.

use std::fmt::Write as _;

use bytes::Bytes;
use davit_aws::http::{Request, encode};
use serde_json::{Map, Value};

use super::document::{Api, Method};
use super::error::Error;
use crate::web::place;

/// What goes along with a method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Media {
    /// JSON only.
    #[default]
    None,
    /// The answer is to be the media.
    Download,
    /// Media are sent: `media`, `multipart` or `resumable`.
    Upload(&'static str),
}

/// What a method is given.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// By the names of its parameters.
    pub parameters: &'a Map<String, Value>,
    /// What goes along with it; null for nothing.
    pub body: &'a Value,
    /// Whether media go or come.
    pub media: Media,
    /// Where to call instead of Google: it stands in the place of the API's root.
    pub endpoint: Option<&'a str>,
}

/// A path and query of this length are sent as the body of a `POST` instead.
const LONGEST: usize = 2048;

/// The request for a method.
///
/// # Errors
/// When the endpoint is no address.
pub fn build(api: &Api, method: &Method, given: Given<'_>) -> Result<Request, Error> {
    let root = given.endpoint.unwrap_or(api.root());
    let root = root.strip_suffix('/').unwrap_or(root);
    let upload = if matches!(given.media, Media::Upload(_)) { "upload/" } else { "" };
    let path = expand(&method.path, given.parameters);
    let service = api.service_path().trim_start_matches('/');
    let path = path.trim_start_matches('/');
    let mut request = of_url(&method.verb, &format!("{root}/{upload}{service}{path}"))?;
    for (name, value) in given.parameters {
        let parameter = method.parameter(name);
        if parameter.is_some_and(|it| it.in_path) {
            continue;
        }
        // One that the document does not know is a text in the query.
        let kind = parameter.map_or("string", |it| it.kind.as_str());
        let values = match value {
            Value::Array(items) => items.as_slice(),
            Value::Null => &[],
            one => std::slice::from_ref(one),
        };
        for value in values {
            let value = text(kind, value).unwrap_or_default();
            request.query.push((name.clone(), value));
        }
    }
    let alt = match given.media {
        Media::Download => Some("media"),
        _ => method.response.as_ref().map(|_| "json"),
    };
    if let Some(alt) = alt
        && !request.query.iter().any(|(name, _)| name == "alt")
    {
        request.query.push(("alt".to_owned(), alt.to_owned()));
    }
    if let Media::Upload(kind) = given.media {
        request.query.retain(|(name, _)| name != "uploadType");
        request.query.push(("uploadType".to_owned(), kind.to_owned()));
    }
    let accept = if given.media == Media::Download { "*/*" } else { "application/json" };
    request.headers.set("accept", accept);
    if let Some(version) = &method.api_version {
        request.headers.set("x-goog-api-version", version);
    }
    if !given.body.is_null() {
        request.headers.set("content-type", "application/json");
        request.body = Bytes::from(given.body.to_string());
    }
    Ok(shorten(request))
}

/// A request to an address.
///
/// # Errors
/// When it is none.
pub(super) fn of_url(method: &str, url: &str) -> Result<Request, Error> {
    Request::of_url(method, url).ok_or_else(|| Error::Setting {
        what: "the address".to_owned(),
        reason: format!("{url:?} cannot be called"),
    })
}

/// Whether something secret may be sent there.
///
/// # Errors
/// When it may not.
pub(super) fn secure(request: &Request) -> Result<(), Error> {
    if place::is_secure(request) {
        return Ok(());
    }
    Err(Error::Insecure { host: request.host.clone() })
}

/// Addresses have a length that servers take; what only asks can go in a body.
fn shorten(mut request: Request) -> Request {
    if request.method == "GET" && request.url().len() > LONGEST {
        request.body = Bytes::from(request.query_string());
        request.query.clear();
        "POST".clone_into(&mut request.method);
        request.headers.set("x-http-method-override", "GET");
        request.headers.set("content-type", "application/x-www-form-urlencoded");
    }
    request
}

/// The text of a parameter's value; nothing where it is of another type.
pub(super) fn text(kind: &str, value: &Value) -> Option<String> {
    let plain = match value {
        Value::String(it) => it.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return None,
    };
    let fits = match kind {
        "integer" => plain.parse::<i64>().is_ok() || plain.parse::<u64>().is_ok(),
        "number" => plain.parse::<f64>().is_ok(),
        "boolean" => return Some(plain.to_lowercase()).filter(|it| it == "true" || it == "false"),
        _ => true,
    };
    fits.then_some(plain)
}

/// The path of a template: `{name}` is one segment, `{+name}` may be several.
fn expand(template: &str, parameters: &Map<String, Value>) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        let (name, open) = name.strip_prefix('+').map_or((name, false), |it| (it, true));
        let values = match parameters.get(name) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let values = values.iter().filter_map(|it| text("string", it));
        let values: Vec<String> =
            values.map(|it| if open { encode_open(&it) } else { encode(&it) }).collect();
        path.push_str(&values.join(","));
        rest = behind;
    }
    path + rest
}

/// Text for several segments: slashes and what else may stand in a path stays, and so does what is encoded already.
fn encode_open(text: &str) -> String {
    // What begins a query, a fragment or a host does not belong into a path.
    const KEPT: &[u8] = b"-._~:/@!$&'()*+,;=";
    let bytes = text.as_bytes();
    let is_encoded = (0..bytes.len()).any(|at| is_escape(bytes, at));
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let kept = byte.is_ascii_alphanumeric() || KEPT.contains(byte);
        if kept || is_encoded && is_escape(bytes, at) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
    }
    out
}

fn is_escape(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'%'
        && bytes.get(at + 1..at + 3).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::Store;
    use super::*;

    fn url(api: &str, method: &str, parameters: &Value) -> String {
        let api = Store::default().api(api, None).unwrap();
        let method = api.method(method).unwrap();
        let parameters = parameters.as_object().unwrap();
        let given = Given { parameters, body: &Value::Null, media: Media::None, endpoint: None };
        let request = build(&api, &method, given).unwrap();
        format!("{} {}", request.method, request.url())
    }

    #[test]
    fn paths_and_queries_are_those_of_the_documents() {
        let get = json!({"bucket": "b", "object": "a/b c?.txt", "generation": 5});
        assert_eq!(
            url("storage", "objects.get", &get),
            "GET https://storage.googleapis.com/storage/v1/b/b/o/a%2Fb%20c%3F.txt?generation=5&alt=json"
        );
        let name = json!({"name": "projects/p/secrets/a?b#c"});
        assert_eq!(
            url("secretmanager", "projects.secrets.get", &name),
            "GET https://secretmanager.googleapis.com/v1/projects/p/secrets/a%3Fb%23c?alt=json"
        );
        let list = json!({"project": "p", "zone": "z", "filter": "a=b", "prettyPrint": "False"});
        assert_eq!(
            url("compute", "instances.list", &list),
            "GET https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances\
             ?filter=a%3Db&prettyPrint=false&alt=json"
        );
        let many = json!({"bucket": "b", "permissions": ["a", "b c"]});
        assert!(
            url("storage", "buckets.testIamPermissions", &many)
                .ends_with("/b/b/iam/testPermissions?permissions=a&permissions=b%20c&alt=json")
        );
    }

    #[test]
    fn what_is_too_long_goes_as_a_form() {
        let list = json!({"project": "p", "zone": "z", "filter": "x".repeat(3000)});
        assert!(url("compute", "instances.list", &list).starts_with("POST https://"));
    }

    #[test]
    fn what_is_encoded_stays() {
        for (text, expect) in [
            ("a/b", "a/b"),
            ("a%20b", "a%20b"),
            ("a%20b c", "a%20b%20c"),
            ("50%", "50%25"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(encode_open(text), expect);
        }
    }
}
