//! Any input: an answer or an error, never a panic, never a hang.

use std::time::{Duration, Instant};

use davit_template::{Engine, Env, Outside, Settings};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Pieces that templates are made of, so that random rows of them get somewhere.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "-",
    "+",
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "in",
    "endfor",
    "set",
    "endset",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "block",
    "endblock",
    "extends",
    "include",
    "import",
    "from",
    "as",
    "with",
    "endwith",
    "raw",
    "endraw",
    "is",
    "not",
    "and",
    "or",
    "recursive",
    "loop",
    "loop.index",
    "x",
    "y",
    "a",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    "|",
    "~",
    "*",
    "**",
    "/",
    "//",
    "%",
    "=",
    "==",
    "!=",
    "<",
    ">=",
    "1",
    "0",
    "-1",
    "2.5",
    "'s'",
    "\"q\"",
    "'",
    "\"",
    "\\",
    "\n",
    " ",
    "  ",
    "é",
    "default",
    "length",
    "upper",
    "join",
    "map",
    "defined",
    "none",
    "true",
    "range(3)",
    "namespace()",
    "x.append(1)",
    "d.update(a=1)",
    "'%s'",
    "'{}'.format",
    "d",
    "l",
    "99999999999999999999",
];

#[test]
fn rows_of_pieces_never_panic_or_hang() {
    let engine = Engine::new(Settings { cache_size: 100, ..Settings::default() });
    let scope = super::oracle::trusted(&serde_json::json!({
        "x": [1, 2], "d": {"a": 1}, "l": ["{{ x }}", "{{ y }}"], "y": "{{ y2 }}", "y2": "{{ y }}", "a": "é"
    }));
    let scope = scope.as_map().expect("a dictionary").clone();
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    let mut random = StdRng::seed_from_u64(20_240_131);
    for round in 0..20_000 {
        let mut text = String::new();
        if round % 2 == 0 {
            text.push_str("{{ ");
        }
        for _ in 0..random.random_range(1..14) {
            text.push_str(PIECES[random.random_range(0..PIECES.len())]);
            if random.random_bool(0.6) {
                text.push(' ');
            }
        }
        if round % 2 == 0 {
            text.push_str(" }}");
        }
        let started = Instant::now();
        let _ = env.render_text(&text, None).map(|value| value.to_str());
        let _ = env.expression(&text, None);
        let _ = engine.parse_template(&text).map(|template| template.free_variables());
        assert!(started.elapsed() < Duration::from_secs(20), "too slow: {text:?}");
    }
}

#[test]
fn deep_and_long_input_is_an_error_or_an_answer() {
    let engine = Engine::new(Settings::default());
    let scope = davit_value::Map::new();
    let outside = Outside::none();
    let env = Env::new(&engine, &scope, &outside);
    let many = 20_000;
    for text in [
        format!("{{{{ {}1{} }}}}", "(".repeat(many), ")".repeat(many)),
        format!("{{{{ {}1{} }}}}", "[".repeat(many), "]".repeat(many)),
        format!("{{{{ {}1 }}}}", "not ".repeat(many)),
        format!("{{{{ {}1 }}}}", "-".repeat(many)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(many)),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(many)),
        format!("{{{{ 1{} }}}}", "|int".repeat(many)),
        format!("{{{{ x{} }}}}", ".a".repeat(many)),
        format!("{{{{ 1{} }}}}", " if 1 else 2".repeat(many)),
        "{% if 1 %}".repeat(many),
        format!("{}x{}", "{% if 1 %}".repeat(300), "{% endif %}".repeat(300)),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{{ 'a' * 99999999999 }}".to_owned(),
        "{{ range(999999999999) | list }}".to_owned(),
        "{{ '%999999999d' % 1 }}".to_owned(),
        "{{ '{:999999999}'.format(1) }}".to_owned(),
        "{{ 9 ** 9 ** 9 ** 9 }}".to_owned(),
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x }}".to_owned(),
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}x".to_owned(),
    ] {
        let _ = env.render_text(&text, None).map(|value| value.to_str());
        let _ = engine.parse_template(&text).map(|template| template.free_variables());
    }
}

#[test]
fn loops_of_variables_end() {
    let engine = Engine::new(Settings::default());
    let scope = super::oracle::trusted(
        &serde_json::json!({"a": "{{ b }}", "b": ["{{ c.x }}"], "c": {"x": "{{ a }}"}}),
    );
    let scope = scope.as_map().expect("a dictionary").clone();
    let outside = Outside::none();
    let error = Env::new(&engine, &scope, &outside)
        .render_text("{{ a }}", None)
        .expect_err("it never ends");
    assert_eq!(
        error.to_string(),
        "Recursive loop detected in template: maximum recursion depth exceeded"
    );
}
