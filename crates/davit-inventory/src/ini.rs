//! INI inventories. Knows lines and sections; what variables mean is `literal`, what hosts mean is `address`.

use std::sync::Arc;

use davit_value::{Key, Map};
use indexmap::IndexMap;

use crate::address::expand_pattern;
use crate::error::{Error, Place, Warning};
use crate::literal::parse_value;
use crate::model::{Inventory, line_origin};
use crate::words;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Hosts,
    Children,
    Vars,
}

/// A group that was used before it was defined.
struct Pending {
    section: Section,
    /// The group whose section used it, one for each use.
    users: Vec<String>,
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: &'i Arc<str>,
    warnings: &'i mut Vec<Warning>,
    pending: IndexMap<String, Pending>,
    group: String,
    section: Section,
    line: u32,
}

/// Reads `text` of `file` into `inventory`.
///
/// # Errors
/// For the first line that is none, in the words of the original; its place has the line.
pub(crate) fn read(
    inventory: &mut Inventory,
    text: &str,
    file: &Arc<str>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let mut reader = Reader {
        inventory,
        file,
        warnings,
        pending: IndexMap::new(),
        group: "ungrouped".into(),
        section: Section::Hosts,
        line: 0,
    };
    let result = reader.lines(text);
    let line = reader.line;
    result.map_err(|error| error.below("Failed to parse inventory", Some(Place::line(file, line))))
}

impl Reader<'_> {
    fn lines(&mut self, text: &str) -> Result<(), Error> {
        for line in text.lines() {
            self.line += 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            match section_of(line) {
                Some((name, section)) => self.begin(line, name, section)?,
                None if line.starts_with('[') && line.ends_with(']') => {
                    return Err(Error::refused(format!(
                        "Invalid section entry: '{line}'. Please make sure that there are no spaces in the section entry, \
                         and that there are no other invalid characters"
                    )));
                }
                None => self.entry(line)?,
            }
        }
        if let Some((name, pending)) = self.pending.first() {
            let user = pending.users.last().map_or("", String::as_str);
            return Err(Error::refused(match pending.section {
                Section::Vars => {
                    format!("Section [{user}:vars] not valid for undefined group '{name}'.")
                }
                _ => format!("Section [{user}:children] includes undefined group '{name}'."),
            }));
        }
        Ok(())
    }

    fn begin(&mut self, line: &str, name: &str, section: Option<&str>) -> Result<(), Error> {
        let section = match section {
            None | Some("hosts") => Section::Hosts,
            Some("children") => Section::Children,
            Some("vars") => Section::Vars,
            Some(other) => {
                let end = line.find(']').map_or(line.len(), |at| at + 1);
                let shown = line.get(..end).unwrap_or(line);
                return Err(Error::refused(format!("Section {shown} has unknown type: {other}")));
            }
        };
        self.section = section;
        name.clone_into(&mut self.group);
        if section == Section::Vars {
            if !self.inventory.group_ids.contains_key(name) && !self.pending.contains_key(name) {
                self.pending.insert(name.into(), Pending { section, users: vec![name.into()] });
            }
            return Ok(());
        }
        let id = self.inventory.ensure_group(name, self.warnings)?;
        if let Some(pending) = self.pending.shift_remove(name)
            && pending.section == Section::Children
        {
            for user in pending.users {
                let user = self.inventory.ensure_group(&user, self.warnings)?;
                self.inventory.add_child(user, id)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, line: &str) -> Result<(), Error> {
        match self.section {
            Section::Hosts => self.hosts(line),
            Section::Vars => self.variable(line),
            Section::Children => self.child(line),
        }
    }

    fn hosts(&mut self, line: &str) -> Result<(), Error> {
        let words = words::split(line).map_err(|error| {
            Error::deep(format!("Error parsing host definition '{line}': {error}"))
        })?;
        let Some((pattern, variables)) = words.split_first() else { return Ok(()) };
        if pattern.ends_with(':') {
            return Err(Error::refused(format!(
                "Invalid host pattern '{pattern}' supplied, ending in ':' is not allowed, this character is reserved to provide a port."
            )));
        }
        let (hosts, port) = expand_pattern(pattern)?;
        if hosts.iter().any(|host| host == "---") {
            return Err(Error::refused(format!(
                "Invalid host pattern '{pattern}' supplied, '---' is normally a sign this is a YAML file."
            )));
        }
        let place = Place::line(self.file, self.line);
        let origin = line_origin(self.file, self.line);
        let mut vars = Map::new();
        for variable in variables {
            let Some((name, value)) = variable.split_once('=') else {
                return Err(Error::refused(format!(
                    "Expected key=value host variable assignment, got: {variable}"
                )));
            };
            vars.insert(name, parse_value(value, &origin));
        }
        let vars = Arc::new(vars);
        let group = self.inventory.ensure_group(&self.group.clone(), self.warnings)?;
        for name in vars.keys() {
            Inventory::check_name(name, Some(place.clone()), self.warnings);
        }
        for host in hosts {
            let id = self.inventory.ensure_host(&host, port)?;
            self.inventory.join(group, id);
            self.inventory.set_host_vars(id, &vars)?;
            for name in vars.keys().filter_map(Key::as_str) {
                self.inventory.host_mut(id)?.vars.note(name, Some(place.clone()));
            }
        }
        Ok(())
    }

    fn variable(&mut self, line: &str) -> Result<(), Error> {
        let Some((name, value)) = line.split_once('=') else {
            return Err(Error::refused(format!("Expected key=value, got: {line}")));
        };
        let (name, value) = (name.trim(), value.trim());
        let value = parse_value(value, &line_origin(self.file, self.line));
        let place = Place::line(self.file, self.line);
        let group = self.inventory.ensure_group(&self.group.clone(), self.warnings)?;
        Inventory::check_name(&Key::from(name), Some(place.clone()), self.warnings);
        self.inventory.set_group_var(group, name.into(), value)?;
        if let Some(group) = self.inventory.groups.get_mut(group) {
            group.vars.note(name, Some(place));
        }
        Ok(())
    }

    fn child(&mut self, line: &str) -> Result<(), Error> {
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        // A name goes on to a blank, a `#` or a colon.
        let (name, comment) = match name.find('#') {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let clean = comment.starts_with('#') || rest.is_empty() || rest.starts_with('#');
        if name.is_empty() || name.contains([':', '[', ']']) || !clean {
            return Err(Error::refused(format!("Expected group name, got: {line}")));
        }
        if self.inventory.group_ids.contains_key(name) {
            let parent = self.inventory.ensure_group(&self.group.clone(), self.warnings)?;
            let child = self.inventory.ensure_group(name, self.warnings)?;
            self.inventory.add_child(parent, child)?;
            return Ok(());
        }
        let user = self.group.clone();
        match self.pending.get_mut(name) {
            Some(pending) if pending.section == Section::Children => pending.users.push(user),
            _ => {
                let pending = Pending { section: Section::Children, users: vec![user] };
                self.pending.insert(name.to_owned(), pending);
            }
        }
        Ok(())
    }
}

/// The name and the modifier of `[name:modifier]`, a comment after it allowed.
fn section_of(line: &str) -> Option<(&str, Option<&str>)> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        return None;
    }
    let (name, modifier) = match inside.split_once(':') {
        Some((name, modifier)) => (name, Some(modifier)),
        None => (inside, None),
    };
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|char| char == '_' || char.is_alphanumeric())
    };
    let good = !name.is_empty() && !name.contains(char::is_whitespace) && modifier.is_none_or(word);
    good.then_some((name, modifier))
}
