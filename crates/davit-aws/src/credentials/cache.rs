//! The JSON files that the AWS CLI keeps below `~/.aws`, under its names and in its forms.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde_json::Value as Json;

use super::{Credentials, error::Problem, io::Surroundings};

/// Credentials of roles with less time than this left are fetched anew.
const LEAST_SECONDS: i64 = 15 * 60;

/// The file that credentials of a role are kept in; nothing if none are kept.
pub(super) fn role_file(surroundings: &Surroundings, key: &str) -> Option<PathBuf> {
    let home = surroundings.home.as_ref().filter(|_| surroundings.cache)?;
    Some(home.join(".aws/cli/cache").join(format!("{}.json", sha1(key))))
}

/// The credentials that a file has, if they are good for a while.
pub(super) fn kept(surroundings: &Surroundings, key: &str, source: &str) -> Option<Credentials> {
    let kept = read(&role_file(surroundings, key)?).ok()??;
    let kept = kept.get("Credentials")?;
    let text = |name: &str| Some(kept.get(name)?.as_str()?.to_owned());
    let expires = time(kept.get("Expiration")?.as_str()?)?;
    if left(expires, surroundings.now()) < LEAST_SECONDS {
        return None;
    }
    Some(Credentials {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        session_token: Some(text("SessionToken")?),
        expires: Some(expires),
        account_id: text("AccountId"),
        source: source.to_owned(),
    })
}

/// Keeps credentials. That they cannot be kept is no error: they are fetched again the next time.
pub(super) fn keep(surroundings: &Surroundings, key: &str, credentials: &Credentials, more: Json) {
    let Some(path) = role_file(surroundings, key) else { return };
    let Some(expires) = credentials.expires else { return };
    let mut kept = more;
    kept["Credentials"] = serde_json::json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": crate::time::iso8601(expires),
    });
    if let Some(account_id) = &credentials.account_id {
        kept["Credentials"]["AccountId"] = account_id.as_str().into();
    }
    let _ = write(&path, &kept);
}

/// Reads a file; nothing if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Json>, Problem> {
    let file = |reason: String| Problem::File { path: path.to_owned(), reason };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file(error.to_string())),
    };
    // What is wrong is not shown: it could be a part of a secret.
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        file(format!("is no JSON (line {}): delete it and sign in again", error.line()))
    })
}

/// Writes a file as a whole, for its owner's eyes only.
pub(super) fn write(path: &Path, value: &Json) -> Result<(), Problem> {
    let attempt = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let beside = folder.join(format!("{}.tmp", uuid::Uuid::new_v4()));
        let written = write_new(&beside, value.to_string().as_bytes())
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    };
    attempt().map_err(|error| Problem::File { path: path.to_owned(), reason: error.to_string() })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A point in time; the AWS CLI writes `UTC` behind some.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    match text.strip_suffix("UTC") {
        Some(text) => crate::time::parse(&format!("{text}Z")),
        None => crate::time::parse(text),
    }
}

/// The seconds until a point in time.
pub(super) fn left(at: Timestamp, now: Timestamp) -> i64 {
    at.as_second().saturating_sub(now.as_second())
}

pub(super) fn sha1(text: &str) -> String {
    hex(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

pub(super) fn sha256(text: &str) -> String {
    hex(digest::digest(&SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// JSON as Python's `json.dumps(..., sort_keys=True)` writes it, of which the AWS CLI's file names
/// are made.
pub(super) fn dumps(members: &mut [(&str, Json)], comma: &str, colon: &str) -> String {
    members.sort_by_key(|(name, _)| *name);
    let members = members.iter().map(|(name, value)| {
        let value = match value {
            Json::String(text) => ascii(text),
            other => other.to_string(),
        };
        format!("{}{colon}{value}", ascii(name))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(comma))
}

fn ascii(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted.chars().fold(String::new(), |mut ascii, letter| {
        if matches!(letter, ' '..='~') {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                write!(ascii, "\\u{unit:04x}").expect("a string takes everything");
            }
        }
        ascii
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_that_of_python() {
        let mut members = [("b", Json::from("ü\n\"😂\u{7f}")), ("a", Json::from(3600))];
        assert_eq!(
            dumps(&mut members, ", ", ": "),
            r#"{"a": 3600, "b": "\u00fc\n\"\ud83d\ude02\u007f"}"#
        );
    }

    #[test]
    fn times_of_the_cli_are_read() {
        assert_eq!(time("2026-01-02T03:04:05UTC"), time("2026-01-02T03:04:05+00:00"));
        assert!(time("2026-01-02T03:04:05UTC").is_some());
    }
}
