//! `ansible.builtin.fetch`: brings a file of the host to the controller.
//!
//! A file that is here already, with the same content, does not travel; others come in pieces.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_event::Reply;
use davit_module::Rules;
use davit_run::{Action, Outcome, Running, Stream, Target, TaskContext};
use davit_value::{Map, Value};
use schemars::JsonSchema;
use tokio::io::AsyncReadExt;

use crate::failure::{Attempt, action_failed, broken, message, refused};
use crate::options::{flag, no_raw_params, text};
use crate::source;

/// Brings a file of the host to the controller. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.fetch",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

/// How much of a file travels at once.
const PIECE: u64 = 4 * 1024 * 1024;
/// How much of a stream is written at once, and how much of it may wait for that.
const PIECE_OF_STREAM: usize = 256 * 1024;
const PIECES: usize = 16;

async fn run(context: &TaskContext, args: Map) -> Attempt {
    no_raw_params(context, &args, "fetch")?;
    if context.check {
        return Ok(Outcome::changed(false)
            .with("skipped", true)
            .with("msg", "check mode not (yet) supported for this module"));
    }
    for (name, called) in [("src", "source"), ("dest", "dest")] {
        if args.get(name).is_some_and(|it| !it.is_null() && it.as_str().is_none()) {
            let why = format!("Invalid type supplied for {called} option, it must be a string");
            return Err(refused(context, why));
        }
    }
    let (Some(src), Some(dest)) = (text(&args, "src"), text(&args, "dest")) else {
        return Err(refused(context, "src and dest are required"));
    };
    let missing_is_bad = flag(&args, "fail_on_missing", true);
    let remote = match look(context, &src, missing_is_bad).await? {
        Ok(sum) => sum,
        Err(told) => return Ok(told),
    };
    let place = place(context, &src, &dest, flag(&args, "flat", false))?;
    let shown = place.to_string_lossy().into_owned();
    let here = local_sums(context, &place).await?;
    if let Some((sha1, md5)) = here.filter(|it| remote.as_deref() == Some(&*it.0)) {
        return Ok(Outcome::changed(false)
            .with("md5sum", md5)
            .with("file", src)
            .with("dest", shown)
            .with("checksum", sha1));
    }
    let (sha1, md5) = match bring(context, &src, &place).await? {
        Some(sums) => sums,
        None => local_sums(context, &place).await?.unwrap_or_default(),
    };
    let wanted = flag(&args, "validate_checksum", true);
    let outcome = if wanted && remote.as_deref().is_some_and(|it| it != sha1) {
        refused(context, "checksum mismatch").with("file", src)
    } else {
        Outcome::changed(true)
    };
    Ok(outcome
        .with("md5sum", md5)
        .with("dest", shown)
        .with("remote_md5sum", Value::Null)
        .with("checksum", sha1)
        .with("remote_checksum", remote.map_or(Value::Null, Value::from)))
}

/// The checksum of the host's file, or the result where it cannot be fetched.
async fn look(
    context: &TaskContext,
    src: &str,
    missing_is_bad: bool,
) -> Attempt<Result<Option<String>, Outcome>> {
    let mut args = Reply::new();
    args.insert("path".to_owned(), src.into());
    args.insert("follow".to_owned(), true.into());
    args.insert("get_mime".to_owned(), false.into());
    args.insert("get_attributes".to_owned(), false.into());
    let seen = context.call_module("ansible.legacy.stat", args, BTreeMap::new()).await;
    if seen.is_failed() && message(&seen) == "Permission denied" {
        return Err(refused(context, format!("File is not readable: {src}")));
    }
    if seen.is_failed() || seen.unreachable {
        return Err(seen);
    }
    let stat = seen.result.get("stat").and_then(Value::as_map).cloned().unwrap_or_default();
    let is = |name: &str| stat.get(name).is_some_and(|it| it.truthy().unwrap_or(false));
    let missing = "the remote file does not exist, not transferring, ignored";
    let folder = "remote file is a directory, fetch cannot work on directories";
    match (is("exists"), is("isdir")) {
        (false, _) if missing_is_bad => {
            let mut outcome = Outcome::failed(missing);
            outcome.causes = refused(context, format!("Module failed: File not found: {src}: [Errno 2] No such file or directory: '{src}'")).causes;
            Err(outcome)
        }
        (false, _) => Ok(Err(Outcome::changed(false).with("file", src).with("msg", missing))),
        (true, true) if missing_is_bad => Err(action_failed(context, folder)),
        (true, true) => {
            let msg = format!("{folder}, not transferring, ignored");
            Ok(Err(Outcome::changed(false).with("msg", msg)))
        }
        (true, false) => Ok(Ok(stat.get("checksum").map(Value::to_str))),
    }
}

/// Where the file goes.
fn place(context: &TaskContext, src: &str, dest: &str, flat: bool) -> Attempt<PathBuf> {
    let opened = context.expand(dest);
    let full = context.playbook_folder().join(&opened);
    if !flat {
        let target = context.host();
        let path = format!("{}/{target}/{src}", full.display());
        return Ok(source::clean(Path::new(&path)));
    }
    if opened.ends_with('/') {
        let name = Path::new(src).file_name().unwrap_or_default();
        return Ok(source::clean(&full.join(name)));
    }
    let full = source::clean(&full);
    if full.is_dir() {
        let why = "dest is an existing directory, use a trailing slash if you want to fetch src into that directory";
        return Err(refused(context, why));
    }
    Ok(full)
}

/// The checksums of a file of the controller, where there is one.
async fn local_sums(context: &TaskContext, path: &Path) -> Attempt<Option<(String, String)>> {
    let path = path.to_path_buf();
    let sums = tokio::task::spawn_blocking(move || match File::open(&path) {
        Ok(mut file) => source::sums(&mut file).ok(),
        Err(_) => None,
    });
    sums.await.map_err(|error| broken(context, error.to_string()))
}

/// Brings the file, piece by piece, beside its place, and then puts it there. The checksums of
/// what came, where they were worked out on the way.
async fn bring(
    context: &TaskContext,
    src: &str,
    place: &Path,
) -> Attempt<Option<(String, String)>> {
    let folder = place.parent().unwrap_or(Path::new("/")).to_path_buf();
    fs::create_dir_all(&folder).map_err(|error| {
        let (folder, why) = (folder.display(), source::system_error(&error));
        broken(
            context,
            format!("Unable to create local directories '{folder}': {why}: b'{folder}'"),
        )
    })?;
    let failed = |error: &io::Error| {
        broken(
            context,
            format!(
                "Failed to fetch the file: {}: '{}'",
                source::system_error(error),
                place.display()
            ),
        )
    };
    // A file that a run before this one left here may be open elsewhere: it is replaced, not cut.
    let mut file = tempfile::Builder::new()
        .prefix(".davit-fetch-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(&folder)
        .map_err(|error| failed(&error))?;
    if let Some(stream) = open(context, src).await? {
        let sums = pour(stream, file.as_file()).await.map_err(|error| failed(&error))?;
        file.persist(place).map_err(|error| failed(&error.error))?;
        return Ok(Some(sums));
    }
    let mut at = 0;
    loop {
        let mut args = Reply::new();
        args.insert("src".to_owned(), src.into());
        args.insert("dest".to_owned(), place.to_string_lossy().as_ref().into());
        args.insert("_offset".to_owned(), at.into());
        args.insert("_length".to_owned(), PIECE.into());
        let piece = context.call_module("ansible.legacy.fetch", args, BTreeMap::new()).await;
        if piece.is_failed() || piece.unreachable {
            return Err(piece);
        }
        let content = piece.result.get("content").map(Value::to_str).unwrap_or_default();
        let bytes = STANDARD
            .decode(content.as_bytes())
            .map_err(|error| broken(context, format!("{}: {error}", message(&piece))))?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        file.write_all(&bytes).map_err(|error| failed(&error))?;
        if (bytes.len() as u64) < PIECE {
            break;
        }
    }
    file.persist(place).map_err(|error| failed(&error.error))?;
    Ok(None)
}

/// A stream of the host's file: it costs no round trip for each piece. `None` where only the
/// module can tell which file is meant, or why it cannot be read.
async fn open(context: &TaskContext, src: &str) -> Attempt<Option<Box<dyn Stream>>> {
    if !Path::new(src).is_absolute() || context.connection()?.is_local() {
        return Ok(None);
    }
    Ok(context.open(Target::File { path: src.into() }).await?.ok())
}

/// Writes what comes while it comes, and works out its checksums on the same way.
async fn pour(mut stream: Box<dyn Stream>, file: &File) -> io::Result<(String, String)> {
    let mut file = file.try_clone()?;
    let (pieces, mut taken) = tokio::sync::mpsc::channel::<Vec<u8>>(PIECES);
    let written = tokio::task::spawn_blocking(move || -> io::Result<(String, String)> {
        let mut sums = source::Sums::default();
        while let Some(piece) = taken.blocking_recv() {
            file.write_all(&piece)?;
            sums.add(&piece);
        }
        Ok(sums.finish())
    });
    let mut read = Ok(());
    loop {
        let mut piece = Vec::with_capacity(PIECE_OF_STREAM);
        match stream.read_buf(&mut piece).await {
            Ok(0) => break,
            // A writer that has gone says why in the end.
            Ok(_) if pieces.send(piece).await.is_err() => break,
            Ok(_) => {}
            Err(error) => {
                read = Err(error);
                break;
            }
        }
    }
    drop(pieces);
    let sums = written.await.map_err(io::Error::other)??;
    read.map(|()| sums)
}
