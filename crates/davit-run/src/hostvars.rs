//! The variables of other hosts: `hostvars`, and what a delegated task sees of where it runs.
//!
//! Each host's are rendered in that host's own light. What they come to is the scope's business.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use davit_template::Scope as _;
use davit_value::{Args, Key, Map, Object, Value, ValueError};

use crate::scope::TaskScope;
use crate::state::read;
use crate::world::World;

/// `hostvars`: the variables of every host, each in its own light.
///
/// Plays are no part of them: what a play or a role defines, other hosts do not have.
struct HostVars(Arc<World>, Option<PathBuf>);

/// `hostvars`; `folder` is the playbook's.
pub(crate) fn all(world: &Arc<World>, folder: Option<&PathBuf>) -> Value {
    Value::Object(Arc::new(HostVars(Arc::clone(world), folder.cloned())))
}

impl std::fmt::Debug for HostVars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostVars")
    }
}

impl Object for HostVars {
    fn type_name(&self) -> &'static str {
        "HostVars"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        let known = read(&self.0.inventory).host(name).is_some();
        if !known && !crate::world::is_local_name(name) {
            return Ok(None);
        }
        let host: Arc<str> = name.into();
        let scope = TaskScope::in_folder(&self.0, None, Some(&host), None, self.1.clone());
        Ok(Some(Value::Object(Arc::new(VarsOfHost(scope)))))
    }

    fn missing(&self, key: &Value) -> Option<String> {
        let known = key.as_str().is_some_and(|name| read(&self.0.inventory).host(name).is_some());
        (!known).then(|| format!("hostvars[{}]", key.repr()))
    }

    fn keys(&self) -> Option<Vec<Key>> {
        let inventory = read(&self.0.inventory);
        Some(inventory.hosts().map(|host| Key::Str(Arc::clone(host.name()))).collect())
    }

    fn call(&self, _: Args) -> Result<Value, ValueError> {
        Err(ValueError::Type("'HostVars' object is not callable".into()))
    }

    fn repr(&self) -> String {
        Value::Object(Arc::new(Self(Arc::clone(&self.0), self.1.clone()))).settle().map_or_else(
            |_| "{}".into(),
            |it| if it.as_map().is_some() { it.repr() } else { "{}".into() },
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Lets a delegated task see where it really runs.
pub(crate) fn see_delegate(scope: &mut TaskScope, target: &Arc<str>) {
    let theirs = TaskScope::new(&scope.world, scope.play.as_ref(), Some(target), None);
    let address = theirs.value("ansible_host").ok().flatten();
    let address = address.unwrap_or_else(|| (&**target).into());
    scope.locals.insert("ansible_host", address);
    let connection = theirs.value("ansible_connection").ok().flatten();
    let is_local = crate::world::is_local_name(target);
    if let Some(connection) = connection.or_else(|| is_local.then(|| "local".into())) {
        scope.locals.insert("ansible_connection", connection);
    }
    let mut delegated = Map::new();
    delegated.insert(Arc::clone(target), Value::Object(Arc::new(VarsOfHost(theirs))));
    scope.locals.insert("ansible_delegated_vars", delegated.into());
}

/// The variables of one host, rendered in that host's light.
struct VarsOfHost(TaskScope);

impl std::fmt::Debug for VarsOfHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VarsOfHost({:?})", self.0.host)
    }
}

impl Object for VarsOfHost {
    fn type_name(&self) -> &'static str {
        "HostVarsVars"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        if matches!(name, "hostvars" | "vars") {
            return Ok(None);
        }
        self.0.value(name).map_err(ValueError::from)
    }

    fn keys(&self) -> Option<Vec<Key>> {
        let names = self.0.names();
        Some(
            names
                .into_iter()
                .filter(|it| !matches!(it.as_str(), "hostvars" | "vars" | "omit" | "environment"))
                .map(Key::from)
                .collect(),
        )
    }

    fn repr(&self) -> String {
        let mut map = Map::new();
        for key in self.keys().unwrap_or_default() {
            if let Some(name) = key.as_str()
                && let Ok(Some(value)) = self.get_attr(name)
            {
                map.insert(key.clone(), value);
            }
        }
        Value::from(map).repr()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
