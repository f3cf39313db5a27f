//! Keeps what plugins fetched: a file for each source, in a folder that the options name. Knows no plugin.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use davit_value::{Map, Value};
use serde::{Deserialize, Serialize};

use crate::constructed::is_true;
use crate::options::LoadOptions;
use crate::plugin::{Refusal, Source};

/// How what plugins fetch is kept, where their files do not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// It is kept at all.
    pub enabled: bool,
    /// `memory`, which forgets it with the program, or `jsonfile`.
    pub plugin: String,
    /// The folder, for `jsonfile`.
    pub connection: Option<String>,
    /// For how many seconds it counts; 0 = for ever.
    pub timeout: u64,
    /// How names of files begin.
    pub prefix: String,
    /// What is there does not count this time.
    pub refresh: bool,
}

/// The original's: an hour, in memory, off.
impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            enabled: false,
            plugin: "memory".to_owned(),
            connection: None,
            timeout: 3600,
            prefix: "ansible_inventory_".to_owned(),
            refresh: false,
        }
    }
}

/// What is in a file.
#[derive(Deserialize)]
struct Kept {
    key: String,
    fetched: serde_json::Value,
}

/// The same, to be written.
#[derive(Serialize)]
struct Keep<'a> {
    key: &'a str,
    fetched: &'a serde_json::Value,
}

impl CacheOptions {
    /// These, under what a file says.
    ///
    /// # Errors
    /// For what is no such option.
    pub(crate) fn of(&self, config: &Map) -> Result<Self, Refusal> {
        let mut all = self.clone();
        let text = |name: &str| config.get(name).filter(|it| !it.is_null()).map(Value::to_str);
        if let Some(value) = config.get("cache").filter(|it| !it.is_null()) {
            all.enabled = is_true(value).unwrap_or(false);
        }
        all.plugin = text("cache_plugin").unwrap_or(all.plugin);
        all.connection = text("cache_connection").or(all.connection);
        all.prefix = text("cache_prefix").unwrap_or(all.prefix);
        if let Some(seconds) = text("cache_timeout") {
            all.timeout = seconds.parse().map_err(|_| {
                refusal("cache_timeout", format!("'{seconds}' is not a number of seconds"))
            })?;
        }
        Ok(all)
    }

    /// What is kept of a source and still counts, else what it fetches now, which is kept.
    pub(crate) fn fetch(
        &self,
        plugin: &str,
        (file, source): (&str, &dyn Source),
        options: &LoadOptions,
        warn: &mut dyn FnMut(String),
    ) -> Result<serde_json::Value, Refusal> {
        let Some(folder) = self.folder(options)? else { return source.fetch(warn) };
        let key = format!("{file}\n{}", source.cache_key());
        let path = folder.join(format!("{}{plugin}_{:016x}", self.prefix, hash(&key)));
        if let Some(fetched) = self.kept(&path, &key) {
            return Ok(fetched);
        }
        let fetched = source.fetch(warn)?;
        if let Err(error) = keep(&path, &Keep { key: &key, fetched: &fetched }) {
            warn(format!("cannot keep the inventory in {}: {error}", path.display()));
        }
        Ok(fetched)
    }

    /// Where it is kept; `None` for nowhere.
    fn folder(&self, options: &LoadOptions) -> Result<Option<PathBuf>, Refusal> {
        match self.plugin.strip_prefix("ansible.builtin.").unwrap_or(&self.plugin) {
            _ if !self.enabled => Ok(None),
            "memory" => Ok(None),
            "jsonfile" | "ansible.legacy.jsonfile" => match self.connection.as_deref() {
                None | Some("") => {
                    let text = "the cache plugin 'jsonfile' needs cache_connection: the folder of its files";
                    Err(refusal("cache_plugin", text.to_owned()))
                }
                Some(path) => Ok(Some(expanded(path, options))),
            },
            other => Err(refusal(
                "cache_plugin",
                format!(
                    "there is no cache plugin '{other}' for inventories: memory and jsonfile are there"
                ),
            )),
        }
    }

    /// What is in the file, where that is of the same key and not too old.
    fn kept(&self, path: &Path, key: &str) -> Option<serde_json::Value> {
        let age = SystemTime::now().duration_since(fs::metadata(path).ok()?.modified().ok()?);
        let is_old =
            self.timeout > 0 && age.unwrap_or_default() > Duration::from_secs(self.timeout);
        if self.refresh || is_old {
            return None;
        }
        // What cannot be read is fetched anew.
        let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (kept.key == key).then_some(kept.fetched)
    }
}

fn refusal(option: &str, message: String) -> Refusal {
    Refusal { message, option: Some(option.to_owned()) }
}

fn expanded(path: &str, options: &LoadOptions) -> PathBuf {
    match (path.strip_prefix("~/"), options.environment.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => options.folder.join(path),
    }
}

/// FNV-1a: the same in every build, and no secret depends on it.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Writes the file, for its owner only, and as a whole or not at all.
fn keep(path: &Path, what: &Keep<'_>) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let fresh = path.with_extension(format!("{}.part", std::process::id()));
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        // There may be no such file.
        let _ = fs::remove_file(&fresh);
    }
    written
}
