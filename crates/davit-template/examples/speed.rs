//! How long the engine takes for loops, long templates and many hosts: `cargo run --release --example speed`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for people to run")]

use std::path::Path;
use std::time::Instant;

use davit_template::{Engine, Env, FileOptions, Outside, Settings};
use davit_value::{Map, Str, Value};

fn main() {
    let engine = Engine::new(Settings::default());
    let outside = Outside::none();
    let trusted = |text: &str| Value::Str(Str::trusted(text, None));
    let mut scope = Map::new();
    scope.insert("base", trusted("http://{{ host }}:{{ port }}"));
    scope.insert("host", Value::from("h"));
    scope.insert("port", Value::Int(80));
    scope.insert("items_", Value::list((0..2_000).map(Value::Int).collect()));
    let timed = |what: &str, work: &dyn Fn()| {
        let started = Instant::now();
        work();
        println!("{what:50} {:?}", started.elapsed());
    };
    let env = Env::new(&engine, &scope, &outside);
    timed("2,000 iterations in one template", &|| {
        let text = "{% for i in items_ %}{{ i }} {{ base }} {{ loop.index }} {{ 'odd' if i is odd else 'even' }}\n{% endfor %}";
        env.render_text(text, None).unwrap();
    });
    timed("2,000 small renderings", &|| {
        for item in 0..2_000 {
            let mut scope = scope.clone();
            scope.insert("item", Value::Int(item));
            Env::new(&engine, &scope, &outside)
                .render_text("item {{ item }} at {{ base }}/x", None)
                .unwrap();
        }
    });
    timed("2,000 conditions", &|| {
        for _ in 0..2_000 {
            env.condition(&trusted("port == 80 and host is defined and base.startswith('http')"))
                .unwrap();
        }
    });
    let file: String = (0..5_000)
        .map(|line| format!("line {line} {{{{ base }}}} {{% if port > {line} %}}x{{% endif %}}\n"))
        .collect();
    for round in ["first", "again"] {
        timed(&format!("a file of 5,000 lines, {round}"), &|| {
            env.render_file(&file, Path::new("t.j2"), &FileOptions::default()).unwrap();
        });
    }
    timed("20,000 appends to one list", &|| {
        let text = "{% set l = [] %}{% for i in range(20000) %}{% set _ = l.append(i) %}{% endfor %}{{ l | length }}";
        assert_eq!(env.render_text(text, None).unwrap(), Value::Int(20_000));
    });
    timed("20,000 additions to a namespace", &|| {
        let text = "{% set n = namespace(t=0) %}{% for i in range(20000) %}{% set n.t = n.t + i %}{% endfor %}{{ n.t }}";
        env.render_text(text, None).unwrap();
    });
    timed("a list of 20,000 templates", &|| {
        let list =
            Value::list((0..20_000).map(|at| trusted(&format!("{at} {{{{ base }}}}"))).collect());
        env.resolve(&list).unwrap();
    });
}
