//! `ansible.builtin.copy`: puts files and folders on the host.
//!
//! What the controller sends arrives as the attachment `src`. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/copy_module.html>

use std::path::{Path, PathBuf};

use davit_module::{
    Access, Body, Content, FileArgs, Host, Module, ModuleError, Outcome, WriteOptions, mode_text,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::place::{self, Placing, Sums};

/// Puts files and folders on the host: from the controller, from the host itself, or from a text.
///
/// A relative `src` is looked for in the `files` folder of the role, then beside the play. A file
/// that has the content already is not written again.
///
/// ```yaml
/// - ansible.builtin.copy:
///     src: app.conf
///     dest: /etc/app.conf
///     owner: root
///     mode: '0644'
///     validate: app --check %s
/// - ansible.builtin.copy:
///     content: "hello {{ name }}\n"
///     dest: /etc/motd
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The file or folder to copy: on the controller, or with `remote_src` on the host.
    ///
    /// A folder that ends in `/` gives what is in it, otherwise the folder itself.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    src: Option<String>,
    /// What the file shall hold, in place of `src`. `dest` must then be a file.
    #[serde(default)]
    content: Option<String>,
    /// Where it goes on the host. A path that ends in `/` is a folder, and is made.
    #[schemars(extend("x-type" = "path"))]
    dest: String,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// Replace a file that differs. Without it, only what is not there is copied.
    #[serde(default = "yes")]
    force: bool,
    /// Decrypt a source that is a vault file. This is done on the controller.
    #[serde(default = "yes")]
    #[serde(rename = "decrypt")]
    _decrypt: bool,
    /// The mode of folders that are made. Without it, what the umask leaves.
    #[serde(default)]
    #[schemars(extend("x-type" = "raw"))]
    directory_mode: Value,
    /// `src` is on the host.
    #[serde(default, rename = "remote_src")]
    _remote_src: bool,
    /// Write to what a link at `dest` points to, instead of replacing the link.
    #[serde(default)]
    follow: bool,
    /// Copy what links in the source point to, instead of the links.
    #[serde(default)]
    local_follow: Option<bool>,
    /// The SHA-1 that the source must have.
    #[serde(default)]
    checksum: Option<String>,
    /// A program that must agree with the file before it is put in place; `%s` is its path.
    #[serde(default)]
    validate: Option<String>,
    /// The name that the controller's file has in a folder.
    #[serde(default, rename = "_original_basename")]
    #[schemars(extend("x-hidden" = true))]
    original_basename: Option<String>,
    #[serde(flatten)]
    file: FileArgs,
}

fn yes() -> bool {
    true
}

/// `ansible.builtin.copy`.
pub(crate) struct Copy;

impl Module for Copy {
    const NAME: &'static str = "ansible.builtin.copy";
    type Args = Args;

    fn run(host: &mut Host<'_>, mut args: Args) -> Result<Outcome, ModuleError> {
        if args.src.is_some() && args.content.is_some() {
            return Err(ModuleError::failed("src and content are mutually exclusive"));
        }
        if let Some(attachment) = host.attachment("src") {
            return place::put(host, &args.placing(), Content::from(attachment));
        }
        if let Some(content) = &args.content {
            let content = Content::from(content.clone().into_bytes());
            return place::put(host, &args.placing(), content);
        }
        let Some(src) = args.src.clone() else {
            return Err(ModuleError::failed("src (or content) is required"));
        };
        let Some(meta) = host.stat(Path::new(&src))? else {
            return Err(ModuleError::failed(format!("Source {src} not found")));
        };
        if !host.may(Path::new(&src), Access::Read) {
            return Err(ModuleError::failed(format!("Source {src} not readable")));
        }
        if args.file.mode == "preserve" {
            args.file.mode = mode_text(meta.mode.into()).into();
        }
        if meta.is_dir() {
            return copy_folder(host, &args, &src);
        }
        if !meta.is_file() {
            let msg = format!("Cannot copy invalid source '{src}': not a file");
            return Err(ModuleError::failed(msg));
        }
        copy_file(host, &args, &src)
    }
}

impl Args {
    fn placing(&self) -> Placing<'_> {
        let own = self.src.as_deref().and_then(|it| Path::new(it).file_name());
        let name = self
            .original_basename
            .clone()
            .or_else(|| own.map(|it| it.to_string_lossy().into_owned()));
        Placing {
            dest: &self.dest,
            name: name.filter(|_| self.content.is_none()),
            src: self.src.as_deref(),
            force: self.force,
            backup: self.backup,
            follow: self.follow,
            checksum: self.checksum.as_deref(),
            validate: self.validate.as_deref(),
            directory_mode: &self.directory_mode,
            file: &self.file,
        }
    }
}

/// Copies a file of the host.
fn copy_file(host: &mut Host<'_>, args: &Args, src: &str) -> Result<Outcome, ModuleError> {
    let content = content_of(host, Path::new(src))?;
    let sums = Sums::of(&content)?;
    if let Some(wanted) = args.checksum.as_deref().filter(|it| *it != sums.sha1) {
        return Err(place::mismatch(wanted).with("checksum", sums.sha1));
    }
    let name = Path::new(src).file_name().unwrap_or_default();
    let plain = Path::new(&args.dest);
    let mut dest = plain.to_path_buf();
    if args.dest.ends_with('/') {
        let folder = args.dest.trim_end_matches('/');
        place::make_folders(host, Path::new(folder), &args.directory_mode, &args.file)?;
        dest = plain.join(name);
    } else if host.is_dir(plain) {
        dest = plain.join(name);
    }
    if args.follow && host.is_link(&dest) && host.exists(&dest) {
        dest = host.real_path(&dest);
    }
    let parent = dest.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() && !host.exists(parent) {
        return Err(place::no_folder(parent));
    }
    let there = host.lstat(&dest)?;
    if there.is_some() && !args.force {
        return Ok(Outcome::new()
            .changed(false)
            .msg("file already exists")
            .with("src", src)
            .with("dest", &dest));
    }
    let differs = !there.is_some_and(|it| it.is_file()) || host.sha1(&dest)? != sums.sha1;
    let mut outcome = Outcome::new()
        .with("dest", &dest)
        .with("src", src)
        .with("checksum", &sums.sha1)
        .with("md5sum", &sums.md5);
    if differs {
        let options = WriteOptions {
            validate: args.validate.as_deref(),
            refuse: Some(place::refused),
            backup: args.backup,
            unsafe_writes: args.file.unsafe_writes,
        };
        if let Some(backup) = host.write(&dest, content, &options)?.backup_file {
            outcome.set("backup_file", backup);
        }
    }
    let changed = host.set_attributes(&dest, &args.file, None)?;
    Ok(outcome.changed(changed || differs))
}

/// The content of a file of the host, as it is or as it is predicted.
fn content_of(host: &Host<'_>, path: &Path) -> Result<Content, ModuleError> {
    match host.body(path)? {
        Body::Bytes(bytes) => Ok(Content::Bytes(bytes)),
        Body::File(real) => Ok(Content::File(real)),
        _ => Err(ModuleError::Unpredicted { path: path.to_path_buf() }),
    }
}

/// Copies a folder of the host with all that is in it.
fn copy_folder(host: &mut Host<'_>, args: &Args, src: &str) -> Result<Outcome, ModuleError> {
    let plain = Path::new(&args.dest);
    let into_itself = src.ends_with('/');
    let name = Path::new(src).file_name().unwrap_or_default();
    let mut shown = plain.to_path_buf();
    let there = host.lstat(plain)?.is_some();
    if there && !host.is_dir(plain) {
        return Err(ModuleError::failed(format!(
            "Task failed: Module failed: Could not replace '{dest}' with b'{src}': [Errno 20] \
                 Not a directory: b'{src}' -> b'{dest}'",
            dest = args.dest
        )));
    }
    if !into_itself && (there || args.dest.ends_with('/')) {
        shown = plain.join(name);
    }
    let top = if into_itself { plain.to_path_buf() } else { plain.join(name) };
    let mut changed = false;
    if !host.exists(&top) {
        changed = true;
        place::make_folders(host, &top, &Value::Null, &FileArgs::default())?;
        copy_mode(host, Path::new(src), &top)?;
    }
    changed |= copy_tree(host, args, Path::new(src), &top)?;
    if args.file.owner.is_some() || args.file.group.is_some() {
        changed |= own_tree(host, args, &top)?;
    }
    changed |= host.set_attributes(&shown, &args.file, None)?;
    let outcome = Outcome::new().changed(changed);
    // The path as the user wrote it, slash and all, where nothing was joined to it.
    let outcome = if shown == plain && into_itself && there {
        outcome.with("dest", format!("{}/", args.dest.trim_end_matches('/')))
    } else if shown == plain {
        outcome.with("dest", &args.dest)
    } else {
        outcome.with("dest", &shown)
    };
    Ok(outcome.with("src", src).with("checksum", None::<String>).with("md5sum", None::<String>))
}

fn copy_mode(host: &mut Host<'_>, from: &Path, to: &Path) -> Result<bool, ModuleError> {
    let Some(meta) = host.stat(from)? else { return Ok(false) };
    host.set_attributes(to, &FileArgs::of_mode(mode_text(meta.mode.into()).into()), None)
}

/// Brings all that is beneath `from` to `to`; true where something differed.
fn copy_tree(
    host: &mut Host<'_>,
    args: &Args,
    from: &Path,
    to: &Path,
) -> Result<bool, ModuleError> {
    let mut changed = false;
    let mut left: Vec<(PathBuf, PathBuf)> = vec![(from.to_path_buf(), to.to_path_buf())];
    while let Some((from, to)) = left.pop() {
        for name in host.read_dir(&from)? {
            let (from, to) = (from.join(&name), to.join(&name));
            let follow = args.local_follow.unwrap_or(false);
            let Some(meta) = (if follow { host.stat(&from)? } else { host.lstat(&from)? }) else {
                continue;
            };
            if meta.is_dir() {
                // A link may lead back up: what contains itself has no end.
                if follow && host.is_link(&from) && from.starts_with(host.real_path(&from)) {
                    continue;
                }
                if !host.exists(&to) {
                    host.make_dir(&to)?;
                    copy_mode(host, &from, &to)?;
                    changed = true;
                }
                left.push((from, to));
            } else if meta.is_link() {
                changed |= copy_link(host, &from, &to)?;
            } else if meta.is_file() {
                changed |= copy_one(host, args, &from, &to)?;
            }
        }
    }
    Ok(changed)
}

fn copy_link(host: &mut Host<'_>, from: &Path, to: &Path) -> Result<bool, ModuleError> {
    let target = host.read_link(from)?;
    if host.is_link(to) && host.read_link(to)? == target {
        return Ok(false);
    }
    host.symlink(&target, to).map_err(|err| ModuleError::io("link", to, err))?;
    Ok(true)
}

fn copy_one(host: &mut Host<'_>, args: &Args, from: &Path, to: &Path) -> Result<bool, ModuleError> {
    let there = host.lstat(to)?;
    if there.is_some() && !args.force {
        return Ok(false);
    }
    if there.is_some_and(|it| it.is_file()) && host.sha1(to)? == host.sha1(from)? {
        return Ok(false);
    }
    let content = content_of(host, from)?;
    host.write(to, content, &WriteOptions::default())?;
    copy_mode(host, from, to)?;
    Ok(true)
}

/// Gives all of a tree to the owner and group asked for.
fn own_tree(host: &mut Host<'_>, args: &Args, top: &Path) -> Result<bool, ModuleError> {
    let owner = FileArgs {
        owner: args.file.owner.clone(),
        group: args.file.group.clone(),
        ..FileArgs::default()
    };
    let mut changed = host.set_attributes(top, &owner, None)?;
    let mut left = vec![top.to_path_buf()];
    while let Some(folder) = left.pop() {
        for name in host.read_dir(&folder)? {
            let path = folder.join(name);
            changed |= host.set_attributes(&path, &owner, None)?;
            if host.lstat(&path)?.is_some_and(|it| it.is_dir()) {
                left.push(path);
            }
        }
    }
    Ok(changed)
}
