//! Templates and conditionals with what ansible-core 2.19.14 made of them (`data/*.json`, produced by running it).

use std::path::{Path, PathBuf};

use davit_template::{Engine, Env, FileOptions, Outside, Settings};
use davit_value::{Map, Str, Value};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn read(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(data().join(name)).expect("the data file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// A value as if it had been read from a playbook: every string trusted.
pub(crate) fn trusted(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(text) => Value::Str(Str::trusted(text.as_str(), None)),
        serde_json::Value::Array(items) => Value::list(items.iter().map(trusted).collect()),
        serde_json::Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| (key.as_str(), trusted(value)))
            .collect::<Map>()
            .into(),
        other => Value::from_json(other),
    }
}

fn scope(json: &serde_json::Value) -> Map {
    trusted(json).as_map().expect("variables are a dictionary").clone()
}

#[test]
fn templates_give_what_they_give_in_the_original() {
    let engine = Engine::new(Settings::default());
    let outside = Outside { search_path: vec![data()], folder: data(), ..Outside::none() };
    let mut wrong = Vec::new();
    let mut count = 0;
    for group in read("pairs.json").as_array().expect("groups") {
        let scope = scope(&group["vars"]);
        for case in group["cases"].as_array().expect("cases") {
            count += 1;
            let template = case["template"].as_str().expect("a template");
            let env = Env::new(&engine, &scope, &outside);
            let got = env.resolve(&Value::Str(Str::trusted(template, None)));
            match (got, case.get("error").and_then(serde_json::Value::as_str)) {
                (Ok(value), None) if value.to_json() == case["expect"] => {}
                (Err(error), Some(expected))
                    if error.to_string() == expected.replace("DATA", &data().to_string_lossy()) => {
                }
                (Err(error), Some(expected))
                    if expected.contains("DATA")
                        && error.to_string().contains("not found in search path") => {}
                (got, expected) => {
                    let got = got
                        .map(|value| value.to_json().to_string())
                        .unwrap_or_else(|error| format!("error: {error}"));
                    let expected = expected.map_or_else(
                        || case["expect"].to_string(),
                        |error| format!("error: {error}"),
                    );
                    wrong.push(format!("{template:?}\n     got: {got}\n  wanted: {expected}"));
                }
            }
        }
    }
    assert!(count >= 250, "only {count} templates");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn conditionals_give_what_they_give_in_the_original() {
    let file = read("conditions.json");
    let scope = scope(&file["vars"]);
    let mut wrong = Vec::new();
    for (setting, broken) in [("strict", false), ("lenient", true)] {
        let engine =
            Engine::new(Settings { allow_broken_conditionals: broken, ..Settings::default() });
        let outside = Outside::none();
        let env = Env::new(&engine, &scope, &outside);
        for case in file["cases"].as_array().expect("cases") {
            let got = match env.condition(&trusted(&case["condition"])) {
                Ok(bool) => bool.into(),
                Err(error) => {
                    serde_json::Value::from(error.to_string().replace("at '<unknown>'", "at '?'"))
                }
            };
            if got != case[setting] {
                wrong.push(format!(
                    "{} ({setting})\n     got: {got}\n  wanted: {}",
                    case["condition"], case[setting]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn files_render_with_their_headers() {
    let engine = Engine::new(Settings::default());
    let scope = scope(&serde_json::json!({"l": [1, 2], "n": null}));
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    let check = |text: &str, expected: &str| {
        let got = env.render_file(text, Path::new("t.j2"), &FileOptions::default());
        assert_eq!(got.expect(text), expected, "{text:?}");
    };
    check(
        "#jinja2: trim_blocks: False, lstrip_blocks: True\n  {% if true %}\nx\n  {% endif %}\nlast",
        "\nx\n\nlast",
    );
    // A file that is one expression has its value, and a list has no newline.
    check("{{ l }}\n", "[1, 2]");
    check("{{ l[0] }}\n{{ l }}\n", "1\n[1, 2]\n");
    check(
        "#jinja2: variable_start_string: '[%', variable_end_string: '%]'\n[% l[0] %]{{ x }}",
        "1{{ x }}",
    );
    check("#jinja2: newline_sequence: '\\r\\n'\na\nb\n", "a\r\nb\r\n");
    check(
        "#jinja2: line_statement_prefix: '%%'\n%% for i in l\n{{ i }}\n%% endfor\nend",
        "1\n2\nend",
    );
    check("{{ \"a\\tb\" }}", "a\tb");
}

#[test]
fn errors_know_their_place_and_the_nearest_name() {
    let engine = Engine::new(Settings::default());
    let scope = scope(&serde_json::json!({"package_name": "x", "config": {"port": 1}}));
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    let error = env
        .render_file(
            "first\n  {{ pakage_name }}\n",
            Path::new("/etc/t.j2"),
            &FileOptions::default(),
        )
        .expect_err("it is undefined");
    assert_eq!((error.file(), error.line(), error.column()), (Some("/etc/t.j2"), Some(2), Some(6)));
    assert_eq!((error.name(), error.nearest()), (Some("pakage_name"), Some("package_name")));
    assert_eq!(error.expression(), Some("{{ pakage_name }}"));
    let error = env.render_text("{{ config.prot }}", None).expect_err("it is undefined");
    assert_eq!((error.name(), error.nearest()), (Some("prot"), Some("port")));
    let error = env.render_text("{{ 1 | upcase }}", None).expect_err("there is no such filter");
    assert_eq!(error.column(), Some(8));
    let error = env
        .render_file(
            "#jinja2: trim_blocks: True\na\n{% if %}",
            Path::new("t.j2"),
            &FileOptions::default(),
        )
        .expect_err("it cannot be read");
    assert_eq!(error.line(), Some(3));
}

#[test]
fn the_check_sees_names_filters_and_guards() {
    let engine = Engine::new(Settings::default());
    let template = engine
        .parse_template("{% for h in hosts %}{{ h }}{{ x | default(y) }}{% if z is defined %}{{ z }}{% endif %}{% endfor %}{{ lookup('env', 'HOME') }}")
        .expect("it is well formed");
    let names: Vec<(String, bool)> =
        template.free_variables().into_iter().map(|it| (it.name, it.guarded)).collect();
    let expected = [("hosts", false), ("x", true), ("y", false), ("z", true), ("z", true)];
    assert_eq!(names, expected.map(|(name, guarded)| (name.to_owned(), guarded)));
    assert_eq!(template.filters_used()[0].name, "default");
    assert_eq!(template.lookups_used()[0].name, "env");
}

#[test]
fn the_check_sees_the_named_arguments_of_lookups() {
    let engine = Engine::new(Settings::default());
    let template = engine
        .parse_template(
            "{{ query('lamp', 'lit',\n  lit = 1, at=(hall), of=['a', 2], is={}, **more) }}",
        )
        .expect("it is well formed");
    let calls = template.lookup_calls();
    let named: Vec<(&str, u32, u32, Option<String>)> = calls[0]
        .named
        .iter()
        .map(|(at, value)| {
            (at.name.as_str(), at.line, at.column, value.as_ref().map(|it| it.repr().to_string()))
        })
        .collect();
    let expected = [
        ("lit", 2, 3, Some("1".to_owned())),
        ("at", 2, 12, None),
        ("of", 2, 23, Some("['a', 2]".to_owned())),
        ("is", 2, 36, None),
    ];
    assert_eq!((calls.len(), named), (1, expected.to_vec()));
}

#[test]
fn conditionals_are_trusted_and_not_empty() {
    let engine = Engine::new(Settings::default());
    let mut scope = Map::new();
    scope.insert("result", Value::from("1 == 1"));
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    let message = |value: Value| env.condition(&value).expect_err("it is refused").to_string();
    let untrusted = "Encountered untrusted template or expression.";
    assert_eq!(message(Value::from("1 == 1")), untrusted);
    assert_eq!(message(Value::Str(Str::trusted("{{ result }}", None))), untrusted);
    assert_eq!(
        message(Value::Str(Str::trusted(" ", None))),
        "Empty conditional expressions are not allowed."
    );
}

#[test]
fn what_is_not_trusted_is_never_a_template() {
    let engine = Engine::new(Settings::default());
    let mut scope = Map::new();
    scope.insert("data", Value::from("{{ 1 + 1 }}"));
    scope.insert("again", Value::Str(Str::trusted("{{ data }}", None)));
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    for template in
        ["{{ data }}", "{{ again }}", "{{ [again] | first }}", "{{ '{' ~ '{ 1 }' ~ '}' }}"]
    {
        let value = env.render_text(template, None).expect(template);
        assert!(!value.is_live() && value.to_str().contains("{{ 1"), "{template}: {value:?}");
    }
}
