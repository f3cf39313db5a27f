//! `ini`: values of INI and Java properties files, as Python's `configparser` reads them.
//!
//! Knows sections, `[DEFAULT]`, continuation lines and `%(name)s`.

use davit_value::{Map, Value, ValueError};

use super::files::{content, find, warn_missing};
use super::parameters::{as_bool, option, terms, words};
use crate::Call;
use crate::filters::encode;
use crate::filters::pattern::{Flags, Pattern};

/// The name of a section, and its keys in order.
pub(crate) type Section = (String, Vec<(String, Option<String>)>);

/// A file: its sections in order.
#[derive(Debug, Default)]
pub(crate) struct IniFile {
    pub(crate) sections: Vec<Section>,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IniOptions {
    pub(crate) case_sensitive: bool,
    pub(crate) allow_no_value: bool,
}

impl IniFile {
    /// Reads a file; lines before the first section belong to `first`, where there is one.
    pub(crate) fn parse(
        text: &str,
        options: IniOptions,
        first: Option<&str>,
    ) -> Result<Self, ValueError> {
        let mut file = Self::default();
        let mut current: Option<usize> = first.map(|name| file.open(name));
        let mut key_indent = 0;
        let mut blank = false;
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.starts_with(['#', ';']) {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if trimmed.is_empty() {
                blank = true;
                continue;
            }
            let entries = current.map(|at| &mut file.sections[at].1);
            if indent > key_indent
                && let Some((_, Some(value))) = entries.and_then(|entries| entries.last_mut())
            {
                if blank {
                    value.push('\n');
                }
                value.push('\n');
                value.push_str(trimmed);
                blank = false;
                continue;
            }
            blank = false;
            if let Some(name) = trimmed
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .map(|(name, _)| name)
            {
                current = Some(file.open(name));
                key_indent = indent;
                continue;
            }
            let Some(at) = current else {
                return Err(ValueError::Value(format!(
                    "File contains no section headers.\nfile: '<???>', line: {}\n{}",
                    number + 1,
                    Value::from(format!("{line}\n")).repr()
                )));
            };
            key_indent = indent;
            let (key, value) = match trimmed.find(['=', ':']) {
                Some(split) => {
                    (trimmed[..split].trim(), Some(trimmed[split + 1..].trim().to_owned()))
                }
                None if options.allow_no_value => (trimmed, None),
                None => {
                    return Err(ValueError::Value(format!(
                        "Source contains parsing errors: '<???>'\n\t[line {:2}]: {}",
                        number + 1,
                        Value::from(format!("{line}\n")).repr()
                    )));
                }
            };
            let key = if options.case_sensitive { key.to_owned() } else { key.to_lowercase() };
            let entries = &mut file.sections[at].1;
            entries.retain(|(held, _)| *held != key);
            entries.push((key, value));
        }
        Ok(file)
    }

    fn open(&mut self, name: &str) -> usize {
        if let Some(at) = self.sections.iter().position(|(held, _)| held == name) {
            return at;
        }
        self.sections.push((name.to_owned(), Vec::new()));
        self.sections.len() - 1
    }

    fn section(&self, name: &str) -> Option<&[(String, Option<String>)]> {
        self.sections.iter().find(|(held, _)| held == name).map(|(_, entries)| entries.as_slice())
    }

    /// A raw value, from the section or from `[DEFAULT]`.
    fn raw(&self, section: &str, key: &str) -> Option<Option<String>> {
        [section, "DEFAULT"].iter().find_map(|name| {
            self.section(name)?.iter().find(|(held, _)| held == key).map(|(_, value)| value.clone())
        })
    }

    /// A value with what it refers to put in.
    fn value(
        &self,
        section: &str,
        key: &str,
        interpolate: bool,
    ) -> Result<Option<String>, ValueError> {
        match self.raw(section, key) {
            Some(Some(text)) if interpolate => self.interpolate(section, key, &text, 0).map(Some),
            Some(value) => Ok(Some(value.unwrap_or_default())),
            None => Ok(None),
        }
    }

    fn interpolate(
        &self,
        section: &str,
        key: &str,
        text: &str,
        depth: usize,
    ) -> Result<String, ValueError> {
        if depth > 10 {
            return Err(ValueError::Value(format!(
                "Recursion limit exceeded in value substitution: option {} in section {} contains an interpolation key which cannot be substituted in 10 steps. Raw value: {}",
                Value::from(key).repr(),
                Value::from(section).repr(),
                Value::from(text).repr()
            )));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                out.push('%');
                rest = after;
            } else if let Some((name, after)) =
                rest.strip_prefix('(').and_then(|inner| inner.split_once(")s"))
            {
                let name = name.to_lowercase();
                let Some(found) = self.raw(section, &name) else {
                    return Err(ValueError::Value(format!(
                        "Bad value substitution: option {} in section {} contains an interpolation key {} which is not a valid option name. Raw value: {}",
                        Value::from(key).repr(),
                        Value::from(section).repr(),
                        Value::from(name).repr(),
                        Value::from(text).repr()
                    )));
                };
                out.push_str(&self.interpolate(
                    section,
                    &name,
                    &found.unwrap_or_default(),
                    depth + 1,
                )?);
                rest = after;
            } else {
                return Err(ValueError::Value(format!(
                    "'%' must be followed by '%' or '(', found: {}",
                    Value::from(format!("%{rest}")).repr()
                )));
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

const OPTIONS: [&str; 9] = [
    "type",
    "file",
    "section",
    "re",
    "encoding",
    "default",
    "case_sensitive",
    "allow_no_value",
    "interpolation",
];

/// The key of a term, and the settings that it and the options give.
fn settings(call: &Call<'_>, term: &str) -> Result<(String, Map), ValueError> {
    let mut settings = Map::new();
    for name in OPTIONS {
        if let Some(value) = option(call, name)? {
            settings.insert(name, value);
        }
    }
    if let Some(value) = option(call, "allow_none")? {
        settings.insert("allow_no_value", value);
    }
    let mut key: Vec<String> = Vec::new();
    for word in words(term) {
        match word.split_once('=') {
            Some((name, value)) if OPTIONS.contains(&name) => {
                drop(settings.insert(name, value.into()));
            }
            Some((name, _)) => {
                key.push(name.to_owned());
                return Err(ValueError::Value(format!(
                    "'{}' is not a valid option.",
                    key.join(" ")
                )));
            }
            None => key.push(word),
        }
    }
    Ok((key.join(" "), settings))
}

pub(super) fn ini(call: &Call<'_>) -> Result<Value, ValueError> {
    let mut out = Vec::new();
    for term in terms(call)? {
        let (key, settings) = settings(call, &term.to_str())?;
        let text_of = |name: &str, default: &str| {
            settings.get(name).map_or_else(|| default.to_owned(), Value::to_str)
        };
        let truth = |name: &str, default: bool| {
            settings.get(name).map_or(Ok(default), |value| as_bool("ini", name, value))
        };
        let name = text_of("file", "ansible.ini");
        let Some(path) = find(call, "files", &name) else {
            warn_missing(call, &name);
            return Err(ValueError::Value("Invalid filename None.".into()));
        };
        let text = encode::decode(&content(call, &path)?, &text_of("encoding", "utf-8"))?;
        let properties = text_of("type", "ini") == "properties";
        let section =
            if properties { "java_properties".to_owned() } else { text_of("section", "global") };
        let options = IniOptions {
            case_sensitive: truth("case_sensitive", false)?,
            allow_no_value: truth("allow_no_value", false)?,
        };
        let file = IniFile::parse(&text, options, properties.then_some("java_properties"))?;
        let Some(entries) = file.section(&section) else {
            return Err(ValueError::Value(format!("No section '{section}' in '{name}'.")));
        };
        let interpolate = truth("interpolation", true)?;
        let wanted: Vec<String> = if truth("re", false)? {
            let pattern = Pattern::new(&key, Flags::default())?;
            let mut matching = Vec::new();
            for (held, _) in entries {
                if pattern
                    .find_from(held, 0)?
                    .is_some_and(|found| found.get(0).is_some_and(|it| it.start() == 0))
                {
                    matching.push(held.clone());
                }
            }
            matching
        } else {
            vec![if options.case_sensitive { key } else { key.to_lowercase() }]
        };
        for key in wanted {
            match file.value(&section, &key, interpolate)? {
                Some(value) => out.push(value.into()),
                None => out.push(settings.get("default").cloned().unwrap_or_else(|| "".into())),
            }
        }
    }
    Ok(Value::list(out))
}
