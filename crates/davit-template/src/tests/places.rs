//! Tests of paths on the controller, and of vault text.
//!
//! Relative paths are taken from the folder in [`Outside`](crate::Outside).

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use davit_value::{Value, ValueError};

use crate::Call;

type Answer = Result<Value, ValueError>;

fn text(value: &Value) -> Result<&str, ValueError> {
    value.as_str().ok_or_else(|| {
        ValueError::Type(format!(
            "expected str, bytes or os.PathLike object, not {}",
            value.type_name()
        ))
    })
}

fn path(call: &Call<'_>, name: &'static str) -> Result<PathBuf, ValueError> {
    let value = call.bind(name, &["path"], 1)?.value(0);
    Ok(call.env.outside.folder.join(text(&value)?))
}

pub(super) fn abs(call: &Call<'_>) -> Answer {
    let value = call.bind("isabs", &["s"], 1)?.value(0);
    Ok(text(&value)?.starts_with('/').into())
}

pub(super) fn directory(call: &Call<'_>) -> Answer {
    Ok(path(call, "isdir")?.is_dir().into())
}

pub(super) fn file(call: &Call<'_>) -> Answer {
    Ok(path(call, "isfile")?.is_file().into())
}

pub(super) fn link(call: &Call<'_>) -> Answer {
    Ok(path(call, "islink")?.is_symlink().into())
}

pub(super) fn exists(call: &Call<'_>) -> Answer {
    Ok(path(call, "exists")?.exists().into())
}

pub(super) fn link_exists(call: &Call<'_>) -> Answer {
    Ok(path(call, "lexists")?.symlink_metadata().is_ok().into())
}

pub(super) fn mount(call: &Call<'_>) -> Answer {
    let path = path(call, "ismount")?;
    let (Ok(here), Ok(above)) = (path.symlink_metadata(), path.join("..").metadata()) else {
        return Ok(false.into());
    };
    let is_mount = !here.is_symlink() && (here.dev() != above.dev() || here.ino() == above.ino());
    Ok(is_mount.into())
}

fn metadata(call: &Call<'_>, value: &Value) -> Result<std::fs::Metadata, ValueError> {
    let name = text(value)?;
    std::fs::metadata(call.env.outside.folder.join(name))
        .map_err(|error| ValueError::Value(format!("{}: {}", python_error(&error), value.repr())))
}

/// `[Errno 2] No such file or directory`.
pub(crate) fn python_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" (os error").next().unwrap_or(&text);
    match error.raw_os_error() {
        Some(number) => format!("[Errno {number}] {bare}"),
        None => bare.to_owned(),
    }
}

pub(super) fn same_file(call: &Call<'_>) -> Answer {
    let bound = call.bind("samefile", &["f1", "f2"], 2)?;
    let (a, b) = (metadata(call, &bound.value(0))?, metadata(call, &bound.value(1))?);
    Ok((a.dev() == b.dev() && a.ino() == b.ino()).into())
}

/// An inline vault value, seen before it is decrypted.
pub(super) fn vault_encrypted(call: &Call<'_>) -> Answer {
    if call.args.positional.len() == 1
        && let Some(Value::Str(text)) = call.args.positional.first()
        && text.is_vault()
    {
        return Ok(true.into());
    }
    call.bind("vault_encrypted", &["value"], 1)?;
    Ok(false.into())
}

pub(super) fn vaulted_file(call: &Call<'_>) -> Answer {
    let value = call.bind("vaulted_file", &["value"], 1)?.value(0);
    let name = text(&value)?;
    let content = std::fs::read(call.env.outside.folder.join(name)).map_err(|error| {
        ValueError::Value(format!(
            "Cannot test if the file {0} is a vault: {1}: b{0}",
            value.repr(),
            python_error(&error)
        ))
    })?;
    Ok(davit_vault::is_vault_bytes(&content).into())
}
