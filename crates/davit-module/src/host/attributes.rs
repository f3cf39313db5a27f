//! Mode, owner, group, flags and security context: what may be set on any file.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use davit_event::Reply;
use nix::unistd::{Gid, Uid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Host;
use super::keys::mode_text;
use super::mode::Mode;
use super::program::Program;
use crate::ModuleError;
use crate::names::{User, group_number};
use crate::session::ChangeKind;

/// What may be set on any file: flatten it into a module's arguments.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct FileArgs {
    /// Permission bits: an octal text such as `'0644'`, or symbolic such as `u=rw,g=r,o=`.
    ///
    /// Quote octal modes: without quotes YAML may read another number than the one meant. Without
    /// this argument, existing files keep theirs and new ones get what the umask leaves.
    #[serde(default)]
    #[schemars(extend("x-type" = "raw"))]
    pub mode: Value,
    /// Name or number of the user who shall own the file.
    #[serde(default)]
    pub owner: Option<String>,
    /// Name or number of the group that shall own the file.
    #[serde(default)]
    pub group: Option<String>,
    /// User part of the security context; `_default` takes what the policy says.
    #[serde(default)]
    pub seuser: Option<String>,
    /// Role part of the security context; `_default` takes what the policy says.
    #[serde(default)]
    pub serole: Option<String>,
    /// Type part of the security context; `_default` takes what the policy says.
    #[serde(default)]
    pub setype: Option<String>,
    /// Level part of the security context; `_default` takes what the policy says.
    #[serde(default)]
    pub selevel: Option<String>,
    /// Flags of the file system, as `chattr` takes them: `+i`, `-A`, `=ae`. No sign means `=`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["attr"]))]
    pub attributes: Option<String>,
    /// Write in place where the file cannot be replaced in one step, such as one that is mounted
    /// into a container. Readers may then see half of it.
    #[serde(default)]
    pub unsafe_writes: bool,
}

impl FileArgs {
    /// Only a mode.
    #[must_use]
    pub fn of_mode(mode: Value) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Whether any of it is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mode.is_null()
            && [&self.owner, &self.group, &self.seuser, &self.serole, &self.setype, &self.selevel]
                .iter()
                .all(|it| it.is_none())
            && self.attributes.is_none()
    }
}

/// What a change did to a path's attributes: the two halves of a result's `diff`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileDiff {
    /// Keys as they were.
    pub before: Reply,
    /// Keys as they are now.
    pub after: Reply,
}

impl FileDiff {
    /// The diff of `path`, in which nothing differs yet.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let mut diff = Self::default();
        diff.set("path", path, path);
        diff
    }

    /// Says that `key` differs.
    pub fn set(&mut self, key: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(key.to_owned(), before.into());
        self.after.insert(key.to_owned(), after.into());
    }
}

impl Host<'_> {
    /// Sets what `args` ask for on `path` itself (a link is not followed); true where that
    /// changes something.
    ///
    /// # Errors
    /// Where a name or mode means nothing, or the system refuses.
    pub fn set_attributes(
        &mut self,
        path: &Path,
        args: &FileArgs,
        diff: Option<&mut FileDiff>,
    ) -> Result<bool, ModuleError> {
        let mut own = FileDiff::default();
        let diff = diff.unwrap_or(&mut own);
        let mut changed = self.set_context(path, args, diff)?;
        if let Some(owner) = args.owner.as_deref() {
            changed |= self.set_owner(path, owner, diff)?;
        }
        if let Some(group) = args.group.as_deref() {
            changed |= self.set_group(path, group, diff)?;
        }
        changed |= self.set_mode(path, &args.mode, diff)?;
        if let Some(flags) = args.attributes.as_deref().filter(|it| !it.is_empty()) {
            changed |= self.set_flags(path, flags, diff)?;
        }
        self.changed |= changed;
        Ok(changed)
    }

    fn set_owner(
        &mut self,
        path: &Path,
        owner: &str,
        diff: &mut FileDiff,
    ) -> Result<bool, ModuleError> {
        let fail = |msg: String| ModuleError::failed(msg).with("path", path);
        let uid = match owner.parse::<u32>() {
            Ok(uid) => uid,
            Err(_) => match User::named(owner) {
                Some(user) => user.uid,
                None => return Err(fail(format!("chown failed: failed to look up user {owner}"))),
            },
        };
        let before = self.must_lstat(path)?;
        if before.uid == uid {
            return Ok(false);
        }
        diff.set("owner", before.uid, uid);
        if self.overlay().is_some() {
            self.predicted_change(path, |node| node.meta.uid = uid)?;
        } else {
            let place = self.at(path);
            self.journalled(ChangeKind::Attributes, path, |_| lchown(place, Some(uid), None))
                .map_err(|_| fail("chown failed".to_owned()))?;
        }
        Ok(true)
    }

    fn set_group(
        &mut self,
        path: &Path,
        group: &str,
        diff: &mut FileDiff,
    ) -> Result<bool, ModuleError> {
        let fail = |msg: String| ModuleError::failed(msg).with("path", path);
        let gid = match group.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => match group_number(group) {
                Some(gid) => gid,
                None => return Err(fail(format!("chgrp failed: failed to look up group {group}"))),
            },
        };
        let before = self.must_lstat(path)?;
        if before.gid == gid {
            return Ok(false);
        }
        diff.set("group", before.gid, gid);
        if self.overlay().is_some() {
            self.predicted_change(path, |node| node.meta.gid = gid)?;
        } else {
            let place = self.at(path);
            self.journalled(ChangeKind::Attributes, path, |_| lchown(place, None, Some(gid)))
                .map_err(|_| fail("chgrp failed".to_owned()))?;
        }
        Ok(true)
    }

    /// Sets the permission bits of `path`; true where that changes them.
    ///
    /// # Errors
    /// Where `mode` is none, or the system refuses.
    fn set_mode(
        &mut self,
        path: &Path,
        mode: &Value,
        diff: &mut FileDiff,
    ) -> Result<bool, ModuleError> {
        let parsed = Mode::parse(mode).map_err(|err| {
            ModuleError::failed("mode must be in octal or symbolic form")
                .with("path", path)
                .with("details", err.to_string())
        })?;
        let Some(mode) = parsed else { return Ok(false) };
        let before = self.must_lstat(path)?;
        let bits = mode.apply(before.mode, before.is_dir(), self.umask());
        let told = match mode {
            Mode::Bits(told) => told,
            Mode::Symbolic(_) => i64::from(bits),
        };
        if i64::from(before.mode) == told {
            return Ok(false);
        }
        diff.set("mode", mode_text(i64::from(before.mode)), mode_text(told));
        if before.is_link() || bits == before.mode {
            // Links have no bits of their own on Linux.
            return Ok(false);
        }
        if self.overlay().is_some() {
            self.predicted_change(path, |node| node.meta.mode = bits)?;
            return Ok(true);
        }
        let place = self.at(path);
        self.journalled(ChangeKind::Attributes, path, |_| {
            fs::set_permissions(place, fs::Permissions::from_mode(bits))
        })
        .map_err(|err| {
            let why = super::errno_text(&err);
            ModuleError::failed(format!("Task failed: Module failed: {why}: b'{}'", path.display()))
        })?;
        Ok(true)
    }

    /// The version and flags of `path` as `lsattr` tells them; `None` where it cannot.
    #[must_use]
    pub fn flags(&self, path: &Path) -> Option<(String, String)> {
        let program = Program::new("lsattr").arg("-vd").arg(self.at(path));
        let ran = self.query(&program).ok().filter(|it| it.rc == 0)?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let mut words = text.split_whitespace();
        let (version, flags) = (words.next()?, words.next()?);
        Some((version.to_owned(), flags.replace('-', "")))
    }

    fn set_flags(
        &mut self,
        path: &Path,
        flags: &str,
        diff: &mut FileDiff,
    ) -> Result<bool, ModuleError> {
        let (sign, names) = match flags.chars().next() {
            Some(sign @ ('+' | '-' | '=')) => (sign, &flags[1..]),
            _ => ('=', flags),
        };
        let before = self.flags(path).map(|(_, flags)| flags).unwrap_or_default();
        if before == names && sign != '-' {
            return Ok(false);
        }
        diff.set("attributes", before.clone(), format!("{sign}{names}"));
        if self.overlay().is_some() {
            return Ok(true);
        }
        let fail = |details: String| {
            ModuleError::failed("chattr failed").with("path", path).with("details", details)
        };
        let program = Program::new("chattr").arg(format!("{sign}{names}")).arg(self.at(path));
        let ran = self
            .journalled_with(
                ChangeKind::Attributes,
                path,
                |state| state.flags = Some(before),
                |host| host.query(&program),
            )
            .map_err(|err| fail(err.message()))?;
        if ran.rc != 0 || !ran.stderr.is_empty() {
            let said = String::from_utf8_lossy(&ran.stderr);
            return Err(fail(format!("Error while setting attributes: {said}")));
        }
        Ok(true)
    }

    /// Sets the parts of the security context; nothing where the host has none.
    fn set_context(
        &mut self,
        path: &Path,
        args: &FileArgs,
        diff: &mut FileDiff,
    ) -> Result<bool, ModuleError> {
        let wanted = [
            ("-u", &args.seuser),
            ("-r", &args.serole),
            ("-t", &args.setype),
            ("-l", &args.selevel),
        ];
        if wanted.iter().all(|(_, it)| it.is_none()) || !has_contexts() {
            return Ok(false);
        }
        let before = self.context(path)?;
        let policy = Program::new("matchpathcon").arg("-n").arg(self.at(path));
        let policy = self.query(&policy).map(|it| text_of(&it.stdout)).unwrap_or_default();
        let mut after: Vec<String> = before.splitn(4, ':').map(str::to_owned).collect();
        let mut chcon = Program::new("chcon").arg("-h");
        for (at, (option, value)) in wanted.iter().enumerate() {
            let Some(value) = value else { continue };
            let value = if value == "_default" {
                policy.splitn(4, ':').nth(at).unwrap_or_default()
            } else {
                value.as_str()
            };
            if let Some(part) = after.get_mut(at).filter(|_| !value.is_empty()) {
                value.clone_into(part);
                chcon = chcon.arg(option).arg(value);
            }
        }
        let after = after.join(":");
        if after == before {
            return Ok(false);
        }
        diff.set("secontext", before.clone(), after.clone());
        if self.overlay().is_none() {
            let program = chcon.arg(self.at(path));
            let ran = self.journalled_with(
                ChangeKind::Attributes,
                path,
                |state| state.context = Some(before),
                |host| host.query(&program),
            )?;
            if ran.rc != 0 {
                return Err(ModuleError::failed("set selinux context failed")
                    .with("path", path)
                    .with("new_context", after));
            }
        }
        Ok(true)
    }

    /// The security context of `path`.
    pub(crate) fn context(&self, path: &Path) -> Result<String, ModuleError> {
        let program = Program::new("stat").arg("-c").arg("%C").arg(self.at(path));
        Ok(text_of(&self.query(&program)?.stdout))
    }

    /// What stands at `path`, which must be there.
    pub(crate) fn must_lstat(&self, path: &Path) -> Result<super::Meta, ModuleError> {
        self.lstat(path)?.ok_or_else(|| {
            ModuleError::io("read", path, io::Error::from_raw_os_error(nix::libc::ENOENT))
        })
    }

    pub(crate) fn predicted_change(
        &self,
        path: &Path,
        edit: impl FnOnce(&mut super::overlay::Node),
    ) -> Result<(), ModuleError> {
        self.predict(path, edit).map_err(|err| ModuleError::io("change", path, err))
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Whether the kernel keeps security contexts.
pub(crate) fn has_contexts() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

/// The ids of a user or group given by name or number, for callers beside the gate.
pub(crate) fn effective_ids() -> (u32, u32) {
    (Uid::effective().as_raw(), Gid::effective().as_raw())
}
