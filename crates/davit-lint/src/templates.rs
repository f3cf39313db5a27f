//! Templates and expressions inside values: can they be read, and is there what they name?

use std::collections::HashSet;

use davit_template::{Engine, Error, FileOptions, NameUse, Template};
use davit_value::{Origin, Str, Value};

use crate::finding::{did_you_mean, nearest};
use crate::{Finding, Lint, Severity, lookups};

/// How deep values may nest.
const DEPTH: usize = 60;

/// A name that a template takes from the variables, and where.
pub(crate) struct Used {
    pub(crate) name: String,
    pub(crate) at: Origin,
    pub(crate) conditional: bool,
}

/// What templates use, as far as it is not known yet whether it is there.
#[derive(Default)]
pub(crate) struct Uses {
    /// Names that are used as they are.
    pub(crate) bare: Vec<Used>,
    /// Names that something asks about before they are used.
    pub(crate) guarded: HashSet<String>,
}

/// Checks the templates of one value after the other.
pub(crate) struct Templates<'t, 'c> {
    pub(crate) lint: &'t Lint<'c>,
    /// How serious a mistake is here.
    pub(crate) severity: Severity,
    /// The task may be skipped.
    pub(crate) conditional: bool,
    /// Where to put the names; none where it does not matter.
    pub(crate) uses: Option<&'t mut Uses>,
}

/// True for text that has delimiters of templates.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

impl Templates<'_, '_> {
    /// Checks every template in `value`; `near` is where it is written if it does not say.
    pub(crate) fn value(&mut self, value: &Value, near: &Origin) {
        self.nested(value, near, 0);
    }

    fn nested(&mut self, value: &Value, near: &Origin, depth: usize) {
        if depth > DEPTH || !value.is_live() {
            return;
        }
        match value {
            Value::Str(text) if text.is_trusted() && is_template(text) => self.text(text, near),
            Value::List(items) | Value::Tuple(items) => {
                items.iter().for_each(|it| self.nested(it, near, depth + 1));
            }
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    self.nested(&key.to_value(), near, depth + 1);
                    self.nested(value, near, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &Str, near: &Origin) {
        let parsed = self.lint.context.engine.parse_template(text);
        self.parsed(parsed, text.origin().unwrap_or(near));
    }

    /// Checks an expression without delimiters.
    pub(crate) fn expression(&mut self, text: &Str, near: &Origin) {
        let parsed = self.lint.context.engine.parse_expression(text);
        self.parsed(parsed, text.origin().unwrap_or(near));
    }

    fn parsed(&mut self, parsed: Result<Template, Error>, at: &Origin) {
        match parsed {
            Ok(template) => self.template(&template, at),
            Err(error) => self.unread(&error, at),
        }
    }

    fn unread(&mut self, error: &Error, at: &Origin) {
        let (line, column) = (error.line().unwrap_or(1), error.column().unwrap_or(1));
        let word = error.name().unwrap_or_default();
        let at = self.lint.sources.within(at, line, column, word);
        let finding = Finding::new("template-syntax", self.severity, &at, error.to_string());
        self.lint.add(finding.with_help(did_you_mean(error.nearest())));
    }

    fn template(&mut self, template: &Template, at: &Origin) {
        let engine = self.lint.context.engine;
        let place = |it: &NameUse| self.lint.sources.within(at, it.line, it.column, &it.name);
        let severity = self.severity;
        for (rule, known, name, place) in unknown(engine, template, &place) {
            let near = nearest(&name, known);
            let what = rule.trim_start_matches("unknown-");
            let finding =
                Finding::new(rule, severity, &place, format!("there is no {what} '{name}'"));
            self.lint.add(finding.with_help(did_you_mean(near)));
        }
        lookups::check(self.lint, template, severity, &place);
        let conditional = self.conditional;
        if let Some(uses) = &mut self.uses {
            for it in template.free_variables() {
                if it.guarded {
                    uses.guarded.insert(it.name);
                } else {
                    let at = self.lint.sources.within(at, it.line, it.column, &it.name);
                    uses.bare.push(Used { name: it.name, at, conditional });
                }
            }
        }
    }

    /// Checks a template file.
    pub(crate) fn file(&mut self, path: &std::path::Path, options: &FileOptions) {
        let Ok(text) = self.lint.loader.text(path) else { return };
        let file = std::sync::Arc::from(path.to_string_lossy());
        let at =
            |line: u32, column: u32| Origin { file: std::sync::Arc::clone(&file), line, column };
        let engine = self.lint.context.engine;
        match engine.parse_file(&text, options) {
            Err(error) => {
                let at = at(error.line().unwrap_or(1), error.column().unwrap_or(1));
                let finding =
                    Finding::new("template-syntax", self.severity, &at, error.to_string());
                self.lint.add(finding.with_help(did_you_mean(error.nearest())));
            }
            Ok(template) => {
                // A header line is not part of what was parsed.
                let skipped = u32::from(text.starts_with("#jinja2:"));
                let place = |it: &NameUse| at(it.line.saturating_add(skipped), it.column);
                for (rule, known, name, place) in unknown(engine, &template, &place) {
                    let what = rule.trim_start_matches("unknown-");
                    let finding = Finding::new(
                        rule,
                        self.severity,
                        &place,
                        format!("there is no {what} '{name}'"),
                    );
                    self.lint.add(finding.with_help(did_you_mean(nearest(&name, known))));
                }
                lookups::check(self.lint, &template, self.severity, &place);
                if let Some(uses) = &mut self.uses {
                    let guarded = template.free_variables().into_iter().filter(|it| it.guarded);
                    uses.guarded.extend(guarded.map(|it| it.name));
                }
            }
        }
    }
}

type Unknown = (&'static str, Vec<&'static str>, String, Origin);

/// The filters, tests and lookups of a template that there are not.
fn unknown(
    engine: &Engine,
    template: &Template,
    place: &dyn Fn(&NameUse) -> Origin,
) -> Vec<Unknown> {
    let mut out = Vec::new();
    for it in template.filters_used().iter().filter(|it| !engine.has_filter(&it.name)) {
        out.push(("unknown-filter", engine.filters(), it.name.clone(), place(it)));
    }
    for it in template
        .tests_used()
        .iter()
        .filter(|it| !engine.has_test(&it.name) && !engine.has_filter(&it.name))
    {
        out.push(("unknown-test", engine.tests(), it.name.clone(), place(it)));
    }
    for it in template.lookups_used().iter().filter(|it| !engine.has_lookup(&it.name)) {
        out.push(("unknown-lookup", engine.lookups(), it.name.clone(), place(it)));
    }
    out
}
