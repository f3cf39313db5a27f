//! Values and words of the command line that look random and are the same in each run.

use davit_aws::{
    command::{self, Argument, Command, Takes},
    model::{Kind, Service, ShapeId},
};
use serde_json::{Map, Value as Json, json};

/// Numbers that look random and are the same in each run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound as u64)).expect("small")
    }

    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 24] = [
            "a", "b", "Key", "value", "1", "0", "-", "_", ".", " ", ",", "=", "'", "\"", "\\", "{",
            "}", "[", "]", "ü", "漢", ":", "/", "#",
        ];
        let mut text = String::from(["x", "Y", "7", "é"][self.below(4)]);
        for _ in 0..self.below(7) {
            let most = if self.one_in(3) { PARTS.len() } else { 9 };
            text.push_str(PARTS[self.below(most)]);
        }
        text.trim().to_owned()
    }

    pub(super) fn value(
        &mut self,
        service: &'static Service,
        shape: ShapeId,
        depth: usize,
    ) -> Json {
        match &service.shape(shape).kind {
            Kind::Structure(structure) if structure.document => {
                json!({"any": [1, null, self.text()]})
            }
            Kind::Structure(structure) => {
                let mut map = Map::new();
                for member in &structure.members {
                    let fits = depth < 4 || !is_complex(service, member.shape);
                    if fits && (depth == 0 || self.one_in(2)) && map.len() < 6 {
                        map.insert(
                            member.name.to_owned(),
                            self.value(service, member.shape, depth + 1),
                        );
                    }
                }
                map.into()
            }
            Kind::List { member, .. } if depth > 5 => {
                let _ = member;
                json!([])
            }
            Kind::List { member, .. } => {
                (0..self.below(4)).map(|_| self.value(service, member.shape, depth + 1)).collect()
            }
            Kind::Map { .. } if depth > 5 => json!({}),
            Kind::Map { value, .. } => (0..self.below(3))
                .map(|it| (format!("key{it}"), self.value(service, value.shape, depth + 1)))
                .collect(),
            Kind::String { choices, .. } if !choices.is_empty() && !self.one_in(4) => {
                choices[self.below(choices.len())].into()
            }
            Kind::Integer(_) | Kind::Long(_) => self.below(100_000).into(),
            Kind::Float(_) | Kind::Double(_) => [0.5, 3.0, 1e20, 1.25e-7][self.below(4)].into(),
            Kind::Boolean => self.one_in(2).into(),
            Kind::Timestamp => "2026-01-02T03:04:05Z".into(),
            Kind::String { .. } | Kind::Blob { .. } => self.text().into(),
        }
    }

    /// A value in shorthand. `top` means that no bracket need stand around it.
    fn shorthand(&mut self, value: &Json, top: bool) -> String {
        match value {
            Json::Object(map) => {
                let entries: Vec<String> = map
                    .iter()
                    .map(|(name, it)| {
                        let space = if self.one_in(8) { " " } else { "" };
                        format!("{name}={space}{}", self.shorthand(it, false))
                    })
                    .collect();
                if top { entries.join(",") } else { format!("{{{}}}", entries.join(",")) }
            }
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|it| self.shorthand(it, false)).collect();
                format!("[{}]", items.join(","))
            }
            Json::String(text) => {
                let simple = text.chars().all(|it| it.is_alphanumeric() || "-_./:#".contains(it));
                if simple && !self.one_in(3) {
                    text.clone()
                } else {
                    let quote = if self.one_in(2) { '\'' } else { '"' };
                    // A backslash at the end would hold on to the quote.
                    let text = text.trim_end_matches('\\');
                    let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
                    format!("{quote}{escaped}{quote}")
                }
            }
            other => other.to_string(),
        }
    }

    /// Words for an argument; nothing if none can be made up.
    pub(super) fn words(&mut self, command: &Command, argument: &Argument) -> Option<Vec<String>> {
        let service = command.service;
        let member = argument.member()?;
        let mut line = vec![argument.written()];
        if argument.takes == Takes::Nothing {
            return Some(line);
        }
        if matches!(service.shape(member.shape).kind, Kind::Blob { .. }) && member.traits.streaming
        {
            line.push(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned());
            return Some(line);
        }
        let value = self.value(service, member.shape, 0);
        // Documents have no shorthand.
        let short = command::shorthand(service, member.shape).is_some()
            && !value.to_string().contains("{\"any\":");
        match (&value, &service.shape(member.shape).kind) {
            (Json::Array(items), Kind::List { member: item, .. }) => {
                let complex = is_complex(service, item.shape);
                if (complex && !short) || items.is_empty() || self.one_in(4) {
                    line.push(value.to_string());
                } else if complex {
                    let all_short = self.one_in(2);
                    for it in items {
                        let plain = !it.is_object() || it.as_object().is_some_and(Map::is_empty);
                        if plain && all_short {
                            return None;
                        }
                        line.push(if all_short {
                            self.shorthand(it, true)
                        } else {
                            it.to_string()
                        });
                    }
                } else {
                    line.extend(items.iter().map(text_of));
                }
            }
            (Json::Object(map), _) if short && !map.is_empty() && self.one_in(2) => {
                line.push(self.shorthand(&value, true));
            }
            (Json::Object(_) | Json::Array(_), _) => line.push(value.to_string()),
            (Json::String(_), Kind::Structure(_)) => line.push(value.to_string()),
            (Json::String(_), _) if member.traits.json_value => line.push(value.to_string()),
            _ => line.push(text_of(&value)),
        }
        Some(line)
    }
}

fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_complex(service: &Service, shape: ShapeId) -> bool {
    matches!(service.shape(shape).kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
}
