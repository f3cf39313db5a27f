//! Handlers: what is notified, and by which names.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use davit_event::{Kind, Level};
use davit_template::Env;

use crate::scope::TaskScope;
use crate::state::read;
use crate::tree::Task;
use crate::world::{Play, World};

/// A handler and the hosts that have notified it.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) task: Arc<Task>,
    notified: Mutex<HashSet<Arc<str>>>,
    /// The list that it was written in: of two of the same name, the one of the later list counts,
    /// and within a list the first.
    list: u32,
}

impl Handler {
    pub(crate) fn new(task: Arc<Task>, list: u32) -> Self {
        Self { task, notified: Mutex::default(), list }
    }

    pub(crate) fn notify(&self, host: &Arc<str>) {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(host));
    }

    /// Takes the notification of `host` back; true where there was one.
    pub(crate) fn take(&self, host: &Arc<str>) -> bool {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner).remove(host)
    }

    pub(crate) fn is_notified(&self, host: &Arc<str>) -> bool {
        self.notified.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    /// Its name and its name with its role's.
    fn names(&self, world: &Arc<World>, play: &Arc<Play>) -> Vec<String> {
        let Some(name) = self.task.name() else { return Vec::new() };
        let text = if name.is_live() {
            let scope = TaskScope::new(world, Some(play), None, Some(&self.task));
            let outside = scope.outside();
            match Env::new(&world.engine, &scope, &outside).resolve(name) {
                Ok(value) => value.to_str(),
                // A handler whose name needs a host's variables can be reached by `listen` only.
                Err(_) => return Vec::new(),
            }
        } else {
            name.to_str()
        };
        let mut names = Vec::new();
        if let Some(role) = self.task.role() {
            names.push(format!("{} : {text}", role.name));
        }
        names.push(text);
        names
    }

    fn listens(&self, topic: &str) -> bool {
        self.task.written.listen.iter().any(|it| it.to_str() == topic)
    }
}

/// Notifies the handlers that `name` means for `host`.
///
/// # Errors
/// A sentence, where it means none and that is an error.
pub(crate) fn notify(
    world: &Arc<World>,
    play: &Arc<Play>,
    host: &Arc<str>,
    name: &str,
) -> Result<(), String> {
    let handlers = read(&play.handlers).clone();
    let mut found = false;
    let named: Vec<_> =
        handlers.iter().filter(|it| it.names(world, play).iter().any(|it| it == name)).collect();
    let last = named.iter().map(|it| it.list).max();
    let by_name = named.into_iter().find(|it| Some(it.list) == last);
    let listening = handlers.iter().filter(|it| it.listens(name));
    for handler in by_name.into_iter().chain(listening) {
        found = true;
        if !handler.is_notified(host) {
            handler.notify(host);
            let shown = handler.names(world, play).into_iter().next();
            let shown = shown.unwrap_or_else(|| handler.task.written.action.to_string());
            world.emit(Kind::Notified { host: host.to_string(), handler: shown });
        }
    }
    if found {
        return Ok(());
    }
    let text = format!(
        "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
    );
    if world.settings.missing_handler_is_error {
        Err(text)
    } else {
        world.message(Level::Warning, &text, None, None);
        Ok(())
    }
}
