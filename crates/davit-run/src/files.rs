//! `vars_files`: which files, for which host, and what is in them.

use std::path::Path;
use std::sync::Arc;

use davit_template::{Env, ErrorKind};
use davit_value::{Map, Value};

use crate::error::Error;
use crate::scope::TaskScope;
use crate::world::{Play, World};

/// Loads the `vars_files` of a play: once, or for each host where their names need the host.
pub(crate) fn load(world: &Arc<World>, play: &Arc<Play>, hosts: &[Arc<str>]) -> Result<(), Error> {
    let entries = &play.written.vars_files;
    if entries.is_empty() {
        return Ok(());
    }
    if !entries.iter().any(Value::is_live) {
        let mut loaded = Vec::new();
        for entry in entries {
            loaded.extend(one(world, play, None, entry)?);
        }
        play.set_vars_files(None, loaded);
        return Ok(());
    }
    for host in hosts {
        let mut loaded = Vec::new();
        for entry in entries {
            loaded.extend(one(world, play, Some(host), entry)?);
            // A later file's name may use what an earlier one defines.
            play.set_vars_files(Some(host), loaded.clone());
        }
    }
    Ok(())
}

/// One entry: a file, or a list of which the first that is there counts.
fn one(
    world: &Arc<World>,
    play: &Arc<Play>,
    host: Option<&Arc<str>>,
    entry: &Value,
) -> Result<Option<Arc<Map>>, Error> {
    let choices: Vec<Value> = match entry {
        Value::List(list) => list.to_vec(),
        other => vec![other.clone()],
    };
    let mut tried: Vec<String> = Vec::new();
    for choice in &choices {
        let scope = TaskScope::new(world, Some(play), host, None);
        let outside = scope.outside();
        let name = match Env::new(&world.engine, &scope, &outside).resolve(choice) {
            Ok(name) => name.to_str(),
            // What a name needs may be a fact: the file is loaded once facts are there.
            Err(error) if error.kind() == ErrorKind::Undefined => return Ok(None),
            Err(error) => {
                let near = choice.origin().or(Some(&play.written.origin));
                return Err(Error::template(&error, near));
            }
        };
        for folder in [play.folder.join("vars"), play.folder.clone()] {
            let path = folder.join(Path::new(&name));
            if path.is_file() {
                return Ok(Some(Arc::new(world.loader.vars_file(&path)?)));
            }
        }
        tried.push(name);
    }
    if tried.is_empty() {
        return Ok(None);
    }
    // The original goes on without a word; what is missing shows where it is used.
    let origin = play.written.vars_files_origin.as_ref().unwrap_or(&play.written.origin);
    world.message(
        davit_event::Level::Warning,
        &format!("vars file {} was not found", tried.join(", ")),
        Some(origin.to_string()),
        None,
    );
    Ok(None)
}
