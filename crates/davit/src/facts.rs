//! Where facts are kept between runs: files as the original writes them, or a database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use davit_event::Reply;
use davit_run::FactCache;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use crate::config::Config;
use crate::report::{Report, warn};

/// What the original puts before the names of files whose form it can read.
const FORM: &str = "s1_";
/// The key under which the facts stand in a file, as a text.
const PAYLOAD: &str = "__payload__";
/// How long to wait for another run that writes.
const BUSY: Duration = Duration::from_secs(5);

/// What the configuration asks for; `None` = facts are forgotten at the end.
pub(crate) fn cache(config: &Config) -> Result<Option<Arc<dyn FactCache>>, Report> {
    let plugin = config.text("CACHE_PLUGIN");
    let seconds = config.number("CACHE_PLUGIN_TIMEOUT")?.unwrap_or(86400);
    let limit = (seconds > 0).then(|| Duration::from_secs(seconds));
    let prefix = config.get("CACHE_PLUGIN_PREFIX").unwrap_or_default().to_owned();
    let place = config.path_of("CACHE_PLUGIN_CONNECTION");
    match plugin.rsplit('.').next().unwrap_or_default() {
        "memory" => Ok(None),
        "jsonfile" => {
            let Some(folder) = place else {
                warn("Required config '_uri' for 'jsonfile' cache plugin not provided.");
                return Ok(None);
            };
            if let Err(error) = fs::create_dir_all(&folder) {
                let folder = folder.display();
                warn(&format!(
                    "Error in 'jsonfile' cache plugin while trying to create cache dir '{folder}': {error}"
                ));
                return Ok(None);
            }
            Ok(Some(Arc::new(Files { folder, prefix, limit })))
        }
        "sqlite" => {
            let path = place.unwrap_or_else(|| config.state().join("facts.db"));
            match Database::open(&path, prefix, limit) {
                Ok(database) => Ok(Some(Arc::new(database))),
                Err(why) => {
                    let path = path.display();
                    warn(&format!("facts are not kept: {path} cannot be opened: {why}"));
                    Ok(None)
                }
            }
        }
        _ => {
            warn(&format!(
                "fact_caching = {plugin} has no effect: there are memory, jsonfile and sqlite"
            ));
            Ok(None)
        }
    }
}

/// `jsonfile`: a file a host.
struct Files {
    folder: PathBuf,
    prefix: String,
    limit: Option<Duration>,
}

impl Files {
    /// The file of a host; none where its name would lead elsewhere.
    fn path(&self, host: &str) -> Option<PathBuf> {
        let name = format!("{}{FORM}{host}", self.prefix);
        (!name.contains(['/', '\0'])).then(|| self.folder.join(name))
    }

    fn is_old(&self, path: &Path) -> io::Result<bool> {
        let Some(limit) = self.limit else { return Ok(false) };
        let age = SystemTime::now().duration_since(path.metadata()?.modified()?);
        Ok(age.is_ok_and(|age| age > limit))
    }
}

impl FactCache for Files {
    fn get(&self, host: &str) -> Result<Option<Reply>, String> {
        let Some(path) = self.path(host) else { return Ok(None) };
        let read = || -> io::Result<Option<String>> {
            if self.is_old(&path)? { Ok(None) } else { fs::read_to_string(&path).map(Some) }
        };
        let text = match read() {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(format!("facts are not read from {}: {error}", path.display()));
            }
        };
        // What is not whole is as good as nothing: the host is asked again.
        Ok(facts(&text))
    }

    fn set(&self, host: &str, facts: &Reply) -> Result<(), String> {
        let Some(path) = self.path(host) else { return Ok(()) };
        let payload = Value::Object(facts.clone()).to_string();
        let text = serde_json::json!({ PAYLOAD: payload }).to_string();
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new()
                .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
                .tempfile_in(&self.folder)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| format!("facts are not kept in {}: {error}", path.display()))
    }

    fn forget(&self, host: &str) -> Result<(), String> {
        let Some(path) = self.path(host) else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("facts are not removed from {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// The facts in the text of a file.
fn facts(text: &str) -> Option<Reply> {
    let file: Value = serde_json::from_str(text).ok()?;
    let payload: Value = serde_json::from_str(file.get(PAYLOAD)?.as_str()?).ok()?;
    match plain(payload) {
        Value::Object(facts) => Some(facts),
        _ => None,
    }
}

/// Values without what the original keeps of where they came from.
fn plain(json: Value) -> Value {
    match json {
        Value::Object(mut map) => {
            let is_tagged = map.get("__ansible_type").and_then(Value::as_str);
            if is_tagged.is_some_and(|it| it.starts_with("_AnsibleTagged")) {
                return plain(map.remove("value").unwrap_or_default());
            }
            map.into_iter().map(|(key, value)| (key, plain(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

/// `sqlite`: one file for all hosts.
struct Database {
    connection: Mutex<Connection>,
    prefix: String,
    limit: Option<Duration>,
}

impl Database {
    fn open(path: &Path, prefix: String, limit: Option<Duration>) -> Result<Self, String> {
        let open = || -> Result<Connection, rusqlite::Error> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS facts (host TEXT PRIMARY KEY, at INTEGER NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID",
            )?;
            Ok(connection)
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        let connection = Mutex::new(open().map_err(|error| error.to_string())?);
        Ok(Self { connection, prefix, limit })
    }

    fn with<T>(
        &self,
        what: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, String> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        what(&connection).map_err(|error| format!("the database of facts: {error}"))
    }

    fn key(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |it| it.as_secs())
}

impl FactCache for Database {
    fn get(&self, host: &str) -> Result<Option<Reply>, String> {
        let oldest = self.limit.map_or(0, |limit| now().saturating_sub(limit.as_secs()));
        let text: Option<String> = self.with(|connection| {
            let sql = "SELECT facts FROM facts WHERE host = ?1 AND at >= ?2";
            let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
            connection.query_row(sql, (self.key(host), oldest), |row| row.get(0)).optional()
        })?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn set(&self, host: &str, facts: &Reply) -> Result<(), String> {
        let text = Value::Object(facts.clone()).to_string();
        let at = i64::try_from(now()).unwrap_or(i64::MAX);
        self.with(|connection| {
            let sql = "INSERT OR REPLACE INTO facts (host, at, facts) VALUES (?1, ?2, ?3)";
            connection.execute(sql, (self.key(host), at, text)).map(|_| ())
        })
    }

    fn forget(&self, host: &str) -> Result<(), String> {
        self.with(|connection| {
            connection.execute("DELETE FROM facts WHERE host = ?1", [self.key(host)]).map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(cache: &dyn FactCache) {
        let facts = json!({"ansible_system": "Linux", "n": [1, null]});
        let facts = facts.as_object().unwrap();
        assert_eq!(cache.get("a"), Ok(None));
        cache.set("a", facts).unwrap();
        cache.set("a", facts).unwrap();
        assert_eq!(cache.get("a"), Ok(Some(facts.clone())));
        cache.forget("a").unwrap();
        cache.forget("a").unwrap();
        assert_eq!(cache.get("a"), Ok(None));
        // No name leads out of the folder.
        assert_eq!(cache.set("../b", facts), Ok(()));
    }

    #[test]
    fn facts_are_kept_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let files = |limit| Files { folder: folder.path().into(), prefix: "p".into(), limit };
        check(&files(None));
        check(&Database::open(&folder.path().join("x/facts.db"), String::new(), None).unwrap());
        let facts = Reply::new();
        files(None).set("old", &facts).unwrap();
        let then = SystemTime::now() - Duration::from_secs(100);
        let file = fs::File::open(folder.path().join("ps1_old")).unwrap();
        file.set_modified(then).unwrap();
        assert_eq!(files(Some(Duration::from_secs(50))).get("old"), Ok(None));
        assert_eq!(files(Some(Duration::from_secs(500))).get("old"), Ok(Some(facts)));
    }

    #[test]
    fn files_of_the_original_are_read() {
        let tagged = json!({"value": 2, "tags": [], "__ansible_type": "_AnsibleTaggedInt"});
        let text = json!({PAYLOAD: json!({"a": "b", "kept": tagged}).to_string()}).to_string();
        let expect = json!({"a": "b", "kept": 2});
        assert_eq!(facts(&text).map(Value::Object), Some(expect));
        assert_eq!(facts("{\"a"), None);
    }
}
