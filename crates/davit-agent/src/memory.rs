//! What calls came to, for a controller that lost the connection before it could hear of it.
//!
//! A call with a key that has been carried out is answered and not run again. Results are kept in
//! memory and, where something was changed, in a file of the agent's own folder, so that another
//! agent of the same run can answer too. The file goes when the run says goodbye.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use davit_wire::Reply;
use serde::{Deserialize, Serialize};

/// Results that are larger are not kept.
const LARGE: usize = 1 << 20;
/// The most bytes that the file grows to.
const FULL: u64 = 64 << 20;
/// Files of runs that nobody has taken up for this long are removed.
const OLD: Duration = Duration::from_secs(14 * 24 * 3600);

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    reply: Reply,
}

/// What calls came to.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, Reply>,
    open: Option<File>,
}

impl Memory {
    /// What an earlier agent of the same run and host has left in `folder`.
    pub(crate) fn load(folder: &Path, run: &str, host: &str) -> Self {
        if run.is_empty() {
            return Self::default();
        }
        let plain = |text: &str| -> String {
            text.bytes()
                .map(|it| {
                    if it.is_ascii_alphanumeric() || it == b'-' {
                        char::from(it).to_string()
                    } else {
                        format!("_{it:02x}")
                    }
                })
                .collect()
        };
        let name: String = format!("{}.{}", plain(run), plain(host)).chars().take(200).collect();
        let file = folder.join("runs").join(name);
        let mut known = HashMap::new();
        if let Ok(there) = File::open(&file) {
            for line in BufReader::new(there).lines().map_while(Result::ok) {
                // A line that was cut off is no result.
                if let Ok(Line { key, reply }) = serde_json::from_str(&line) {
                    known.insert(key, reply);
                }
            }
        } else if let Some(parent) = file.parent() {
            forget_old(parent);
        }
        Self { file: Some(file), state: Mutex::new(State { known, open: None }) }
    }

    /// What the call of that key came to.
    pub(crate) fn find(&self, key: &str) -> Option<Reply> {
        if key.is_empty() {
            return None;
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).known.get(key).cloned()
    }

    /// Keeps what a call came to, before anybody is told.
    pub(crate) fn keep(&self, key: &str, reply: &Reply) {
        let Some(path) = self.file.as_ref().filter(|_| !key.is_empty()) else { return };
        let changed = reply.reply.get("changed").and_then(serde_json::Value::as_bool);
        if changed != Some(true) || reply.reply.contains_key("failed") {
            return;
        }
        let line = Line { key: key.to_owned(), reply: reply.clone() };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        if text.len() > LARGE {
            return;
        }
        text.push(b'\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open.is_none() {
            state.open = open(path);
        }
        if let Some(file) = &mut state.open
            && file.metadata().is_ok_and(|it| it.len() < FULL)
        {
            // Where nothing can be kept, a lost connection means that the task is run again.
            let _ = file.write_all(&text);
        }
    }

    /// The run is over.
    pub(crate) fn forget(&self) {
        if let Some(file) = &self.file {
            // It may never have been made.
            let _ = fs::remove_file(file);
        }
    }
}

fn open(path: &Path) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok()
}

fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().ok().and_then(|it| it.modified().ok()?.elapsed().ok());
        if age.is_some_and(|it| it > OLD) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { reply: serde_json::from_str(text).unwrap(), changes: Vec::new() }
    }

    #[test]
    fn another_agent_of_the_run_knows_what_was_changed() {
        let folder = tempfile_folder();
        let memory = Memory::load(&folder, "run/1", "host");
        memory.keep("a", &reply(r#"{"changed": true, "msg": "x"}"#));
        memory.keep("b", &reply(r#"{"changed": false}"#));
        memory.keep("", &reply(r#"{"changed": true}"#));
        let file = folder.join("runs/run_2f1.host");
        let mut text = fs::read(&file).unwrap();
        text.extend_from_slice(b"{\"key\": \"c\", \"rep");
        fs::write(&file, text).unwrap();
        let next = Memory::load(&folder, "run/1", "host");
        assert_eq!(next.find("a").unwrap().reply["msg"], "x");
        assert!(next.find("b").is_none() && next.find("c").is_none() && next.find("").is_none());
        assert!(Memory::load(&folder, "run/1", "other").find("a").is_none());
        next.forget();
        assert!(Memory::load(&folder, "run/1", "host").find("a").is_none());
        fs::remove_dir_all(folder).unwrap();
    }

    fn tempfile_folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("davit-memory-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }
}
