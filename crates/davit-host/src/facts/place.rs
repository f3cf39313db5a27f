//! The host that is looked at: a root folder, an environment, and a moment.
//!
//! Facts read through it only, so that tests can show them another host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use davit_module::Ran;

/// Folders that are searched for programs after those of `PATH`.
const SYSTEM_FOLDERS: [&str; 3] = ["/sbin", "/usr/sbin", "/usr/local/sbin"];

/// Runs a program by its words; `None` where it could not be run.
type Runner<'a> = &'a dyn Fn(&[&str]) -> Option<Ran>;

/// Where facts are gathered.
#[derive(Clone)]
pub struct Place<'a> {
    root: PathBuf,
    environment: Vec<(String, String)>,
    now: SystemTime,
    runner: Option<Runner<'a>>,
}

impl<'a> Place<'a> {
    /// This machine, as programs with this environment see it, now.
    #[must_use]
    pub fn here(environment: Vec<(String, String)>) -> Self {
        Self::at("/", environment, SystemTime::now())
    }

    /// A machine whose `/` is `root`.
    #[must_use]
    pub fn at(
        root: impl Into<PathBuf>,
        environment: Vec<(String, String)>,
        now: SystemTime,
    ) -> Self {
        Self { root: root.into(), environment, now, runner: None }
    }

    /// The same place, where programs are run by `runner`. Without one, none are.
    #[must_use]
    pub fn with_runner(mut self, runner: Runner<'a>) -> Self {
        self.runner = Some(runner);
        self
    }

    /// The moment of the gathering.
    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// A variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The real path of a path on the host.
    pub(crate) fn real(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// All of a file's text, bad bytes replaced; `None` where it cannot be read.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = fs::read(self.real(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's text without white space at its ends; `None` where there is none.
    pub(crate) fn read_trimmed(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.read(path)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.real(path).exists()
    }

    pub(crate) fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        self.real(path).is_dir()
    }

    /// The names in a folder, sorted; none where it cannot be read.
    pub(crate) fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        let Ok(items) = fs::read_dir(self.real(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            items.flatten().map(|it| it.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Where a link points, as it is written.
    pub(crate) fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        fs::read_link(self.real(path)).ok()
    }

    /// The last name of the place where a link points.
    pub(crate) fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        self.link(path)?.file_name().map(|it| it.to_string_lossy().into_owned())
    }

    /// The path on the host of a program, by the folders of `PATH` and the system's own.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.variable("PATH").unwrap_or("/usr/bin:/bin");
        path.split(':')
            .filter(|it| !it.is_empty())
            .chain(SYSTEM_FOLDERS)
            .map(|folder| Path::new(folder).join(name))
            .find(|it| self.is_executable(it))
    }

    /// Whether a path is a file that may be run.
    pub(crate) fn is_executable(&self, path: impl AsRef<Path>) -> bool {
        fs::metadata(self.real(path))
            .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    }

    /// Runs a program; `None` where it cannot be run.
    pub(crate) fn run(&self, argv: &[&str]) -> Option<Ran> {
        self.runner.and_then(|it| it(argv))
    }

    /// What a program prints, where it ends well.
    pub(crate) fn output(&self, argv: &[&str]) -> Option<String> {
        let ran = self.run(argv).filter(|it| it.rc == 0)?;
        Some(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_path_and_the_system_folders() {
        let place = Place::here(vec![("PATH".into(), "/nosuch:/bin".into())]);
        assert_eq!(place.program("sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(place.program("nosuchprogram"), None);
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_names() {
        let place = Place::here(Vec::new());
        assert_eq!(place.list("/nosuch"), Vec::<String>::new());
        assert_eq!(place.read("/nosuch"), None);
    }
}
