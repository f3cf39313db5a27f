//! `ansible.builtin.unarchive`: unpacks an archive into a folder.
//!
//! An archive of the controller's arrives as the attachment `src`. No program is needed on the
//! host: the archive is read here.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/unarchive_module.html>

use std::io;
use std::path::{Path, PathBuf};

use davit_module::{
    Access, Attachment, FileArgs, Host, Module, ModuleError, Outcome, Rules, Support, errno_text,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::sys::archive::{Format, Packing};
use crate::sys::http::download::Download;
use crate::sys::tar_options::Options;
use crate::sys::unpack::{Plan, UnpackError};

/// The name of the attachment that holds the archive.
const ATTACHMENT: &str = "src";

/// Unpacks an archive into a folder: tar, plain or packed with gzip, bzip2, xz or zstd, and zip.
///
/// The archive comes from the controller unless `remote_src` says that it is on the host already.
/// What the folder holds besides the archive's members is left alone. Where all members are there
/// as the archive has them, nothing is changed.
///
/// ```yaml
/// - name: Unpack an archive that is beside the playbook
///   ansible.builtin.unarchive:
///     src: app.tar.gz
///     dest: /opt/app
///     extra_opts: [--strip-components=1]
///
/// - name: Unpack one that is on the host
///   ansible.builtin.unarchive:
///     src: /srv/tool.zip
///     dest: /usr/local/bin
///     remote_src: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The archive: a path on the controller, or with `remote_src` one on the host, or the address that the host fetches it from.
    #[schemars(extend("x-type" = "path"))]
    src: String,
    /// The folder on the host. It must be there.
    #[schemars(extend("x-type" = "path"))]
    dest: String,
    /// The archive is on the host.
    #[serde(default)]
    remote_src: bool,
    /// The archive comes from the controller: the opposite of `remote_src`, which is to be used in
    /// its place.
    #[serde(default = "yes")]
    copy: bool,
    /// A path on the host: where something is there, nothing is unpacked.
    #[schemars(extend("x-type" = "path"))]
    creates: Option<String>,
    /// Tell the names of what is in the archive.
    #[serde(default)]
    list_files: bool,
    /// Leave files that are newer than those of the archive.
    #[serde(default)]
    keep_newer: bool,
    /// Names or shell patterns to leave out. Not together with `include`.
    #[serde(default)]
    exclude: Vec<String>,
    /// Names to unpack, and nothing else.
    #[serde(default)]
    include: Vec<String>,
    /// Options of `tar` or `unzip`, each a word of its own. Those that say what is unpacked, where
    /// and how are followed (`--strip-components`, `--transform`, `--exclude`, `--no-same-owner`,
    /// `-j` ...); one that is not known is an error.
    #[serde(default)]
    extra_opts: Vec<String>,
    /// Has no effect: the size of buffers is chosen by itself.
    #[serde(default = "buffer_size", rename = "io_buffer_size")]
    _io_buffer_size: i64,
    /// Check the certificate of a server that an archive comes from.
    #[serde(default = "yes")]
    validate_certs: bool,
    /// Decrypt an archive of the controller's that is kept in a vault.
    #[serde(default = "yes", rename = "decrypt")]
    _decrypt: bool,
    #[serde(flatten)]
    file: FileArgs,
}

fn yes() -> bool {
    true
}

fn buffer_size() -> i64 {
    65_536
}

/// `ansible.builtin.unarchive`.
pub(crate) struct Unarchive;

impl Module for Unarchive {
    const NAME: &'static str = "ansible.builtin.unarchive";
    type Args = Args;
    const RULES: Rules = Rules { mutually_exclusive: &[&["include", "exclude"]], ..Rules::NONE };
    const CHECK_MODE: Support = Support::Partial;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let creates = args.creates.as_deref().filter(|it| !it.is_empty());
        if let Some(path) = creates.filter(|it| host.exists(Path::new(it))) {
            let msg = format!("skipped, since {path} exists");
            return Ok(Outcome::new().changed(false).with("skipped", true).msg(msg));
        }
        let source = Source::of(host, &args)?;
        let archive = source.path.as_path();
        let dest = PathBuf::from(&args.dest);
        if !host.is_dir(&dest) {
            return Err(ModuleError::failed(format!(
                "dest '{}' must be an existing dir",
                args.dest
            )));
        }
        let unreadable = |err: io::Error| no_handler(&args.src, &err.to_string());
        let format = Format::of(archive)
            .map_err(unreadable)?
            .ok_or_else(|| no_handler(&args.src, "it is neither a tar nor a zip"))?;
        let mut options = Options::parse(&args.extra_opts, format == Format::Zip)
            .map_err(|why| no_handler(&args.src, &why))?;
        options.keep_newer |= args.keep_newer;
        let plan = Plan {
            archive,
            format,
            dest: &dest,
            include: &args.include,
            exclude: &args.exclude,
            options,
            file: &args.file,
        };
        let fail = |err: UnpackError| match err {
            UnpackError::Module(ModuleError::Io { source, .. }) => {
                let msg = format!("failed to unpack {} to {}", args.src, args.dest);
                ModuleError::failed(msg)
                    .with("handler", handler(format))
                    .with("dest", &args.dest)
                    .with("src", &args.src)
                    .with("details", errno_text(&source))
            }
            UnpackError::Module(err) => err,
            UnpackError::Archive(err) => ModuleError::failed(format!(
                "failed to unpack {} to {}: {err}",
                args.src, args.dest
            )),
        };
        let difference = plan.compare(host).map_err(fail)?;
        if let Some(name) = difference.missing.first() {
            return Err(no_handler(&args.src, &format!("{name}: Not found in archive")));
        }
        let mut changed = !difference.lines.is_empty();
        let mut outcome = Outcome::new()
            .with("handler", handler(format))
            .with("dest", &args.dest)
            .with("src", source.shown.as_str());
        if changed {
            plan.unpack(host, &difference).map_err(fail)?;
            if !host.is_check() {
                let empty: [&str; 0] = [];
                let results = json!({ "cmd": empty, "rc": 0, "out": "", "err": "" });
                outcome.set("extract_results", results);
            }
            if format == Format::Zip {
                let lines: String = difference.lines.iter().map(|it| format!("{it}\n")).collect();
                outcome.set("diff", json!({ "prepared": lines }));
            }
        }
        changed |= plan.set_attributes(host, &difference.files)?;
        if host.is_check() && format != Format::Zip {
            // Playbooks know tars as skipped in check mode; later tasks see what is predicted.
            let msg = "remote module (ansible.legacy.unarchive) does not support check mode when \
                       using gtar";
            return Ok(Outcome::new().changed(false).with("skipped", true).msg(msg));
        }
        if args.list_files {
            outcome.set("files", &difference.files);
        }
        Ok(outcome.changed(changed))
    }
}

/// The name of what reads a format, as results tell it.
fn handler(format: Format) -> &'static str {
    match format {
        Format::Zip => "ZipArchive",
        Format::Tar(Packing::Gzip) => "TgzArchive",
        Format::Tar(_) => "TarArchive",
    }
}

fn no_handler(src: &str, why: &str) -> ModuleError {
    ModuleError::failed(format!(
        "Failed to find handler for \"{src}\". Make sure the required command to extract the file \
         is installed.\n{why}"
    ))
}

/// Where the archive is for the time of the call.
struct Source {
    path: PathBuf,
    /// As the result tells it.
    shown: String,
    /// Holds an archive that was sent along or fetched, until the call is over.
    _file: Option<Kept>,
}

/// A file of the call's own.
enum Kept {
    Sent(#[expect(dead_code, reason = "it goes away with this")] tempfile::NamedTempFile),
    Fetched(#[expect(dead_code, reason = "it goes away with this")] Download),
}

impl Source {
    fn of(host: &Host<'_>, args: &Args) -> Result<Self, ModuleError> {
        let src = &args.src;
        let on_host = args.remote_src || !args.copy;
        let (path, file) = match host.attachment(ATTACHMENT).filter(|_| !on_host) {
            Some(Attachment::Path(path)) => (path.clone(), None),
            Some(sent) => {
                let make = || -> io::Result<tempfile::NamedTempFile> {
                    let mut file = tempfile::NamedTempFile::new_in(host.tmp())?;
                    io::copy(&mut sent.open()?, &mut file)?;
                    Ok(file)
                };
                let file = make().map_err(|err| ModuleError::io("write", host.tmp(), err))?;
                (file.path().to_path_buf(), Some(Kept::Sent(file)))
            }
            None if !on_host => {
                return Err(ModuleError::failed(format!("Source '{src}' failed to transfer")));
            }
            None if src.contains("://") => {
                let fetched = Download::fetch(host, src, args.validate_certs)?;
                (fetched.path().to_path_buf(), Some(Kept::Fetched(fetched)))
            }
            None => (host.at(Path::new(src)), None),
        };
        let shown = path.display().to_string();
        let Ok(Some(meta)) = host.meta(&path, true) else {
            return Err(ModuleError::failed(format!("Source '{shown}' does not exist")));
        };
        if !host.may(&path, Access::Read) {
            return Err(ModuleError::failed(format!("Source '{shown}' not readable")));
        }
        if meta.size == 0 {
            return Err(ModuleError::failed(format!(
                "Invalid archive '{shown}', the file is 0 bytes"
            )));
        }
        Ok(Self { path, shown, _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use davit_module::{Call, Entry, Reply, Session};
    use serde_json::Value;

    use super::*;

    fn tar_bytes() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |name: &str, kind: tar::EntryType, text: &str, mode: u32| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_mtime(1_600_000_000);
            header.set_uid(u64::from(nix::unistd::geteuid().as_raw()));
            header.set_gid(u64::from(nix::unistd::getegid().as_raw()));
            if kind == tar::EntryType::Symlink {
                header.set_size(0);
                builder.append_link(&mut header, name, text).unwrap();
            } else {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, name, text.as_bytes()).unwrap();
            }
        };
        add("top/", tar::EntryType::Directory, "", 0o755);
        add("top/a.txt", tar::EntryType::Regular, "one\n", 0o644);
        add("top/sub/run.sh", tar::EntryType::Regular, "#!/bin/sh\n", 0o755);
        add("top/link", tar::EntryType::Symlink, "a.txt", 0o777);
        builder.into_inner().unwrap()
    }

    fn zip_bytes() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
        writer.add_directory("top/", options.unix_permissions(0o755)).unwrap();
        writer.start_file("top/a.txt", options).unwrap();
        writer.write_all(b"one\n").unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn run(dest: &Path, bytes: &[u8], mut args: Value, check: bool) -> Reply {
        args["src"] = "a.tgz".into();
        args["dest"] = dest.to_str().unwrap().into();
        let mut call =
            Call { args: args.as_object().unwrap().clone(), check, diff: true, ..Call::default() };
        call.attachments.insert(ATTACHMENT.to_owned(), Attachment::Bytes(bytes.to_vec().into()));
        Entry::of::<Unarchive>().call(&Session::default(), &call)
    }

    #[test]
    fn a_second_unpacking_changes_nothing() {
        for (bytes, handler) in [
            (tar_bytes(), "TarArchive"),
            (gzip(&tar_bytes()), "TgzArchive"),
            (zip_bytes(), "ZipArchive"),
        ] {
            let dest = tempfile::tempdir().unwrap();
            let first = run(dest.path(), &bytes, json!({}), false);
            assert_eq!(first["changed"], true, "{first:?}");
            assert_eq!(first["handler"], handler);
            assert_eq!(fs::read_to_string(dest.path().join("top/a.txt")).unwrap(), "one\n");
            let second = run(dest.path(), &bytes, json!({"list_files": true}), false);
            assert_eq!(second["changed"], false, "{second:?}");
            assert_eq!(second["files"][1], "top/a.txt");
            fs::write(dest.path().join("top/a.txt"), "two\n").unwrap();
            assert_eq!(run(dest.path(), &bytes, json!({}), false)["changed"], true);
            assert_eq!(fs::read_to_string(dest.path().join("top/a.txt")).unwrap(), "one\n");
        }
    }

    #[test]
    fn check_mode_touches_nothing() {
        let dest = tempfile::tempdir().unwrap();
        let reply = run(dest.path(), &tar_bytes(), json!({}), true);
        assert_eq!(reply["skipped"], true, "{reply:?}");
        let reply = run(dest.path(), &zip_bytes(), json!({}), true);
        assert_eq!(reply["changed"], true, "{reply:?}");
        assert_eq!(reply["diff"]["prepared"], ">d++++++.?? top/\n>f++++++.?? top/a.txt\n");
        assert_eq!(fs::read_dir(dest.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_may_be_chosen_and_changed() {
        let check = |args: Value, expect: &[&str]| {
            let dest = tempfile::tempdir().unwrap();
            let mut args = args;
            args["list_files"] = true.into();
            let reply = run(dest.path(), &tar_bytes(), args.clone(), false);
            assert_eq!(reply.get("files"), Some(&json!(expect)), "{args}: {reply:?}");
        };
        check(json!({}), &["top/", "top/a.txt", "top/sub/run.sh", "top/link"]);
        check(json!({"extra_opts": ["--strip-components=1"]}), &["a.txt", "sub/run.sh", "link"]);
        check(json!({"exclude": ["top/sub"]}), &["top/", "top/a.txt", "top/link"]);
        check(json!({"include": ["top/a.txt"]}), &["top/a.txt"]);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let check = |bytes: &[u8], args: Value, expect: &str| {
            let dest = tempfile::tempdir().unwrap();
            let reply = run(dest.path(), bytes, args.clone(), false);
            let msg = reply["msg"].as_str().unwrap_or_default();
            assert!(reply["failed"] == true && msg.contains(expect), "{args}: {reply:?}");
        };
        check(b"text\n", json!({}), "Failed to find handler for \"a.tgz\".");
        check(&tar_bytes(), json!({"extra_opts": ["--bogus"]}), "unrecognized option '--bogus'");
        check(&tar_bytes(), json!({"include": ["nosuch"]}), "nosuch: Not found in archive");
        check(b"", json!({}), "the file is 0 bytes");
        check(
            &tar_bytes(),
            json!({"include": ["a"], "exclude": ["b"]}),
            "parameters are mutually exclusive: include|exclude",
        );
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind) in [("x", tar::EntryType::Symlink), ("x/y", tar::EntryType::Regular)] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            if kind == tar::EntryType::Symlink {
                builder.append_link(&mut header, name, "/tmp").unwrap();
            } else {
                builder.append_data(&mut header, name, &b""[..]).unwrap();
            }
        }
        check(&builder.into_inner().unwrap(), json!({}), "beneath a link of the archive");
    }
}
