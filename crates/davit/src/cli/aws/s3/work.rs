//! `davit aws s3 cp`, `mv` and `sync`: what goes where, side by side, with its progress.

use std::cell::OnceCell;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use davit_aws::session::Session;
use davit_aws::transfer::{self, Known, Object, Transfer};
use davit_aws::value::Value;
use futures_util::{StreamExt as _, stream};

use super::super::codes;
use super::change::{self, Delete};
use super::how::How;
use super::meter::{self, Meter};
use super::plan::{self, Filters, Found, There};
use super::{Copy, Sync, fatal, object_of, place, place_or};
use crate::report::{Report, exit, print, say, warn};

/// Who copies, what of it is meant, and what is to be taken back when it is stopped.
pub(super) struct Context<'a> {
    pub(super) session: &'a Session,
    pub(super) filters: &'a Filters,
    /// What copies, from when it is there on.
    pub(super) begun: &'a OnceCell<Transfer>,
}

/// One thing to be copied.
#[derive(Clone, Debug)]
struct Job {
    from: End,
    to: End,
    about: Found,
}

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    File(PathBuf),
    Object(Object),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => plan::shown(path).fmt(f),
            Self::Object(object) => write!(f, "s3://{}/{}", object.bucket, object.key),
        }
    }
}

/// `cp` and `mv`.
pub(super) async fn copy(at: &Context<'_>, args: &Copy, moves: bool) -> Result<u8, Report> {
    if args.from == "-" || args.to == "-" {
        return stream_one(at, args, moves).await;
    }
    one_is_in_s3(&args.from, &args.to)?;
    let (jobs, skipped) = if args.recursive {
        let there = below(at.session, &args.from, &args.how).await?;
        let filters = at.filters.below(&args.from);
        let found = there.found.into_iter().filter(|(name, _)| filters.take(name));
        let jobs = found
            .filter_map(|(name, it)| job(&args.from, &args.to, &name, &it).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        (jobs, there.skipped)
    } else {
        single(at.session, args).await?
    };
    if moves && jobs.iter().any(|it: &Job| it.from == it.to) {
        let text = format!("{} cannot be moved onto itself", args.from);
        return Err(Report::new(text).code(codes::USAGE));
    }
    let (jobs, archived) = readable(jobs, &args.how);
    let code = run(at, jobs, &args.how, moves).await?;
    Ok(with_skipped(code, skipped + archived))
}

/// The AWS CLI's exit code for what was left out.
const SKIPPED: u8 = 2;

fn with_skipped(code: u8, skipped: usize) -> u8 {
    if code == exit::OK && skipped > 0 { SKIPPED } else { code }
}

/// What is in no archive, and of how much else it is told that it is left out.
fn readable(jobs: Vec<Job>, how: &How) -> (Vec<Job>, usize) {
    if how.force_glacier_transfer {
        return (jobs, 0);
    }
    let (archived, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|it| it.about.archived);
    if how.ignore_glacier_warnings {
        return (jobs, 0);
    }
    for job in &archived {
        let reason = "it is in an archive (GLACIER or DEEP_ARCHIVE): restore it first";
        warn(&format!("{} is left out: {reason}", job.from));
    }
    (jobs, archived.len())
}

/// `sync`.
pub(super) async fn sync(at: &Context<'_>, args: &Sync) -> Result<u8, Report> {
    one_is_in_s3(&args.from, &args.to)?;
    let (session, how) = (at.session, &args.how);
    let from = below(session, &args.from, how).await?;
    // A folder that is not there yet has nothing in it.
    let is_new = place(&args.to).is_none() && !Path::new(&args.to).exists();
    let there = if is_new { There::default() } else { below(session, &args.to, how).await? };
    let comes_down = place(&args.to).is_none();
    let filters = at.filters.below(&args.from);
    let mut jobs = Vec::new();
    for (name, found) in from.found.iter().filter(|(name, _)| filters.take(name)) {
        let same = there.found.get(name).is_some_and(|known| {
            known.size == found.size
                && (args.size_only || is_current(found, known, comes_down, args.exact_timestamps))
        });
        if !same {
            jobs.extend(job(&args.from, &args.to, name, found)?);
        }
    }
    let (jobs, archived) = readable(jobs, how);
    let mut code = run(at, jobs, how, false).await?;
    if args.delete {
        let filters = at.filters.below(&args.to);
        let gone = there.found.keys();
        let gone = gone.filter(|name| !from.found.contains_key(*name) && filters.take(name));
        code = code.max(remove_gone(session, &args.to, gone, how).await?);
    }
    Ok(with_skipped(code, from.skipped + there.skipped + archived))
}

/// Removes what is no longer at the source.
async fn remove_gone(
    session: &Session,
    to: &str,
    gone: impl Iterator<Item = &String>,
    how: &How,
) -> Result<u8, Report> {
    if let Some((bucket, prefix)) = place(to) {
        let prefix = change::folder(&prefix);
        let keys = gone.map(|it| format!("{prefix}{it}")).collect();
        let extra = how.of_delete();
        let delete = Delete { dry: how.dryrun, quiet: how.quiet, extra };
        return change::delete(&session.client, &bucket, keys, &delete).await;
    }
    let mut code = exit::OK;
    for name in gone {
        let Some(path) = plan::below(Path::new(to), name) else { continue };
        let shown = plan::shown(&path);
        let removed = if how.dryrun { Ok(()) } else { fs::remove_file(&path) };
        match removed {
            Ok(()) => tell(how, "delete", &shown)?,
            Err(error) => {
                say(&format!("delete failed: {shown} {error}"));
                code = exit::ERROR;
            }
        }
    }
    Ok(code)
}

/// Whether what is there counts as the same as its source, which is as long. What was fetched has the
/// source's time; a file that is newer was changed since.
fn is_current(from: &Found, there: &Found, comes_down: bool, exact: bool) -> bool {
    let (Some(from), Some(there)) = (from.modified, there.modified) else { return false };
    // Files tell parts of seconds that S3 does not keep.
    let (from, there) = (from.as_second(), there.as_second());
    match (comes_down, exact) {
        (true, true) => from == there,
        (true, false) => there <= from,
        (false, _) => from <= there,
    }
}

fn one_is_in_s3(from: &str, to: &str) -> Result<(), Report> {
    if place(from).is_none() && place(to).is_none() {
        let text = "neither is in S3: write s3://BUCKET/KEY for what is there";
        return Err(Report::new(text).code(codes::USAGE));
    }
    for text in [from, to] {
        if text.starts_with("s3:") {
            place_or(text)?;
        }
    }
    Ok(())
}

/// All that is below a place.
async fn below(session: &Session, text: &str, how: &How) -> Result<There, Report> {
    let Some((bucket, prefix)) = place(text) else {
        let path = Path::new(text);
        let meta = fs::metadata(path)
            .map_err(|_| Report::new(format!("{text} is not there")).code(codes::GENERAL))?;
        if !meta.is_dir() {
            warn(&format!("{text} is left out: it is no folder"));
            return Ok(There { skipped: 1, ..There::default() });
        }
        return Ok(plan::files(path, !how.no_follow_symlinks));
    };
    plan::objects(&session.client, &bucket, &change::folder(&prefix), how.of_list()).await
}

/// The copy of one thing below a place to the same name below another.
fn job(from: &str, to: &str, name: &str, found: &Found) -> Result<Option<Job>, Report> {
    let end = |text: &str| match place(text) {
        Some((bucket, prefix)) => {
            let key = format!("{}{name}", change::folder(&prefix));
            Some(End::Object(Object::new(&bucket, &key)))
        }
        None => plan::below(Path::new(text), name).map(End::File),
    };
    match (end(from), end(to)) {
        (Some(from), Some(to)) => Ok(Some(Job { from, to, about: found.clone() })),
        _ => {
            warn(&format!("{name} would lead out of the folder and is left out"));
            Ok(None)
        }
    }
}

/// The copy of one file or object; or how many of them are left out.
async fn single(session: &Session, args: &Copy) -> Result<(Vec<Job>, usize), Report> {
    let Copy { from, to, how, .. } = args;
    let (end, name, about) = match place(from) {
        Some(_) => one_object(session, from, place(to).is_some(), how).await?,
        None => {
            let path = PathBuf::from(from);
            if how.no_follow_symlinks && path.is_symlink() {
                return Ok((Vec::new(), 0));
            }
            let wrong = |reason: &str| Report::new(format!("{from} cannot be copied: {reason}"));
            if let Err(error) = fs::metadata(&path) {
                return Err(wrong(&error.to_string()).code(codes::GENERAL));
            }
            let meta = match plan::readable(&path) {
                Ok(meta) => meta,
                Err(reason) => {
                    warn(&format!("{from} is left out: {reason}"));
                    return Ok((Vec::new(), 1));
                }
            };
            if meta.is_dir() {
                return Err(wrong("it is a folder").hint("--recursive copies what is in it"));
            }
            let name = path.file_name().and_then(|it| it.to_str());
            let name = name.ok_or_else(|| wrong("its name is no UTF-8"))?.to_owned();
            (End::File(path), name, plan::of_file(&meta))
        }
    };
    let to = match place(to) {
        Some((bucket, key)) if key.is_empty() || key.ends_with('/') => {
            End::Object(Object::new(&bucket, &format!("{key}{name}")))
        }
        Some((bucket, key)) => End::Object(Object::new(&bucket, &key)),
        None if to.ends_with('/') || Path::new(to).is_dir() => End::File(Path::new(to).join(&name)),
        None => End::File(to.into()),
    };
    Ok((vec![Job { from: end, to, about }], 0))
}

/// An object, its last name and what is known of it.
async fn one_object(
    session: &Session,
    from: &str,
    is_copied: bool,
    how: &How,
) -> Result<(End, String, Found), Report> {
    let object = object_of(from)?;
    let mut params = if is_copied { how.of_source()? } else { how.of_download()? };
    params.insert("Bucket".to_owned(), object.bucket.as_str().into());
    params.insert("Key".to_owned(), object.key.as_str().into());
    let head = session.client.call("s3", "HeadObject", params).await;
    let head = head.map_err(|error| match error.code() {
        Some("404") => Report::new(format!("{from} is not there")),
        _ => fatal(&error),
    })?;
    let modified = match head.get("LastModified") {
        Some(Value::Timestamp(time)) => Some(*time),
        _ => None,
    };
    let etag = head.get("ETag").and_then(Value::as_str).map(str::to_owned);
    let name = object.key.rsplit('/').next().unwrap_or_default().to_owned();
    let size = plan::number(head.get("ContentLength"));
    let archived = plan::is_archived(head.get("StorageClass"), head.get("Restore"));
    Ok((End::Object(object), name, Found { size, modified, etag, archived }))
}

/// From standard input or to standard output.
async fn stream_one(at: &Context<'_>, args: &Copy, moves: bool) -> Result<u8, Report> {
    if moves || args.recursive {
        let text = "`-` is for cp of one object";
        return Err(Report::new(text).code(codes::USAGE));
    }
    let transfer = at.begun.get_or_init(|| {
        let configured = settings(at.session, &args.how);
        let configured = configured.for_size(args.expected_size.unwrap_or(0));
        Transfer::new(at.session.client.clone(), configured)
    });
    if args.from == "-" {
        let to = object_of(&args.to)?;
        let extra = args.how.of_upload(None)?;
        let outcome = transfer.upload_stream(super::super::call::input(), &to, &extra).await;
        outcome.map_err(|error| fatal(&error))?;
        return Ok(exit::OK);
    }
    let from = object_of(&args.from)?;
    let extra = args.how.of_download()?;
    let mut out = std::io::stdout();
    let outcome = transfer.stream(&from, &extra, |bytes| out.write_all(bytes)).await;
    outcome.map_err(|error| fatal(&error))?;
    out.flush().map_err(|error| Report::new(format!("cannot write the object: {error}")))?;
    Ok(exit::OK)
}

/// How many files go side by side.
const FILES: usize = 10;

/// How many requests go side by side.
fn parallel(session: &Session) -> usize {
    let configured = session.settings.s3.transfer.max_concurrent_requests;
    usize::try_from(configured).unwrap_or(FILES).max(1)
}

fn settings(session: &Session, how: &How) -> transfer::Settings {
    let configured = &session.settings.s3.transfer;
    transfer::Settings {
        threshold: configured.multipart_threshold,
        part: configured.multipart_chunksize,
        parallel: parallel(session),
        resume: how.resume,
        notice: meter::notice(how.quiet),
        ..transfer::Settings::default()
    }
}

/// Copies what is to be copied. What fails is told of, and the others go on.
async fn run(at: &Context<'_>, jobs: Vec<Job>, how: &How, moves: bool) -> Result<u8, Report> {
    let parallel = parallel(at.session);
    let total: u64 = jobs.iter().map(|it| it.about.size).sum();
    let shown = !how.dryrun && !how.quiet && !how.no_progress && std::io::stderr().is_terminal();
    let meter = Meter::new(total, jobs.len(), shown);
    let count = Arc::clone(&meter.done);
    // A single file has all requests to itself.
    let parts = if jobs.len() == 1 { parallel } else { parallel.div_ceil(FILES).max(2) };
    let settings = transfer::Settings { parallel: parts, ..settings(at.session, how) };
    let settings = settings.telling(Arc::new(move |more| {
        count.fetch_add(more, Ordering::Relaxed);
    }));
    let transfer = at.begun.get_or_init(|| Transfer::new(at.session.client.clone(), settings));
    let mut working = stream::iter(jobs)
        .map(|job| async move {
            let outcome = if how.dryrun { Ok(()) } else { one(transfer, &job, how, moves).await };
            (job, outcome)
        })
        .buffer_unordered(FILES.min(parallel));
    let mut failed = false;
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            next = working.next() => {
                let Some((job, outcome)) = next else { break };
                meter.clear();
                let verb = verb(&job, moves);
                let line = format!("{} to {}", job.from, job.to);
                match outcome {
                    Ok(()) => tell(how, verb, &line)?,
                    Err(error) => {
                        failed = true;
                        say(&format!("{verb} failed: {line} {error}"));
                    }
                }
                meter.finished();
            }
            _ = tick.tick() => meter.show(),
        }
    }
    meter.clear();
    Ok(if failed { exit::ERROR } else { exit::OK })
}

fn verb(job: &Job, moves: bool) -> &'static str {
    match (&job.from, &job.to) {
        _ if moves => "move",
        (End::File(_), _) => "upload",
        (_, End::File(_)) => "download",
        _ => "copy",
    }
}

fn tell(how: &How, verb: &str, line: &str) -> Result<(), Report> {
    if how.quiet {
        return Ok(());
    }
    let dry = if how.dryrun { "(dryrun) " } else { "" };
    print(&format!("{dry}{verb}: {line}\n"))
}

/// Copies one thing.
async fn one(transfer: &Transfer, job: &Job, how: &How, moves: bool) -> Result<(), String> {
    let told = |error: davit_aws::Error| error.chain();
    let wrong = |report: Report| report.text(false);
    let Found { size, modified, etag, .. } = &job.about;
    match (&job.from, &job.to) {
        (End::File(path), End::Object(object)) => {
            let extra = how.of_upload(Some(&path.to_string_lossy())).map_err(wrong)?;
            transfer.upload(path, object, &extra).await.map_err(told)?;
            if moves {
                fs::remove_file(path)
                    .map_err(|error| format!("it is copied, but not removed: {error}"))?;
            }
        }
        (End::Object(object), End::File(path)) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)
                    .map_err(|error| format!("{}: {error}", folder.display()))?;
            }
            let extra = how.of_download().map_err(wrong)?;
            let about = Known { size: *size, etag: etag.clone() };
            transfer.download_known(object, path, &extra, &about).await.map_err(told)?;
            if let Some(time) = modified {
                let file = fs::File::options().write(true).open(path);
                // The time is a courtesy: the content is there.
                drop(file.and_then(|it| it.set_modified((*time).into())));
            }
            if moves {
                remove(transfer, object, how).await?;
            }
        }
        (End::Object(from), End::Object(to)) => {
            let extra = how.of_copy().map_err(wrong)?;
            transfer.copy_known(from, to, &extra, *size).await.map_err(told)?;
            if moves {
                remove(transfer, from, how).await?;
            }
        }
        (End::File(_), End::File(_)) => return Err("neither is in S3".to_owned()),
    }
    Ok(())
}

async fn remove(transfer: &Transfer, object: &Object, how: &How) -> Result<(), String> {
    let mut params = how.of_delete();
    params.insert("Bucket".to_owned(), object.bucket.as_str().into());
    params.insert("Key".to_owned(), object.key.as_str().into());
    let removed = transfer.client().call("s3", "DeleteObject", params).await;
    removed.map(drop).map_err(|error| format!("it is copied, but not removed: {}", error.chain()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn found(size: u64, second: i64) -> Found {
        Found { size, modified: Timestamp::from_second(second).ok(), etag: None, archived: false }
    }

    #[test]
    fn times_tell_what_goes_over() {
        for (from, there, comes_down, exact, current) in [
            (10, 20, false, false, true),
            (20, 10, false, false, false),
            (10, 20, false, true, true),
            (10, 10, true, true, true),
            (10, 20, true, true, false),
            (20, 10, true, true, false),
            (10, 20, true, false, false),
            (20, 10, true, false, true),
        ] {
            let (from, there) = (found(1, from), found(1, there));
            assert_eq!(is_current(&from, &there, comes_down, exact), current);
        }
    }
}
