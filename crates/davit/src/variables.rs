//! Variables of the command line: `-e`.

use std::path::Path;
use std::sync::Arc;

use davit_value::{Map, Value};
use davit_yaml::{Convert, Duplicates};

use crate::report::{Report, exit};
use crate::setup::Ground;

impl Ground {
    /// `-e`: `k=v k=v`, JSON, YAML, or `@file`.
    pub(crate) fn extra_vars(&self, given: &[String]) -> Result<Map, Report> {
        let mut all = Map::new();
        for text in given.iter().filter(|it| !it.is_empty()) {
            if let Some(path) = text.strip_prefix('@') {
                let path = self.folder.join(self.config.expand(path));
                all.extend(&self.file_vars(&path)?);
            } else if text.starts_with(['{', '[']) {
                all.extend(&inline_vars(text, self.duplicates())?);
            } else {
                let text = davit_value::Str::trusted(text.as_str(), None);
                let parts = davit_playbook::free_form("set_fact", &text)
                    .map_err(|message| Report::new(message).code(exit::PARSER))?;
                // Words without `=` are nobody's variable; the original takes no notice either.
                all.extend(&parts.args);
            }
        }
        Ok(all)
    }

    /// The variables of a file, which has to hold a dictionary.
    fn file_vars(&self, path: &Path) -> Result<Map, Report> {
        let loader = self.loader(Arc::new(|_| {}));
        let vars = loader.vars_file(path)?;
        // Of a file without any, only its text tells whether it holds a dictionary at all.
        let is_empty = || {
            std::fs::read_to_string(path).is_ok_and(|text| {
                let file: Arc<str> = path.to_string_lossy().into();
                match davit_yaml::parse(&text, &file) {
                    Ok(Some(node)) => Convert::trusted()
                        .value(&node, &file, &text)
                        .is_ok_and(|it| it == Value::Null),
                    parsed => matches!(parsed, Ok(None)),
                }
            })
        };
        if vars.is_empty() && is_empty() {
            return Err(no_dictionary(&format!("@{}", path.display())));
        }
        Ok(vars)
    }
}

/// Variables written on the command line as JSON or YAML.
fn inline_vars(text: &str, duplicates: Duplicates) -> Result<Map, Report> {
    let file: Arc<str> = "<CLI option '-e'>".into();
    let wrong = |error: davit_yaml::Error| {
        Report::from(davit_playbook::Error::Yaml(error)).code(exit::PARSER)
    };
    let value = match davit_yaml::parse(text, &file).map_err(wrong)? {
        Some(node) => {
            let convert = Convert { duplicates, ..Convert::trusted() };
            convert.value(&node, &file, text).map_err(wrong)?
        }
        None => Value::Null,
    };
    match value {
        Value::Map(map) => Ok(Map::clone(&map)),
        _ => Err(no_dictionary(text)),
    }
}

fn no_dictionary(text: &str) -> Report {
    Report::usage(format!(
        "Invalid extra vars data supplied. '{text}' could not be made into a dictionary"
    ))
}
