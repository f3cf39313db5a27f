//! `ansible.builtin.file`: files, folders and links, and what may be set on them.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/file_module.html>

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use davit_module::{
    FileArgs, FileDiff, FileKind, Host, Module, ModuleError, Outcome, Stamp, errno_text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::moment;

/// Makes files, folders, symbolic and hard links, or removes them, and sets owner, mode and times.
///
/// ```yaml
/// - name: A folder for the application
///   ansible.builtin.file:
///     path: /srv/app
///     state: directory
///     owner: app
///     mode: '0750'
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What it is about.
    #[schemars(extend("x-type" = "path", "x-aliases" = ["dest", "name"]))]
    path: PathBuf,
    /// What shall be there.
    ///
    /// Without it, what is there stays as it is; where nothing is, that is a failure, or with
    /// `recurse` a folder is made.
    #[serde(default)]
    state: Option<State>,
    /// Where a link points, as it is to be written in it; the file that a hard link names again.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    src: Option<String>,
    /// Set owner, mode and the like on all that is beneath a folder too.
    #[serde(default)]
    recurse: bool,
    /// Make a link though what it points to is not there, or in place of a file that is.
    #[serde(default)]
    force: bool,
    /// Change what a link points to instead of the link.
    #[serde(default = "yes")]
    follow: bool,
    /// When the content last changed: `preserve`, `now`, or a time in `modification_time_format`.
    #[serde(default)]
    modification_time: Option<String>,
    /// How `modification_time` is written, in the codes of `strftime`.
    #[serde(default = "format")]
    modification_time_format: String,
    /// When it was last read: `preserve`, `now`, or a time in `access_time_format`.
    #[serde(default)]
    access_time: Option<String>,
    /// How `access_time` is written, in the codes of `strftime`.
    #[serde(default = "format")]
    access_time_format: String,
    /// Whether only a look at the file is wanted, for a diff that the controller makes.
    #[serde(default, rename = "_diff_peek")]
    #[schemars(extend("x-hidden" = true))]
    #[expect(dead_code, reason = "taken, as the format knows it, and not needed")]
    diff_peek: Option<bool>,
    /// The name of the file that the controller sent.
    #[serde(default, rename = "_original_basename")]
    #[schemars(extend("x-hidden" = true))]
    original_basename: Option<String>,
    #[serde(flatten)]
    file: FileArgs,
}

fn yes() -> bool {
    true
}

fn format() -> String {
    "%Y%m%d%H%M.%S".to_owned()
}

/// What shall be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nothing: files, links, and folders with all that is in them are removed.
    Absent,
    /// A folder, with the folders above it.
    Directory,
    /// A file that is there already: only what may be set on it changes.
    File,
    /// A hard link.
    Hard,
    /// A symbolic link.
    Link,
    /// A file: an empty one is made, and one that is there gets the present time.
    Touch,
}

/// `ansible.builtin.file`.
pub(crate) struct File;

impl Module for File {
    const NAME: &'static str = "ansible.builtin.file";
    type Args = Args;

    fn run(host: &mut Host<'_>, mut args: Args) -> Result<Outcome, ModuleError> {
        if args.path.as_os_str().is_empty() {
            return nameless(&args);
        }
        let there = state_at(host, &args.path)?;
        let state = args.state.unwrap_or(match there {
            "absent" if args.recurse => State::Directory,
            "directory" => State::Directory,
            "link" => State::Link,
            "hard" => State::Hard,
            _ => State::File,
        });
        let refuse = |msg: &str, path: &Path| Err(ModuleError::failed(msg).with("path", path));
        if !matches!(state, State::Link | State::Absent) && host.is_dir(&args.path) {
            let source = args.src.as_deref().map(Path::new).and_then(Path::file_name);
            let name = args.original_basename.as_deref().map(OsStr::new).or(source);
            if let Some(name) = name.filter(|_| !matches!(state, State::Directory)) {
                args.path = args.path.join(name);
            }
        }
        if args.recurse && state != State::Directory {
            return refuse("recurse option requires state to be 'directory'", &args.path);
        }
        if args.src.is_some() && !matches!(state, State::Link | State::Hard) {
            return refuse("src option requires state to be 'link' or 'hard'", &args.path);
        }
        match state {
            State::File => attributes_only(host, &args),
            State::Directory => directory(host, &args),
            State::Link => link(host, &args),
            State::Hard => hard(host, &args),
            State::Touch => touch(host, &args),
            State::Absent => absent(host, &args),
        }
    }
}

/// An empty path is no path: nothing is there, and nothing can be made.
fn nameless(args: &Args) -> Result<Outcome, ModuleError> {
    let refuse = |msg: String| ModuleError::failed(msg).with("path", &args.path);
    match args.state.unwrap_or(State::File) {
        State::Absent => {
            Ok(Outcome::new().changed(false).with("path", &args.path).with("state", "absent"))
        }
        State::Touch => Err(refuse("Error, could not touch target.".to_owned())),
        State::Directory => {
            let why =
                "There was an issue creating  as requested: [Errno 2] No such file or directory";
            Err(refuse(format!("{why}: b''")))
        }
        State::Link if !args.force && args.src.is_some() => {
            let src = args.src.as_deref().unwrap_or_default();
            let why =
                "src file does not exist, use 'force=yes' if you really want to create the link";
            Err(refuse(format!("{why}: {src}")).with("src", src))
        }
        State::File | State::Link | State::Hard => {
            Err(refuse("file () is absent, cannot continue".to_owned()).with("state", "absent"))
        }
    }
}

/// The word for what stands at a path.
fn state_at(host: &Host<'_>, path: &Path) -> Result<&'static str, ModuleError> {
    let there = match host.meta(path, false) {
        // What may not be looked at counts as not there.
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => None,
        _ => host.lstat(path)?,
    };
    Ok(match there {
        None => "absent",
        Some(meta) if meta.is_link() => "link",
        Some(meta) if meta.is_dir() => "directory",
        Some(meta) if meta.nlink > 1 => "hard",
        Some(_) => "file",
    })
}

/// The diff of a path that goes from one state to another.
fn state_diff(path: &Path, after: &str, before: &str) -> FileDiff {
    let mut diff = FileDiff::of(&path.to_string_lossy());
    if before != after {
        diff.set("state", before, after);
    }
    diff
}

fn bytes(path: &Path) -> String {
    format!("b'{}'", path.display())
}

/// The path that attributes are set on, and what stands there.
fn followed(host: &Host<'_>, args: &Args) -> Result<(PathBuf, &'static str), ModuleError> {
    let there = state_at(host, &args.path)?;
    if args.follow && there == "link" {
        let path = host.real_path(&args.path);
        let there = state_at(host, &path)?;
        return Ok((path, there));
    }
    Ok((args.path.clone(), there))
}

fn attributes_only(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let (path, there) = followed(host, args)?;
    if !matches!(there, "file" | "hard") {
        let msg = format!("file ({}) is {there}, cannot continue", path.display());
        return Err(ModuleError::failed(msg).with("path", &path).with("state", there));
    }
    let mut diff = FileDiff::of(&path.to_string_lossy());
    let mut changed = host.set_attributes(&path, &args.file, Some(&mut diff))?;
    changed |= set_times(host, args, &path, None, &mut diff)?;
    Ok(Outcome::new().changed(changed).with("path", &path).with("diff", diff))
}

fn directory(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let (path, there) = followed(host, args)?;
    let mut diff = state_diff(&path, "directory", there);
    let mut changed = false;
    if there == "absent" {
        make_folders(host, args, &path, &mut diff)?;
        changed = true;
    } else if there != "directory" {
        let msg = format!("{} already exists as a {there}", path.display());
        return Err(ModuleError::failed(msg).with("path", &path));
    }
    changed |= host.set_attributes(&path, &args.file, Some(&mut diff))?;
    changed |= set_times(host, args, &path, None, &mut diff)?;
    if args.recurse {
        changed |= recurse(host, args, &path)?;
    }
    Ok(Outcome::new().changed(changed).with("path", &path).with("diff", diff))
}

/// Makes a folder and those above it, each with the attributes asked for.
fn make_folders(
    host: &mut Host<'_>,
    args: &Args,
    path: &Path,
    diff: &mut FileDiff,
) -> Result<(), ModuleError> {
    let mut sofar = PathBuf::new();
    for part in path.components() {
        sofar.push(part);
        if matches!(part, Component::RootDir | Component::CurDir) || host.exists(&sofar) {
            continue;
        }
        if let Err(err) = host.make_dir_raw(&sofar) {
            // Somebody else may have made it just now.
            if err.kind() == io::ErrorKind::AlreadyExists && host.is_dir(&sofar) {
                continue;
            }
            let msg = format!(
                "There was an issue creating {} as requested: {}: {}",
                sofar.display(),
                errno_text(&err),
                bytes(&sofar)
            );
            return Err(ModuleError::failed(msg).with("path", path));
        }
        let mut own = FileDiff::default();
        let own = if sofar == path { &mut *diff } else { &mut own };
        host.set_attributes(&sofar, &args.file, Some(own))?;
    }
    Ok(())
}

/// Sets attributes on all that is beneath a folder.
fn recurse(host: &mut Host<'_>, args: &Args, top: &Path) -> Result<bool, ModuleError> {
    let mut changed = false;
    let mut left = vec![top.to_path_buf()];
    while let Some(folder) = left.pop() {
        for name in host.read_dir(&folder)? {
            let path = folder.join(name);
            let Some(meta) = host.lstat(&path)? else { continue };
            if meta.is_link() {
                // The mode of a link cannot be set, but who owns it can.
                changed |= host.set_attributes(&path, &args.file, None)?;
                if args.follow && host.exists(&path) {
                    let target = host.real_path(&path);
                    changed |= host.set_attributes(&target, &args.file, None)?;
                    if host.is_dir(&target) && !target.starts_with(top) {
                        left.push(target);
                    }
                }
                continue;
            }
            changed |= host.set_attributes(&path, &args.file, None)?;
            changed |= set_times(host, args, &path, None, &mut FileDiff::default())?;
            if meta.is_dir() {
                left.push(path);
            }
        }
    }
    Ok(changed)
}

fn absent(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let there = state_at(host, &args.path)?;
    let outcome = Outcome::new().with("path", &args.path).with("state", "absent");
    if there == "absent" {
        return Ok(outcome.changed(false));
    }
    let mut diff = state_diff(&args.path, "absent", there);
    if there == "directory" && host.wants_diff() {
        let content = content_of(host, &args.path);
        diff.before.insert("path_content".to_owned(), content);
    }
    host.remove(&args.path).map_err(|err| {
        if there != "directory" {
            return ModuleError::failed("Unlinking failed.").with("path", &args.path);
        }
        let path = args.path.display();
        ModuleError::failed(format!("rmtree failed: {}: '{path}'", errno_text(&err)))
    })?;
    Ok(outcome.changed(true).with("diff", diff))
}

/// All that is beneath a folder, by kind.
fn content_of(host: &Host<'_>, top: &Path) -> serde_json::Value {
    // Names need not be UTF-8, and results are.
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    let mut left = vec![top.to_path_buf()];
    while let Some(folder) = left.pop() {
        // What may not be looked at is left out, and refused when it is to go.
        for name in host.read_dir(&folder).unwrap_or_default() {
            let path = folder.join(name);
            match host.lstat(&path).unwrap_or_default() {
                Some(meta) if meta.is_dir() => {
                    folders.push(shown(&path));
                    left.push(path);
                }
                Some(meta) if meta.is_link() && host.is_dir(&path) => {
                    folders.push(shown(&path));
                }
                Some(_) => files.push(shown(&path)),
                None => {}
            }
        }
    }
    json!({"directories": folders, "files": files})
}

fn link(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let path = &args.path;
    let there = state_at(host, path)?;
    let mut src = args.src.clone();
    if src.is_none() && args.follow && there == "link" && host.exists(path) {
        src = Some(host.read_link(path)?.to_string_lossy().into_owned());
    }
    if src.is_none() && matches!(there, "file" | "hard" | "directory") && args.follow {
        // The original reads a link here without asking whether it is one.
        let msg =
            format!("Task failed: Module failed: [Errno 22] Invalid argument: {}", bytes(path));
        return Err(ModuleError::failed(msg));
    }
    if src.is_none() && matches!(there, "file" | "hard" | "directory") {
        let msg = format!("refusing to convert from {there} to symlink for {}", path.display());
        return Err(ModuleError::failed(msg).with("path", path));
    }
    if src.is_none() && there != "link" {
        return Err(ModuleError::failed("src is required for creating new symlinks"));
    }
    if let Some(src) = &src {
        may_link(host, args, there, src)?;
    }
    let mut diff = state_diff(path, "link", there);
    let mut changed = false;
    if let Some(src) = &src {
        changed = there != "link" || host.read_link(path)?.as_os_str() != src.as_str();
    }
    if let Some(src) = src.as_ref().filter(|_| changed) {
        if there == "link" {
            let before = host.read_link(path)?;
            diff.set("src", before.to_string_lossy().into_owned(), src.as_str());
        }
        let made = if there == "directory" { host.remove(path) } else { Ok(()) };
        made.and_then(|()| host.symlink(Path::new(src), path)).map_err(|err| {
            let verb = if there == "absent" { "linking" } else { "replacing" };
            ModuleError::failed(format!(
                "Error while {verb}: {}: {} -> {}",
                errno_text(&err),
                bytes(Path::new(src)),
                bytes(path)
            ))
            .with("path", path)
        })?;
    }
    if args.follow && host.is_link(path) && !host.exists(path) {
        host.warn(
            "Cannot set fs attributes on a non-existent symlink target. follow should be set to \
             False to avoid this.",
        );
    } else {
        let target = if args.follow { host.real_path(path) } else { path.clone() };
        changed |= host.set_attributes(&target, &args.file, Some(&mut diff))?;
        changed |= set_times(host, args, &target, None, &mut diff)?;
    }
    Ok(Outcome::new().changed(changed).with("dest", path).with("src", src).with("diff", diff))
}

/// Whether a symbolic link may take the place of what is there.
fn may_link(host: &Host<'_>, args: &Args, there: &str, src: &str) -> Result<(), ModuleError> {
    let path = &args.path;
    // What ends in a slash is a folder, even where there is none.
    let inside = there == "directory" || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let beside = if inside { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
    let target = beside.join(src);
    if !args.force && !host.exists(&target) {
        let msg = format!(
            "src file does not exist, use 'force=yes' if you really want to create the link: {}",
            target.display()
        );
        return Err(ModuleError::failed(msg).with("path", path).with("src", src));
    }
    let refuse = |msg: String| Err(ModuleError::failed(msg).with("path", path));
    match there {
        "directory" | "file" | "hard" if !args.force => {
            refuse(format!("refusing to convert from {there} to symlink for {}", path.display()))
        }
        "directory" if !host.read_dir(path)?.is_empty() => {
            refuse(format!("the directory {} is not empty, refusing to convert it", path.display()))
        }
        _ => Ok(()),
    }
}

fn hard(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let path = &args.path;
    let there = state_at(host, path)?;
    let Some(src) = &args.src else {
        if there != "hard" {
            return Err(ModuleError::failed("src is required for creating new hardlinks"));
        }
        let mut diff = state_diff(path, "hard", there);
        let mut changed = host.set_attributes(path, &args.file, Some(&mut diff))?;
        changed |= set_times(host, args, path, None, &mut diff)?;
        return Ok(Outcome::new()
            .changed(changed)
            .with("dest", path)
            .with("src", None::<String>)
            .with("diff", diff));
    };
    let from = Path::new(src);
    let refuse = |msg: String| Err(ModuleError::failed(msg).with("dest", path).with("src", src));
    let Some(source) = host.stat(from)? else { return refuse("src does not exist".to_owned()) };
    let mut diff = state_diff(path, "hard", there);
    let own = host.lstat(path)?;
    let same = own.as_ref().is_some_and(|it| {
        it.ino != 0 && (it.ino, it.dev) == (source.ino, source.dev) && it.kind == FileKind::File
    });
    if same && !args.force && there == "file" {
        return refuse("Cannot link, file exists at destination".to_owned());
    }
    if !same && !args.force {
        match there {
            "hard" => {
                return refuse("Cannot link, different hard link exists at destination".to_owned());
            }
            "file" => return refuse(format!("Cannot link, {there} exists at destination")),
            "directory" => {
                return refuse("Cannot link: different hard link exists at destination".to_owned());
            }
            _ => {}
        }
    }
    let mut changed = !same;
    if changed {
        if there == "link" {
            let before = host.read_link(path)?;
            diff.set("src", before.to_string_lossy().into_owned(), src.as_str());
        }
        host.hard_link(from, path).map_err(|err| {
            let verb = if there == "absent" { "linking" } else { "replacing" };
            ModuleError::failed(format!(
                "Error while {verb}: {}: {} -> {}",
                errno_text(&err),
                bytes(from),
                bytes(path)
            ))
            .with("path", path)
        })?;
    }
    changed |= host.set_attributes(path, &args.file, Some(&mut diff))?;
    changed |= set_times(host, args, path, None, &mut diff)?;
    Ok(Outcome::new().changed(changed).with("dest", path).with("src", src).with("diff", diff))
}

fn touch(host: &mut Host<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let there = state_at(host, &args.path)?;
    let mut path = args.path.clone();
    if args.follow && there == "link" {
        path = host.real_path(&path);
    }
    let mut diff = state_diff(&args.path, "touch", there);
    let mut changed = false;
    if there == "absent" {
        let mode = 0o666 & !host.umask();
        host.make_file(&path, mode).map_err(|_| {
            ModuleError::failed("Error, could not touch target.").with("path", &path)
        })?;
        changed = true;
    }
    let set = host.set_attributes(&path, &args.file, Some(&mut diff)).and_then(|attributes| {
        Ok(attributes | set_times(host, args, &path, Some("now"), &mut diff)?)
    });
    match set {
        Ok(set) => changed |= set,
        Err(error) => {
            if there == "absent" {
                // What cannot be as asked for is not left behind; the first failure is the one to tell.
                let _ = host.remove(&path);
            }
            return Err(error);
        }
    }
    Ok(Outcome::new().changed(changed).with("dest", &args.path).with("diff", diff))
}

/// Sets the times asked for, or else `default`; true where that changes them.
fn set_times(
    host: &mut Host<'_>,
    args: &Args,
    path: &Path,
    default: Option<&str>,
    diff: &mut FileDiff,
) -> Result<bool, ModuleError> {
    let wanted = |said: &Option<String>, format: &str| -> Result<Option<Stamp>, ModuleError> {
        match said.as_deref().or(default) {
            None | Some("preserve") => Ok(None),
            Some("now") => Ok(Some(Stamp::now())),
            Some(text) => moment::parse(text, format).map(Some).map_err(|why| {
                ModuleError::failed(format!(
                    "Error while obtaining timestamp for time {text} using format {format}: {why}"
                ))
            }),
        }
    };
    let mtime = wanted(&args.modification_time, &args.modification_time_format)?;
    let atime = wanted(&args.access_time, &args.access_time_format)?;
    if mtime.is_none() && atime.is_none() {
        return Ok(false);
    }
    let fail = |why: String| {
        let what = "Error while updating modification or access time";
        ModuleError::failed(format!("{what}: {why}")).with("path", path)
    };
    let unseen = |err: &io::Error| fail(format!("{}: {}", errno_text(err), bytes(path)));
    let absent = || unseen(&io::Error::from_raw_os_error(nix::libc::ENOENT));
    let there = host.meta(path, true).map_err(|err| unseen(&err))?;
    let Some(before) = there else { return Err(absent()) };
    let mut changed = false;
    for (key, wanted, was) in [("mtime", mtime, before.mtime), ("atime", atime, before.atime)] {
        if let Some(wanted) = wanted.filter(|it| *it != was) {
            diff.set(key, was.seconds(), wanted.seconds());
            changed = true;
        }
    }
    if changed {
        host.set_times(path, atime.unwrap_or(before.atime), mtime.unwrap_or(before.mtime))
            .map_err(|err| fail(errno_text(&err)))?;
    }
    Ok(changed)
}
