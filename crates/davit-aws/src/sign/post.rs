//! Forms with which a browser uploads to S3: a policy of what may be uploaded, and its signature.

use std::io;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize as _;
use serde_json::{Map, Value, json, ser::Formatter};

use super::{Signing, Stamp, Token, hex};
use crate::time;

/// What may be uploaded.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Where to.
    pub bucket: &'a str,
    /// Under which name. With `${filename}` at the end, any name that begins so.
    pub key: &'a str,
    /// Fields that the form has besides. For most of them a condition is needed too.
    pub fields: &'a [(String, String)],
    /// Conditions besides: `{"acl": "public-read"}`, `["content-length-range", 1, 10]`.
    pub conditions: &'a [Value],
    /// For how many seconds it may be used.
    pub expires: u64,
}

/// The fields of a form that may be sent with `POST` to the bucket's address, without the file, which
/// comes last.
#[must_use]
pub fn presign_post(post: &Post<'_>, signing: &Signing<'_>) -> Vec<(String, String)> {
    let stamp = Stamp::new(signing);
    let mut fields = post.fields.to_vec();
    match fields.iter_mut().find(|(name, _)| name == "key") {
        Some(field) => post.key.clone_into(&mut field.1),
        None => fields.push(("key".to_owned(), post.key.to_owned())),
    }
    let mut conditions = post.conditions.to_vec();
    conditions.push(json!({ "bucket": post.bucket }));
    conditions.push(match post.key.strip_suffix("${filename}") {
        Some(prefix) => json!(["starts-with", "$key", prefix]),
        None => json!({ "key": post.key }),
    });
    let mut add = |name: &str, value: &str| {
        fields.push((name.to_owned(), value.to_owned()));
        conditions.push(json!({ name: value }));
    };
    add("x-amz-algorithm", stamp.algorithm);
    add("x-amz-credential", &format!("{}/{}", signing.credentials.access_key_id, stamp.scope));
    add("x-amz-date", &stamp.time);
    if let Some(token) = &signing.credentials.session_token {
        let name = match signing.settings.token {
            Token::S3Express => "X-Amz-S3session-Token",
            Token::Signed | Token::AfterSigning => "x-amz-security-token",
        };
        add(name, token);
    }
    let mut policy = Map::new();
    policy.insert("expiration".to_owned(), end(signing.scope.time, post.expires).into());
    policy.insert("conditions".to_owned(), conditions.into());
    let policy = crate::base64(&spaced(&Value::Object(policy)));
    let signature = hex(stamp.hmac(&policy, signing).as_ref());
    fields.push(("policy".to_owned(), policy));
    fields.push(("x-amz-signature".to_owned(), signature));
    fields
}

fn end(time: Timestamp, seconds: u64) -> String {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let end = time.saturating_add(seconds).unwrap_or(Timestamp::MAX);
    let whole = Timestamp::from_second(end.as_second()).unwrap_or(end);
    time::iso8601(whole)
}

/// JSON in ASCII with spaces behind commas and colons, so that policies are those of boto3.
fn spaced(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
    value.serialize(&mut serializer).expect("a value can be written to memory");
    text
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for letter in fragment.chars() {
            if matches!(letter, ' '..='~') {
                write!(to, "{letter}")?;
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}
