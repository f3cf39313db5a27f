//! What the `url` lookup asks for: `ansible.builtin.uri`, called here.
//!
//! It does not know how servers are spoken to.

use std::collections::BTreeMap;
use std::sync::Arc;

use davit_event::Reply;
use davit_module::{Call, Entry, Session};
use davit_template::Fetch;
use davit_value::{Map, Value};

/// Options whose names are others in the module.
const NAMES: &[(&str, &str)] = &[("username", "url_username"), ("password", "url_password")];

/// Fetches by the module `uri`, which sees `environment`.
pub(crate) fn by(uri: &'static Entry, environment: &BTreeMap<String, String>) -> Arc<Fetch> {
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Arc::new(move |url: &str, options: &Map| {
        let call = Call {
            args: arguments(url, options),
            environment: environment.clone(),
            ..Call::default()
        };
        let reply = uri.call(&Session::default(), &call);
        answer(url, &reply)
    })
}

fn arguments(url: &str, options: &Map) -> Reply {
    let mut args = Reply::new();
    args.insert("http_agent".into(), "ansible-httpget".into());
    args.insert("follow_redirects".into(), "urllib2".into());
    args.insert("timeout".into(), 10.into());
    for (name, value) in options {
        let name = name.to_text();
        let own =
            NAMES.iter().find(|(lookup, _)| *lookup == name).map(|(_, own)| (*own).to_owned());
        let value = match value {
            // The module takes whole seconds; less than one is not none.
            Value::Float(seconds) => {
                #[expect(clippy::cast_possible_truncation, reason = "bounded")]
                let seconds = seconds.ceil().clamp(1.0, 1e9) as i64;
                seconds.into()
            }
            other => other.to_json(),
        };
        args.insert(own.unwrap_or(name), value);
    }
    args.insert("url".into(), url.into());
    args.insert("return_content".into(), true.into());
    args.insert("status_code".into(), (200..300).collect());
    args
}

/// The text, or the failure in the lookup's words.
fn answer(url: &str, reply: &Reply) -> Result<String, String> {
    let text = |key: &str| reply.get(key).and_then(serde_json::Value::as_str);
    if reply.get("failed").and_then(serde_json::Value::as_bool) != Some(true) {
        return Ok(text("content").unwrap_or_default().to_owned());
    }
    let status = reply.get("status").and_then(serde_json::Value::as_i64).unwrap_or(-1);
    let msg = text("msg").unwrap_or_default();
    let why = match msg.split_once("]: ") {
        Some((lead, why)) if lead.starts_with("Status code was") => why,
        _ => msg,
    };
    if status > 0 {
        return Err(format!("Received HTTP error for {url}: {why}"));
    }
    match why.strip_prefix("Request failed: ") {
        Some(why) => Err(format!("Failed lookup url for {url}: {why}")),
        None => Err(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_are_told_as_the_lookup_tells_them() {
        let check = |reply: serde_json::Value, expect: Result<&str, &str>| {
            let reply = reply.as_object().expect("a dictionary").clone();
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(answer("http://a/", &reply), expect);
        };
        check(json!({"content": "x", "status": 200}), Ok("x"));
        check(
            json!({"failed": true, "status": 404, "msg": "Status code was 404 and not [200, 201]: HTTP Error 404: Not Found"}),
            Err("Received HTTP error for http://a/: HTTP Error 404: Not Found"),
        );
        check(
            json!({"failed": true, "status": -1, "msg": "Status code was -1 and not [200]: Request failed: <urlopen error [Errno 111] Connection refused>"}),
            Err("Failed lookup url for http://a/: <urlopen error [Errno 111] Connection refused>"),
        );
        check(
            json!({"failed": true, "msg": "unknown url type: 'nourl'"}),
            Err("unknown url type: 'nourl'"),
        );
    }
}
