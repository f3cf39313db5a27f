//! `dump.jsonl` and `load.jsonl` hold what PyYAML (with libyaml) wrote and read: a value, the
//! arguments of `yaml.dump` and the text; a text and the value's `repr`, or the error and its place.

use std::sync::Arc;

use davit_value::Value;
use davit_yaml::{Convert, DumpOptions, FlowStyle, dump, load};
use serde_json::Value as Json;

fn lines(text: &str) -> impl Iterator<Item = Vec<Json>> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON"))
}

fn options(json: &Json) -> DumpOptions {
    let flow = match json.get("default_flow_style") {
        None | Some(Json::Bool(false)) => FlowStyle::Never,
        Some(Json::Bool(true)) => FlowStyle::Always,
        _ => FlowStyle::Auto,
    };
    let int = |name: &str, or: i32| {
        json.get(name).and_then(Json::as_i64).map_or(or, |it| i32::try_from(it).expect("small"))
    };
    let bool = |name: &str| json.get(name).and_then(Json::as_bool).unwrap_or(true);
    DumpOptions {
        indent: int("indent", 2),
        width: int("width", 80),
        sort_keys: bool("sort_keys"),
        allow_unicode: bool("allow_unicode"),
        default_flow_style: flow,
        default_style: json
            .get("default_style")
            .and_then(Json::as_str)
            .and_then(|it| it.chars().next()),
        ..DumpOptions::default()
    }
}

#[test]
fn values_are_written_as_pyyaml_writes_them() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in lines(include_str!("dump.jsonl")) {
        let [value, how, expect] = case.as_slice() else { panic!("three items") };
        let got =
            dump(&Value::from_json(value), &options(how)).unwrap_or_else(|error| error.to_string());
        count += 1;
        if Some(got.as_str()) != expect.as_str() {
            wrong.push(format!(
                "{value} {how}\n--- want\n{}\n--- got\n{got}",
                expect.as_str().unwrap_or_default()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn texts_are_read_as_pyyaml_reads_them() {
    let file: Arc<str> = Arc::from("f.yml");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in lines(include_str!("load.jsonl")) {
        let [text, expect] = case.as_slice() else { panic!("two items") };
        let text = text.as_str().expect("text");
        let expect = match (expect.get("ok"), expect.get("error")) {
            (Some(repr), _) => format!("ok {}", repr.as_str().expect("text")),
            (_, Some(_)) => format!("error {}:{}", expect["line"], expect["column"]),
            _ => "raises".to_owned(),
        };
        let got = match load(text, &file, &Convert::default()) {
            Ok(value) => format!("ok {}", value.repr()),
            // Where a usual mistake is seen, the message and its column are the advice's.
            Err(error) if error.help.is_some() || error.problem.starts_with("Tabs") => {
                if expect.starts_with("ok") { error.to_string() } else { expect.clone() }
            }
            Err(error) if expect == "raises" => {
                let _ = error;
                expect.clone()
            }
            Err(error) => {
                let place = error.place.unwrap_or_default();
                format!("error {}:{}", place.line, place.column)
            }
        };
        count += 1;
        if got != expect {
            wrong.push(format!("{text:?}\n   want {expect}\n   got  {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
