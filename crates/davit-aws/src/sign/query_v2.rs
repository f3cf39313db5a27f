//! The second version of signatures, which only SimpleDB and Import/Export still take.

use bytes::Bytes;
use jiff::Timestamp;
use ring::hmac;

use super::form;
use crate::{
    credentials::Credentials,
    http::{Request, encode},
    time,
};

/// The parameters that a signature brings along.
const OWN: &[&str] = &[
    "AWSAccessKeyId",
    "SignatureVersion",
    "SignatureMethod",
    "Timestamp",
    "SecurityToken",
    "Signature",
];

/// Signs the form in the body of a request, or its parameters if there is none.
pub fn sign_query_v2(request: &mut Request, credentials: &Credentials, time: Timestamp) {
    let in_body = !request.body.is_empty();
    let mut fields =
        if in_body { form::fields(&request.body) } else { std::mem::take(&mut request.query) };
    fields.retain(|(name, _)| !OWN.contains(&name.as_str()));
    let mut add = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
    add("AWSAccessKeyId", &credentials.access_key_id);
    add("SignatureVersion", "2");
    add("SignatureMethod", "HmacSHA256");
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    add("Timestamp", &time::iso8601(whole));
    if let Some(token) = &credentials.session_token {
        add("SecurityToken", token);
    }
    let mut sorted: Vec<&(String, String)> = fields.iter().collect();
    sorted.sort();
    let path = if request.path.is_empty() { "/" } else { &request.path };
    let text = format!("{}\n{}\n{path}\n{}", request.method, request.host, join(sorted));
    let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.secret_access_key.as_bytes());
    let signature = crate::base64(hmac::sign(&key, text.as_bytes()).as_ref());
    fields.push(("Signature".to_owned(), signature));
    if in_body {
        request.body = Bytes::from(join(&fields));
    } else {
        request.query = fields;
    }
}

fn join<'a>(fields: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let pairs =
        fields.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
