//! What a destination means: a folder that things go into, or the name of a single one.
//!
//! It reads and makes nothing.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use davit_module::Host;
use serde::{Deserialize, Serialize};

use super::entry::{AnyPath, Name};
use super::walk::told;

/// Where everything goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The folder that names begin in.
    pub base: AnyPath,
    /// The name that the only entry gets, where it is not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Name>,
    /// The folder has to be made.
    #[serde(default)]
    pub is_new: bool,
}

/// Why nothing can be done at all: rsync's exit status and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Exit status.
    pub rc: i32,
    /// A sentence.
    pub why: String,
}

/// Works out what `dest` means for `many` entries, or for a single one that may be a folder.
///
/// # Errors
/// Where it cannot be what it has to be.
pub(super) fn find(
    host: &Host<'_>,
    dest: &Path,
    many: bool,
    folder: bool,
    mkpath: bool,
) -> Result<Found, Refusal> {
    let refuse = |rc, why: String| Err(Refusal { rc, why });
    let slash = dest.as_os_str().as_bytes().ends_with(b"/");
    let plain: PathBuf = dest.components().collect();
    let whole = |is_new| Found { base: AnyPath(plain.clone()), only: None, is_new };
    let (Some(parent), Some(name)) = (plain.parent(), plain.file_name()) else {
        return Ok(whole(false));
    };
    let single = || Found {
        base: AnyPath(parent.to_path_buf()),
        only: Some(Name::from(name.to_os_string())),
        is_new: false,
    };
    let shown = plain.display();
    match host.meta(&plain, true) {
        Ok(Some(meta)) if meta.is_dir() => return Ok(whole(false)),
        Ok(Some(_)) if slash => {
            let why = "failed: Not a directory (20)";
            return refuse(3, format!("rsync: [Receiver] change_dir#1 \"{shown}\" {why}"));
        }
        Ok(Some(_)) if many => {
            let why = "ERROR: destination must be a directory when copying more than 1 file";
            return refuse(3, why.to_owned());
        }
        Ok(Some(_)) if folder => {
            return refuse(3, "ERROR: cannot overwrite non-directory with a directory".to_owned());
        }
        Ok(Some(_)) => return Ok(single()),
        Ok(None) => {}
        Err(error) => {
            let why = told(&error);
            return refuse(3, format!("rsync: [Receiver] change_dir#1 \"{shown}\" failed: {why}"));
        }
    }
    let is_new = many || slash;
    if !host.is_dir(parent) && !mkpath {
        let why = "failed: No such file or directory (2)";
        return if is_new {
            refuse(11, format!("rsync: [Receiver] mkdir \"{shown}\" {why}"))
        } else {
            refuse(3, format!("rsync: [Receiver] change_dir#3 \"{}\" {why}", parent.display()))
        };
    }
    Ok(if is_new { whole(true) } else { single() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use davit_module::{Call, Session};

    use super::*;

    #[test]
    fn a_destination_is_what_rsync_takes_it_for() {
        let top = tempfile::tempdir().unwrap();
        let at = |name: &str| top.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("file"), "").unwrap();
        let (session, call) = (Session::default(), Call::default());
        let host = Host::new(&session, &call);
        // The destination, whether there are many entries, whether the only one is a folder; the
        // folder that is meant, the only one's name, whether it is to be made.
        for (dest, many, folder, expect) in [
            ("folder", true, true, Ok(("folder", None, false))),
            ("folder/", false, false, Ok(("folder", None, false))),
            ("new", true, true, Ok(("new", None, true))),
            ("new/", false, false, Ok(("new", None, true))),
            ("new", false, false, Ok(("", Some("new"), false))),
            ("new", false, true, Ok(("", Some("new"), false))),
            ("file", false, false, Ok(("", Some("file"), false))),
            ("file", true, true, Err(3)),
            ("file", false, true, Err(3)),
            ("file/", false, false, Err(3)),
            ("no/such", true, true, Err(11)),
            ("no/such", false, false, Err(3)),
        ] {
            let path = PathBuf::from(format!("{}/{dest}", top.path().display()));
            let found = find(&host, &path, many, folder, false);
            let got = found.as_ref().map_err(|it| it.rc).map(|it| {
                let only = it.only.as_ref().map(ToString::to_string);
                (it.base.0.clone(), only, it.is_new)
            });
            let expect = expect.map(|(base, only, is_new): (&str, Option<&str>, bool)| {
                let base: PathBuf = at(base).components().collect();
                (base, only.map(str::to_owned), is_new)
            });
            assert_eq!(got, expect, "{dest} {many} {folder}");
        }
        assert!(find(&host, &at("no/such"), true, true, true).unwrap().is_new);
    }
}
