//! Programs of the host that a module cannot do without: where they are.
//!
//! It does not run them.

use std::path::{Path, PathBuf};

use davit_module::{Access, Host, ModuleError};

/// Folders that hold programs of administrators, whatever the user's `PATH` says.
const MORE: [&str; 3] = ["/sbin", "/usr/sbin", "/usr/local/sbin"];

/// Where programs are looked for on a host that does not say.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// The folders in which programs are looked for.
fn folders(host: &Host<'_>) -> Vec<String> {
    let path = host.variable("PATH").filter(|it| !it.is_empty());
    let path = path.unwrap_or_else(|| USUAL.to_owned());
    let mut found: Vec<String> =
        path.split(':').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    for more in MORE {
        if !found.iter().any(|it| it == more) && host.is_dir(Path::new(more)) {
            found.push(more.to_owned());
        }
    }
    found
}

/// Where a program is; `None` = nowhere.
pub(crate) fn find(host: &Host<'_>, name: &str) -> Option<PathBuf> {
    let places = folders(host).into_iter().map(|it| Path::new(&it).join(name));
    places.into_iter().find(|it| host.is_file(it) && host.may(it, Access::Execute))
}

/// Where a program is that must be there.
///
/// # Errors
/// Where it is not.
pub(crate) fn need(host: &Host<'_>, name: &str) -> Result<PathBuf, ModuleError> {
    find(host, name).ok_or_else(|| {
        ModuleError::failed(format!(
            "Failed to find required executable \"{name}\" in paths: {}",
            folders(host).join(":")
        ))
    })
}

#[cfg(test)]
mod tests {
    use davit_module::{Call, Session};

    use super::*;

    #[test]
    fn programs_are_found_or_missed() {
        let (session, call) = (Session::default(), Call::default());
        let call = Call { environment: vec![("PATH".into(), "/bin:/usr/bin".into())], ..call };
        let host = Host::new(&session, &call);
        assert!(need(&host, "sh").is_ok());
        let why = need(&host, "no-such-program").unwrap_err().message();
        assert!(why.starts_with("Failed to find required executable \"no-such-program\""), "{why}");
        assert!(why.contains("/bin:/usr/bin"), "{why}");
    }
}
