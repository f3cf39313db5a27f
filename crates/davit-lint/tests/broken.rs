//! One folder a mistake: `site.yml`, what it needs, and in `expect` what is found, a line each.
//!
//! `DAVIT_LINT_CASE=name` runs one case; `DAVIT_LINT_WRITE=1` writes what is found for a person to judge.

use std::fmt::Write as _;
use std::path::Path;

use crate::ground;

fn found(case: &Path) -> String {
    let inventory = Some(case.join("hosts.ini")).filter(|it| it.is_file());
    let mut out = String::new();
    let prefix = format!("{}/", case.display());
    for it in ground::check(&case.join("site.yml"), inventory.as_deref()) {
        let file = it.file.strip_prefix(&prefix).unwrap_or(&it.file);
        let _ = writeln!(
            out,
            "{file}:{}:{}: {}: {} [{}]",
            it.line, it.column, it.severity, it.message, it.rule
        );
        if let Some(help) = it.help {
            let _ = writeln!(out, "    {}", help.trim_end().replace('\n', "\n    "));
        }
    }
    out.replace(&prefix, "")
}

#[test]
fn what_is_wrong_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let only = std::env::var("DAVIT_LINT_CASE").ok();
    let write = std::env::var_os("DAVIT_LINT_WRITE").is_some();
    let mut wrong = String::new();
    let cases = ground::folders(&root);
    assert!(cases.len() >= 80, "{} cases", cases.len());
    for case in cases {
        let name = case.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if only.as_ref().is_some_and(|it| *it != name) {
            continue;
        }
        let got = found(&case);
        let file = case.join("expect");
        if write {
            std::fs::write(&file, &got).expect("a writable folder");
        }
        let expect = std::fs::read_to_string(&file).unwrap_or_default();
        if got != expect {
            let _ = writeln!(wrong, "== {name}\n-- expected\n{expect}-- found\n{got}");
        }
        if got.is_empty() {
            let _ = writeln!(wrong, "== {name}: nothing is found");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
