//! google-api-python-client as judge: a random call of every method of every API, made by it and by davit.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use davit_aws::http::Request;
use davit_cloud::gcp::check;
use davit_cloud::gcp::request::{Given, Media, build};
use davit_cloud::gcp::store::Store;
use serde_json::{Map, Value};

/// The query of an address or a form, in an order of its own.
fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = format!("http://x/?{}", text.replace('+', "%20"));
    let mut pairs = Request::of_url("GET", &plain).unwrap().query;
    pairs.sort();
    pairs
}

/// What goes over the wire, in a form in which what is the same looks the same.
#[derive(Debug, PartialEq)]
struct Wire {
    verb: String,
    place: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    sent: Value,
    version: Option<String>,
}

fn by_python(line: &Value) -> Wire {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let uri = text(&line["uri"]);
    let (place, query) = uri.split_once('?').unwrap_or((&uri, ""));
    let sent = text(&line["sent"]);
    let json: Value = serde_json::from_str(&sent).unwrap_or_default();
    // What is too long for an address is no JSON.
    let form = if json.is_null() && !sent.is_empty() { pairs(&sent) } else { Vec::new() };
    Wire {
        verb: text(&line["verb"]),
        place: place.to_owned(),
        query: pairs(query),
        form,
        sent: json,
        version: line["headers"]["x-goog-api-version"].as_str().map(str::to_owned),
    }
}

fn by_davit(line: &Value) -> Result<Wire, String> {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let api = Store::shared().api(text("api"), Some(text("version")));
    let api = api.map_err(|error| error.to_string())?;
    let method = api.method(text("method")).map_err(|error| error.to_string())?;
    let parameters: &Map<String, Value> = line["args"].as_object().unwrap();
    let mut problems = check::parameters(&method, parameters);
    problems.extend(check::body(&api, &method, &line["body"]));
    if !problems.is_empty() {
        return Err(format!("{problems:?}"));
    }
    let media = match text("media") {
        "download" => Media::Download,
        "media" => Media::Upload("media"),
        "multipart" => Media::Upload("multipart"),
        "resumable" => Media::Upload("resumable"),
        _ => Media::None,
    };
    let given = Given { parameters, body: &line["body"], media, endpoint: None };
    let request = build(&api, &method, given).map_err(|error| error.to_string())?;
    let is_sent = media == Media::None || media == Media::Download;
    let sent = if is_sent { request.body.to_vec() } else { Vec::new() };
    let is_form = request.headers.get("content-type") == Some("application/x-www-form-urlencoded");
    let (form, sent) = if is_form {
        (pairs(&String::from_utf8(sent).unwrap()), Value::Null)
    } else {
        (Vec::new(), serde_json::from_slice(&sent).unwrap_or_default())
    };
    let mut query = request.query.clone();
    query.sort();
    Ok(Wire {
        verb: request.method.clone(),
        place: format!("{}://{}{}", request.scheme, request.host, request.path),
        query,
        form,
        sent,
        version: request.headers.get("x-goog-api-version").map(str::to_owned),
    })
}

#[test]
fn requests_are_those_of_googles_client() {
    let home = PathBuf::from(env::var_os("HOME").unwrap());
    let seed = env::var("SEED").unwrap_or_else(|_| "1".to_owned());
    let python = home.join(".cache/davit/gcp/bin/python3");
    let mut child = Command::new(&python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcp/oracle.py"))
        .arg(seed)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|it| panic!("{}: {it} (cargo xtask setup makes it)", python.display()));
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut calls, mut last) = (0, Value::Null);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["api"].is_null() {
            last = line;
            continue;
        }
        calls += 1;
        let expect = by_python(&line);
        let found = by_davit(&line);
        if found.as_ref() != Ok(&expect) {
            let name = format!("{} {} {}", line["api"], line["version"], line["method"]);
            wrong.entry(name).or_default().push(format!("{found:#?}\nnot {expect:#?}\nof {line}"));
        }
    }
    assert!(child.wait().unwrap().success());
    let told: Vec<String> =
        wrong.iter().take(3).map(|(name, it)| format!("{name}: {}", it[0])).collect();
    assert!(wrong.is_empty(), "{} of {calls} calls differ\n{}", wrong.len(), told.join("\n"));
    // The few that are left out want texts that no guess fits.
    assert!(calls > 27_900 && last["skipped"].as_u64().unwrap() < 100, "{calls} calls, {last}");
}
