//! The keys that every result about a path carries: owner, mode, state and size.

use std::path::Path;

use davit_event::Reply;

use super::Host;
use super::meta::{FileKind, Meta};
use crate::names;

impl Host<'_> {
    /// Adds what is known of the path that a result names in `path`, or else in `dest`.
    pub(crate) fn add_path_keys(&self, reply: &mut Reply) {
        let named = reply.get("path").or_else(|| reply.get("dest"));
        let Some(path) = named.and_then(|it| it.as_str()).map(Path::new) else { return };
        if path.as_os_str().is_empty() {
            return;
        }
        // The disk alone counts: what a dry run predicts is told by the module, not as found.
        let Some(meta) = self.on_disk(path) else { return };
        let mut set = |key: &str, value: serde_json::Value| {
            reply.insert(key.to_owned(), value);
        };
        set("uid", meta.uid.into());
        set("gid", meta.gid.into());
        set("owner", user_name(meta.uid).into());
        set("group", group_name(meta.gid).into());
        set("mode", mode_text(i64::from(meta.mode)).into());
        set("state", state_word(&meta).into());
        set("size", meta.size.into());
    }
}

/// The word for a path's state in results: `link`, `directory`, `hard` or `file`.
pub(crate) fn state_word(meta: &Meta) -> &'static str {
    match meta.kind {
        FileKind::Link => "link",
        FileKind::Directory => "directory",
        _ if meta.nlink > 1 => "hard",
        _ => "file",
    }
}

/// Permission bits as results tell them: `0644`.
#[must_use]
pub fn mode_text(mode: i64) -> String {
    if mode < 0 { format!("0-{:02o}", mode.unsigned_abs()) } else { format!("0{mode:03o}") }
}

/// The name of a user, or the number where nobody has it.
pub(crate) fn user_name(uid: u32) -> String {
    names::User::numbered(uid).map_or_else(|| uid.to_string(), |it| it.name)
}

/// The name of a group, or the number where none has it.
pub(crate) fn group_name(gid: u32) -> String {
    names::group_name(gid).unwrap_or_else(|| gid.to_string())
}
