//! A page of the manual: as text, as JSON, as Markdown, and as a task to begin with.

use std::fmt::Write as _;

use davit_module::{Opt, Spec};
use davit_run::{Line, Tables};
use davit_value::Value;
use serde_json::json;

/// Where the text of a manual page ends.
const WIDTH: usize = 78;

/// What holds for every control module.
const ON_THE_CONTROLLER: &str = "\n\nIt runs in davit itself, whatever host its task is for: no connection is made, and `become` \
     does not count. It sees the task's `environment`.";

/// A manual page.
pub(super) struct Page {
    pub(super) name: &'static str,
    about: String,
    /// As the documentation of the arguments has them.
    examples: String,
    spec: Spec,
    free_form: Option<&'static str>,
}

impl Page {
    /// An action that leaves its arguments to the module of its name has that one's manual.
    pub(super) fn of(tables: &Tables, line: Line) -> Self {
        let (spec, schema) = match (line, tables.module(line.name())) {
            (Line::Module(entry), _) => (entry.spec(), (entry.schema)()),
            (Line::Control(entry), _) => (entry.spec(), (entry.schema)()),
            (Line::Action(action), Some(entry)) if action.open => (entry.spec(), (entry.schema)()),
            (Line::Action(action), _) => (action.spec(), (action.schema)()),
        };
        let described = schema.get("description").and_then(|it| it.as_str()).unwrap_or_default();
        let about = if spec.about.is_empty() { described.to_owned() } else { spec.about.clone() };
        let (mut about, examples) = apart(&about);
        if matches!(line, Line::Control(_)) {
            about.push_str(ON_THE_CONTROLLER);
        }
        Self { name: line.name(), about, examples, spec, free_form: line.free_form() }
    }

    /// The page of what is not a module, and takes options.
    pub(super) fn of_plugin(name: &'static str, spec: Spec) -> Self {
        let (about, examples) = apart(&spec.about);
        Self { name, about, examples, spec, free_form: None }
    }

    /// The first sentence.
    pub(super) fn summary(&self) -> String {
        let first = self.about.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        first.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
    }

    fn shown(&self) -> impl Iterator<Item = &Opt> {
        self.spec.options.iter().filter(|it| !it.hidden)
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!("> {}\n\n", self.name.to_uppercase());
        wrap(&mut out, &self.about, 2);
        out.push_str("\nOPTIONS (= is mandatory)\n\n");
        if let Some(name) = self.free_form {
            wrap(&mut out, &format!("The text of a task without names goes to `{name}`."), 2);
            out.push('\n');
        }
        for option in self.shown() {
            option_text(&mut out, option, 0);
        }
        out.push_str("EXAMPLE\n\n");
        for line in self.examples().lines() {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
        out
    }

    fn examples(&self) -> String {
        if self.examples.is_empty() { self.snippet(false) } else { self.examples.clone() }
    }

    /// A task: with every option, or with those that have to be there and a few more.
    pub(super) fn snippet(&self, all: bool) -> String {
        let mut out = format!(
            "- name: {}\n  {}:\n",
            self.summary(),
            if all { short(self.name) } else { self.name }
        );
        let few = 3;
        let mut shown = 0;
        for option in self.shown() {
            if !all && !option.required && shown >= few {
                continue;
            }
            shown += 1;
            if all {
                let first = option.about.lines().next().unwrap_or_default();
                let need = if option.required { "(required) " } else { "" };
                let _ = writeln!(out, "      {:<22} # {need}{first}", format!("{}:", option.name));
            } else {
                let _ = writeln!(out, "    {}: {}", option.name, sample(option));
            }
        }
        out
    }

    pub(super) fn markdown(&self) -> String {
        let mut out = format!("\n## {}\n\n{}\n", self.name, self.about);
        if let Some(name) = self.free_form {
            let _ = write!(out, "\nThe text of a task without names goes to `{name}`.\n");
        }
        if self.shown().next().is_some() {
            out.push_str("\n| option | type | default | |\n| --- | --- | --- | --- |\n");
            rows(&mut out, &self.spec, "");
        }
        let _ = write!(out, "\n```yaml\n{}\n```\n", self.examples().trim_end());
        out
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let paragraphs: Vec<&str> = self.about.split("\n\n").collect();
        json!({
            "doc": {
                "collection": self.name.rsplit_once('.').map(|(it, _)| it),
                "description": paragraphs,
                "module": short(self.name),
                "options": options_json(&self.spec),
                "plugin_name": self.name,
                "short_description": self.summary(),
            },
            "examples": self.examples(),
            "metadata": null,
            "return": null,
        })
    }
}

/// A description, and the YAML in it.
fn apart(text: &str) -> (String, String) {
    let mut about = String::new();
    let mut examples = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        let target = if is_code { &mut examples } else { &mut about };
        target.push_str(line);
        target.push('\n');
    }
    (about.trim().to_owned(), examples)
}

pub(super) fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn options_json(spec: &Spec) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    for option in spec.options.iter().filter(|it| !it.hidden) {
        let mut about = serde_json::Map::new();
        about.insert("description".into(), json!(option.about.split("\n\n").collect::<Vec<_>>()));
        about.insert("type".into(), json!(option.arg_type.name()));
        if let Some(elements) = option.elements {
            about.insert("elements".into(), json!(elements.name()));
        }
        if option.required {
            about.insert("required".into(), json!(true));
        }
        if let Some(default) = &option.default {
            about.insert("default".into(), json!(default));
        }
        if !option.choices.is_empty() {
            about.insert("choices".into(), json!(option.choices));
        }
        if !option.aliases.is_empty() {
            about.insert("aliases".into(), json!(option.aliases));
        }
        if let Some(inner) = &option.options {
            about.insert("suboptions".into(), options_json(inner));
        }
        all.insert(option.name.clone(), about.into());
    }
    all.into()
}

fn option_text(out: &mut String, option: &Opt, depth: usize) {
    let margin = 4 * depth;
    let mark = if option.required { '=' } else { '-' };
    let _ = writeln!(out, "{:margin$}{mark} {}", "", option.name);
    let inside = margin + 8;
    wrap(out, &option.about, inside);
    let mut facts = Vec::new();
    if !option.aliases.is_empty() {
        facts.push(format!("aliases: {}", option.aliases.join(", ")));
    }
    if !option.choices.is_empty() {
        let choices: Vec<String> = option.choices.iter().map(plain).collect();
        facts.push(format!("choices: {}", choices.join(", ")));
    }
    if let Some(default) = &option.default {
        facts.push(format!("default: {}", plain(default)));
    }
    facts.push(match option.elements {
        Some(elements) => format!("type: {} of {}", option.arg_type.name(), elements.name()),
        None => format!("type: {}", option.arg_type.name()),
    });
    for fact in facts {
        wrap(out, &fact, inside);
    }
    out.push('\n');
    if let Some(inner) = &option.options {
        for option in inner.options.iter().filter(|it| !it.hidden) {
            option_text(out, option, depth + 1);
        }
    }
}

/// The options as rows of a table, those inside another with that one's name before theirs.
fn rows(out: &mut String, spec: &Spec, before: &str) {
    for option in spec.options.iter().filter(|it| !it.hidden) {
        let name = format!("{before}{}", option.name);
        let kind = match option.elements {
            Some(elements) => format!("{} of {}", option.arg_type.name(), elements.name()),
            None => option.arg_type.name().to_owned(),
        };
        let default = match &option.default {
            _ if option.required => "*required*".to_owned(),
            Some(default) if !default.is_null() => format!("`{}`", plain(default)),
            _ => String::new(),
        };
        let mut about = option.about.split_whitespace().collect::<Vec<_>>().join(" ");
        for (label, words) in [
            ("One of", option.choices.iter().map(plain).collect::<Vec<_>>()),
            ("Also called", option.aliases.clone()),
        ] {
            if !words.is_empty() {
                let _ = write!(about, " {label} `{}`.", words.join("`, `"));
            }
        }
        let about = about.replace('|', "\\|");
        let _ = writeln!(out, "| `{name}` | {kind} | {default} | {} |", about.trim());
        if let Some(inner) = &option.options {
            rows(out, inner, &format!("{name}."));
        }
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value that an option could have.
fn sample(option: &Opt) -> String {
    let text = |value: &serde_json::Value| Value::from_json(value).to_str();
    if let Some(choice) = option.choices.first() {
        return text(choice);
    }
    match (&option.default, option.arg_type.name()) {
        (Some(default), _) if !default.is_null() => default.to_string(),
        (_, "bool") => "true".into(),
        (_, "int") => "1".into(),
        (_, "float") => "1.5".into(),
        (_, "list") => "[]".into(),
        (_, "dict") => "{}".into(),
        (_, "path") => "/path/to/it".into(),
        _ => "text".into(),
    }
}

/// Paragraphs, their words broken into lines.
fn wrap(out: &mut String, text: &str, margin: usize) {
    for paragraph in text.split("\n\n") {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && margin + line.chars().count() + 1 + word.chars().count() > WIDTH
            {
                let _ = writeln!(out, "{:margin$}{line}", "");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            let _ = writeln!(out, "{:margin$}{line}", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use davit_module::control::{self, Control, Module as _};
    use davit_module::{ModuleError, Outcome};

    use super::*;

    #[test]
    fn every_module_has_a_page() {
        let tables = crate::tables::all();
        for name in tables.names() {
            let page = Page::of(&tables, tables.find(name).unwrap());
            assert!(page.text().contains("EXAMPLE"), "{name}");
            assert!(page.json()["doc"]["options"].is_object(), "{name}");
        }
    }

    #[test]
    fn what_the_controller_begins_has_the_manual_of_its_module() {
        let tables = crate::tables::all();
        for (name, option) in [
            ("copy", "content"),
            ("template", "variable_start_string"),
            ("fetch", "flat"),
            ("script", "creates"),
            ("raw", "executable"),
        ] {
            let page = Page::of(&tables, tables.find(name).unwrap());
            assert!(page.text().contains(&format!(" {option}\n")), "{}", page.text());
            assert!(page.markdown().contains(&format!("| `{option}` |")), "{}", page.markdown());
        }
    }

    /// Keep a lamp on or off.
    ///
    /// ```yaml
    /// - example.house.lamp: {lit: true}
    /// ```
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct LampArgs {
        /// Whether it is lit.
        lit: bool,
    }

    struct Lamp;

    impl control::Module for Lamp {
        const NAME: &'static str = "example.house.lamp";
        const FORMER_NAMES: &'static [&'static str] = &["house_lamp"];
        type Args = LampArgs;

        async fn run(_: &Control, args: LampArgs) -> Result<Outcome, ModuleError> {
            Ok(Outcome::new().with("lit", args.lit))
        }
    }

    #[test]
    fn control_modules_have_pages_under_all_their_names() {
        const TABLE: &[control::Entry] = &[control::Entry::of::<Lamp>()];
        let tables = Tables::new(&[], &[]).with_controls(&[TABLE]);
        for name in ["example.house.lamp", "house_lamp", "ansible.builtin.house_lamp"] {
            let page = Page::of(&tables, tables.find(name).unwrap());
            assert_eq!((page.name, page.summary()), (Lamp::NAME, "Keep a lamp on or off".into()));
            let text = page.text();
            assert!(text.contains("= lit") && text.contains("{lit: true}"), "{text}");
            assert!(text.contains("It runs in davit itself"), "{text}");
            assert!(page.markdown().contains("| `lit` |"), "{}", page.markdown());
        }
    }
}
