//! What has to be known of a play before it starts: its hosts, batches, prompts, its fact gathering.

use std::path::Path;
use std::sync::Arc;

use davit_inventory::Order;
use davit_playbook as written;
use davit_template::Env;
use davit_value::{Map, Value};

use crate::compile::Compiler;
use crate::error::Error;
use crate::scope::TaskScope;
use crate::settings::Gathering;
use crate::state::read;
use crate::tree::{Parent, Task, implicit, set_keyword};
use crate::world::{Play, World};

/// What has to be known of a play before it starts.
pub(super) struct Setup<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) written: &'a Arc<written::Play>,
    pub(super) folder: &'a Path,
    pub(super) vars: &'a Map,
}

impl Setup<'_> {
    pub(super) fn render(&self, value: &Value) -> Result<Value, Error> {
        if !value.is_live() {
            return Ok(value.clone());
        }
        let play = Arc::new(Play::new(
            Arc::clone(self.written),
            0,
            String::new(),
            self.folder.to_path_buf(),
            Arc::new(self.vars.clone()),
            None,
        ));
        let scope = TaskScope::new(self.world, Some(&play), None, None);
        let outside = scope.outside();
        Env::new(&self.world.engine, &scope, &outside)
            .resolve(value)
            .map_err(|error| Error::template(&error, value.origin().or(Some(&self.written.origin))))
    }

    /// `name:`, where it is written.
    pub(super) fn name(&self) -> Result<Option<String>, Error> {
        let value = Some(&self.written.name).filter(|it| !it.is_null());
        let text = value.map(|it| self.render(it).map(|it| it.to_str())).transpose();
        text.map_err(|error| error.of_keyword("name"))
    }

    pub(super) fn keyword(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.written.keywords.get(name) {
            Some(value) if !value.is_null() => {
                self.render(value).map(Some).map_err(|error| error.of_keyword(name))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Error> {
        Ok(self.keyword(name)?.and_then(|value| {
            value.as_number().or_else(|| value.as_str()?.trim().trim_end_matches('%').parse().ok())
        }))
    }

    /// `hosts:` as one pattern.
    pub(super) fn pattern(&self) -> Result<String, Error> {
        Ok(self.patterns()?.join(","))
    }

    /// `hosts:` as patterns, each of which may hold several.
    pub(super) fn patterns(&self) -> Result<Vec<String>, Error> {
        // A play without a name has that of its hosts, which is looked at first.
        let keyword = if self.written.name.is_null() { "name" } else { "hosts" };
        let hosts = self.render(&self.written.hosts).map_err(|it| it.of_keyword(keyword))?;
        Ok(match hosts {
            Value::List(list) => list.iter().map(Value::to_str).collect(),
            other => vec![other.to_str()],
        })
    }

    pub(super) fn hosts(&self) -> Result<Vec<Arc<str>>, Error> {
        let limit = self.world.settings.limit.as_deref();
        let mut warnings = Vec::new();
        let patterns = self.patterns()?;
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let mut hosts =
            read(&self.world.inventory).match_patterns(&patterns, limit, &mut warnings)?;
        self.world.settle_local_names(&mut hosts);
        for warning in warnings {
            self.world.warn(&warning.text());
        }
        Ok(hosts)
    }

    /// The hosts as `order` has them, which is how they go into batches.
    pub(super) fn in_order(&self, hosts: &[Arc<str>]) -> Result<Vec<Arc<str>>, Error> {
        let order = match self.keyword("order")? {
            Some(name) => Order::from_name(&name.to_str(), self.world.seed()).ok_or_else(|| {
                let text = format!("Invalid order specified: {}", name.to_str());
                Error::at(text, &self.written.origin)
            })?,
            None => Order::default(),
        };
        let mut hosts = hosts.to_vec();
        order.apply(&mut hosts);
        Ok(hosts)
    }

    /// `vars_prompt`: asked once a play, and not for what `-e` has.
    pub(super) fn prompts(&self) -> Result<Map, Error> {
        let mut answers = Map::new();
        for prompt in &self.written.vars_prompt {
            if self.world.settings.extra_vars.contains(&prompt.name) {
                continue;
            }
            let value = crate::prompts::ask(self.world, prompt, &|value| self.render(value))?;
            answers.insert(prompt.name.as_str(), value);
        }
        Ok(answers)
    }

    /// `serial`: the hosts in batches.
    pub(super) fn batches(&self, hosts: &[Arc<str>]) -> Result<Vec<Vec<Arc<str>>>, Error> {
        let sizes = match self.keyword("serial")? {
            None => return Ok(vec![hosts.to_vec()]),
            Some(Value::List(list)) => list.to_vec(),
            Some(other) => vec![other],
        };
        let mut rest = hosts;
        let mut batches = Vec::new();
        let mut at = 0;
        while !rest.is_empty() {
            let size = match sizes.get(at.min(sizes.len().saturating_sub(1))) {
                Some(size) => batch_size(size, hosts.len()).ok_or_else(|| {
                    Error::at(
                        format!("Invalid value for 'serial': {}", size.to_str()),
                        &self.written.origin,
                    )
                })?,
                None => 0,
            };
            let size = if size == 0 { rest.len() } else { size.min(rest.len()) };
            let (batch, later) = rest.split_at(size);
            batches.push(batch.to_vec());
            rest = later;
            at += 1;
        }
        Ok(batches)
    }

    /// The task that gathers facts, where the play has one.
    pub(super) fn gather(
        &self,
        play: &Arc<Play>,
        hosts: &[Arc<str>],
    ) -> Result<Option<Arc<Task>>, Error> {
        let settings = &self.world.settings;
        let asked = self.keyword("gather_facts")?.and_then(|it| crate::keyword::to_flag(&it));
        let wanted = match (asked, settings.gathering) {
            (Some(false), _) | (None, Gathering::Explicit) => false,
            // Also where the play asks for it: what is known is not asked again.
            (_, Gathering::Smart) => hosts.iter().any(|host| !self.world.host(host).was_asked()),
            (Some(true), _) | (None, Gathering::Implicit) => true,
        };
        if !wanted {
            return Ok(None);
        }
        let Some(line) = self.world.tables.find("ansible.builtin.gather_facts") else {
            return Ok(None);
        };
        let mut args = Map::new();
        for name in ["gather_subset", "gather_timeout", "fact_path"] {
            if let Some(value) = self.keyword(name)? {
                args.insert(name, value);
            }
        }
        let origin = &self.written.origin;
        let mut task = implicit("ansible.builtin.gather_facts", origin.clone());
        task.name = "Gathering Facts".into();
        task.args = args;
        set_keyword(&mut task.keywords, "tags", Value::list(vec!["always".into()]), origin);
        let top = Arc::new(Parent { keywords: self.written.keywords.clone(), ..Parent::default() });
        let work = crate::execute::line_to_work(line);
        let task = Arc::new(Task::new(Arc::new(task), work, line.name(), &top));
        let compiler = Compiler::new(self.world, play, None);
        Ok(compiler.is_tagged(&task)?.then_some(task))
    }
}

/// A number of hosts, or a share of them; 0 for all.
fn batch_size(size: &Value, hosts: usize) -> Option<usize> {
    let text = size.to_str();
    let text = text.trim();
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.trim().parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts of hosts"
        )]
        return Some(((share / 100.0 * hosts as f64) as usize).max(1));
    }
    let number: i64 = text.parse().ok()?;
    Some(usize::try_from(number).unwrap_or(0))
}
