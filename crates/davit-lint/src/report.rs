//! Findings as text for people, as JSON and as SARIF for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json as json_value};

use crate::{Finding, RULES, Severity};

/// The findings with their lines and a caret; `read` gives a file's text.
#[must_use]
pub fn text(findings: &[Finding], read: &dyn Fn(&str) -> Option<String>) -> String {
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut out = String::new();
    for it in findings {
        let lines = files.entry(it.file.as_str()).or_insert_with(|| {
            read(&it.file).map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
        });
        let _ = writeln!(
            out,
            "{}:{}:{}: {}: {} [{}]",
            it.file, it.line, it.column, it.severity, it.message, it.rule
        );
        let number = usize::try_from(it.line).unwrap_or(0);
        if let Some(line) = number.checked_sub(1).and_then(|at| lines.get(at)) {
            let width = number.to_string().len();
            let column = usize::try_from(it.column).unwrap_or(1).saturating_sub(1);
            // A tab before the caret keeps its width by being one there, too.
            let lead: String =
                line.chars().take(column).map(|it| if it == '\t' { '\t' } else { ' ' }).collect();
            let _ = writeln!(out, " {number} | {line}");
            let _ = writeln!(out, " {:width$} | {lead}^", "");
        }
        if let Some(help) = &it.help {
            for (at, line) in help.lines().enumerate() {
                let _ = writeln!(out, "   {} {line}", if at == 0 { "help:" } else { "     " });
            }
        }
        out.push('\n');
    }
    out.push_str(&summary(findings));
    out
}

/// `2 errors, 1 warning`.
fn summary(findings: &[Finding]) -> String {
    let count = |severity: Severity| findings.iter().filter(|it| it.severity == severity).count();
    let said = |number: usize, word: &str| {
        format!("{number} {word}{}", if number == 1 { "" } else { "s" })
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors + warnings == 0 {
        return "nothing found\n".to_owned();
    }
    format!("{}, {}\n", said(errors, "error"), said(warnings, "warning"))
}

/// The findings as a JSON array.
#[must_use]
pub fn json(findings: &[Finding]) -> Value {
    serde_json::to_value(findings).unwrap_or_default()
}

/// The findings as a SARIF 2.1.0 document.
#[must_use]
pub fn sarif(findings: &[Finding], version: &str) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(id, about)| json_value!({"id": id, "shortDescription": {"text": about}}))
        .collect();
    let results: Vec<Value> = findings.iter().map(result).collect();
    json_value!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "davit", "version": version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(it: &Finding) -> Value {
    let mut message = it.message.clone();
    if let Some(help) = &it.help {
        message.push('\n');
        message.push_str(help);
    }
    json_value!({
        "ruleId": it.rule,
        "ruleIndex": RULES.iter().position(|(id, _)| *id == it.rule),
        "level": match it.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&it.file)},
                "region": {"startLine": it.line.max(1), "startColumn": it.column.max(1)},
            },
        }],
    })
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use davit_value::Origin;

    use super::*;

    fn one() -> Finding {
        let at = Origin { file: "a b.yml".into(), line: 2, column: 3 };
        Finding::new("unknown-module", Severity::Error, &at, "there is no module 'x'")
            .with_help(Some("Did you mean 'y'?".into()))
    }

    #[test]
    fn people_see_the_line() {
        let shown = text(&[one()], &|_| Some("- a: 1\n  x: 2\n".into()));
        let expect = "a b.yml:2:3: error: there is no module 'x' [unknown-module]\n 2 |   x: 2\n   |   ^\n   \
                      help: Did you mean 'y'?\n\n1 error, 0 warnings\n";
        assert_eq!(shown, expect);
        assert_eq!(text(&[], &|_| None), "nothing found\n");
    }

    #[test]
    fn machines_see_sarif() {
        let got = sarif(&[one()], "0.1.0");
        let result = &got["runs"][0]["results"][0];
        assert_eq!(got["version"], "2.1.0");
        assert_eq!(result["level"], "error");
        assert_eq!(
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "a%20b.yml"
        );
        let index =
            result["ruleIndex"].as_u64().and_then(|it| usize::try_from(it).ok()).expect("an index");
        assert_eq!(got["runs"][0]["tool"]["driver"]["rules"][index]["id"], "unknown-module");
    }
}
