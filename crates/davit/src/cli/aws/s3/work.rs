//! `davit aws s3 cp`, `mv` and `sync`: what goes where, side by side, with its progress.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use davit_aws::session::Session;
use davit_aws::transfer::{self, Object, Transfer};
use davit_aws::value::{Map, Value};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::super::{codes, report};
use super::plan::{self, Filters, Found};
use super::{Copy, Sync, change, list, object_of, place, place_or};
use crate::report::{Report, exit, print, say};

/// How things are copied.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    /// Only say what would be done.
    #[arg(long, visible_alias = "dry-run")]
    dryrun: bool,
    /// Say nothing but errors.
    #[arg(long, visible_alias = "only-show-errors")]
    quiet: bool,
    /// Show no progress.
    #[arg(long)]
    no_progress: bool,
    /// Go on with what was cut off before, and leave what is cut off to be gone on with.
    #[arg(long)]
    resume: bool,
    /// Leave out what fits; the last of these that fits counts.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Take what fits, though it is excluded before.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Leave out links.
    #[arg(long)]
    no_follow_symlinks: bool,
    /// Who may read: `private`, `public-read` ...
    #[arg(long)]
    acl: Option<String>,
    /// `STANDARD_IA`, `GLACIER` ...
    #[arg(long)]
    storage_class: Option<String>,
    /// How S3 encrypts: `AES256` or `aws:kms`.
    #[arg(long, num_args = 0..=1, default_missing_value = "AES256")]
    sse: Option<String>,
    /// The key for `--sse aws:kms`.
    #[arg(long)]
    sse_kms_key_id: Option<String>,
    /// The type of what is sent; guessed from the name without it.
    #[arg(long)]
    content_type: Option<String>,
    /// Guess no types.
    #[arg(long)]
    no_guess_mime_type: bool,
    /// `Cache-Control`.
    #[arg(long)]
    cache_control: Option<String>,
    /// `Content-Disposition`.
    #[arg(long)]
    content_disposition: Option<String>,
    /// `Content-Encoding`.
    #[arg(long)]
    content_encoding: Option<String>,
    /// `Content-Language`.
    #[arg(long)]
    content_language: Option<String>,
    /// `KEY=VALUE,KEY=VALUE`, or JSON.
    #[arg(long)]
    metadata: Option<String>,
    /// For copies: `COPY` or `REPLACE`.
    #[arg(long)]
    metadata_directive: Option<String>,
}

/// One thing to be copied.
#[derive(Clone, Debug)]
struct Job {
    from: End,
    to: End,
    size: u64,
    modified: Option<Timestamp>,
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
            Self::File(path) => path.display().fmt(f),
            Self::Object(object) => write!(f, "s3://{}/{}", object.bucket, object.key),
        }
    }
}

/// `cp` and `mv`.
pub(super) async fn copy(
    session: &Session,
    args: &Copy,
    filters: &Filters,
    moves: bool,
) -> Result<u8, Report> {
    if args.from == "-" || args.to == "-" {
        return stream_one(session, args, moves).await;
    }
    one_is_in_s3(&args.from, &args.to)?;
    let jobs = if args.recursive {
        let (_, found) = at(session, &args.from, &args.how).await?;
        let found = found.into_iter().filter(|(name, _)| filters.take(name));
        found
            .filter_map(|(name, it)| job(&args.from, &args.to, &name, &it).transpose())
            .collect::<Result<_, _>>()?
    } else {
        vec![single(session, &args.from, &args.to).await?]
    };
    if moves && jobs.iter().any(|it: &Job| it.from == it.to) {
        let text = format!("{} cannot be moved onto itself", args.from);
        return Err(Report::new(text).code(codes::USAGE));
    }
    run(session, jobs, &args.how, moves).await
}

/// `sync`.
pub(super) async fn sync(session: &Session, args: &Sync, filters: &Filters) -> Result<u8, Report> {
    one_is_in_s3(&args.from, &args.to)?;
    let (_, from) = at(session, &args.from, &args.how).await?;
    // A folder that is not there yet has nothing in it.
    let is_new = place(&args.to).is_none() && !Path::new(&args.to).exists();
    let there = if is_new { BTreeMap::new() } else { at(session, &args.to, &args.how).await?.1 };
    let goes_up = place(&args.from).is_none();
    let mut jobs = Vec::new();
    for (name, found) in from.iter().filter(|(name, _)| filters.take(name)) {
        let same = there.get(name).is_some_and(|known| {
            known.size == found.size
                && (args.size_only || is_current(found, known, goes_up, args.exact_timestamps))
        });
        if !same {
            jobs.extend(job(&args.from, &args.to, name, found)?);
        }
    }
    let code = run(session, jobs, &args.how, false).await?;
    if !args.delete || code == codes::INTERRUPTED {
        return Ok(code);
    }
    let gone = there.keys().filter(|name| !from.contains_key(*name) && filters.take(name));
    let removed = match place(&args.to) {
        Some((bucket, prefix)) => {
            let prefix = change::folder(&prefix);
            let keys = gone.map(|it| format!("{prefix}{it}")).collect();
            let How { dryrun, quiet, .. } = args.how;
            change::delete(&session.client, &bucket, keys, dryrun, quiet).await?
        }
        None => {
            for name in gone {
                let Some(path) = plan::below(Path::new(&args.to), name) else { continue };
                if !args.how.dryrun {
                    fs::remove_file(&path).map_err(|error| {
                        Report::new(format!("{} cannot be removed: {error}", path.display()))
                    })?;
                }
                tell(&args.how, "delete", &path.display().to_string())?;
            }
            exit::OK
        }
    };
    Ok(code.max(removed))
}

/// Whether what is there is as new as its source. What was fetched has the source's time.
fn is_current(from: &Found, there: &Found, goes_up: bool, exact: bool) -> bool {
    let (Some(from), Some(there)) = (from.modified, there.modified) else { return false };
    // Files tell parts of seconds that S3 does not keep.
    let (from, there) = (from.as_second(), there.as_second());
    if exact && !goes_up { from == there } else { from <= there }
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
async fn at(
    session: &Session,
    text: &str,
    how: &How,
) -> Result<(String, BTreeMap<String, Found>), Report> {
    match place(text) {
        Some((bucket, prefix)) => {
            let prefix = change::folder(&prefix);
            let found = plan::objects(&session.client, &bucket, &prefix).await?;
            Ok((prefix, found))
        }
        None => {
            let path = Path::new(text);
            if !path.is_dir() {
                let text = format!("{text} is no folder");
                return Err(Report::new(text).code(codes::GENERAL));
            }
            Ok((text.to_owned(), plan::files(path, !how.no_follow_symlinks)?))
        }
    }
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
    let Found { size, modified } = *found;
    match (end(from), end(to)) {
        (Some(from), Some(to)) => Ok(Some(Job { from, to, size, modified })),
        _ => {
            crate::report::warn(&format!("{name} would lead out of the folder and is left out"));
            Ok(None)
        }
    }
}

/// The copy of one file or object.
async fn single(session: &Session, from: &str, to: &str) -> Result<Job, Report> {
    let (end, name, found) = match place(from) {
        Some(_) => {
            let object = object_of(from)?;
            let mut params = Map::new();
            params.insert("Bucket".to_owned(), object.bucket.as_str().into());
            params.insert("Key".to_owned(), object.key.as_str().into());
            let head = session.client.call("s3", "HeadObject", params).await;
            let head = head.map_err(|error| match error.code() {
                Some("404") => Report::new(format!("{from} is not there")).code(codes::GENERAL),
                _ => report(&error),
            })?;
            let modified = match head.get("LastModified") {
                Some(Value::Timestamp(time)) => Some(*time),
                _ => None,
            };
            let name = object.key.rsplit('/').next().unwrap_or_default().to_owned();
            let size = plan::number(head.get("ContentLength"));
            (End::Object(object), name, Found { size, modified })
        }
        None => {
            let path = PathBuf::from(from);
            let wrong = |reason: &str| {
                Report::new(format!("{from} cannot be copied: {reason}")).code(codes::GENERAL)
            };
            let meta = fs::metadata(&path).map_err(|error| wrong(&error.to_string()))?;
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
    Ok(Job { from: end, to, size: found.size, modified: found.modified })
}

/// From standard input or to standard output.
async fn stream_one(session: &Session, args: &Copy, moves: bool) -> Result<u8, Report> {
    if moves || args.recursive {
        let text = "`-` is for cp of one object";
        return Err(Report::new(text).code(codes::USAGE));
    }
    let settings = transfer::Settings::default();
    let transfer = Transfer::new(session.client.clone(), settings);
    if args.from == "-" {
        let to = object_of(&args.to)?;
        let extra = extra(&args.how, &to.key)?;
        let outcome = transfer.upload_stream(super::super::call::input(), &to, &extra).await;
        outcome.map_err(|error| report(&error))?;
        return Ok(exit::OK);
    }
    let from = object_of(&args.from)?;
    let mut out = std::io::stdout();
    let outcome = transfer.stream(&from, &Map::new(), |bytes| out.write_all(bytes)).await;
    outcome.map_err(|error| report(&error))?;
    Ok(exit::OK)
}

/// How many files go side by side.
const FILES: usize = 10;

/// Copies what is to be copied. What fails is told of, and the others go on.
async fn run(session: &Session, jobs: Vec<Job>, how: &How, moves: bool) -> Result<u8, Report> {
    let configured = &session.settings.s3.transfer;
    let parallel = usize::try_from(configured.max_concurrent_requests).unwrap_or(FILES).max(1);
    let total: u64 = jobs.iter().map(|it| it.size).sum();
    let shown = !how.dryrun && !how.quiet && !how.no_progress && std::io::stderr().is_terminal();
    let meter = Meter::new(total, jobs.len(), shown);
    let count = Arc::clone(&meter.done);
    // A single file has all requests to itself.
    let parts = if jobs.len() == 1 { parallel } else { parallel.div_ceil(FILES).max(2) };
    let transfer = Transfer::new(
        session.client.clone(),
        transfer::Settings {
            threshold: configured.multipart_threshold,
            part: configured.multipart_chunksize,
            parallel: parts,
            resume: how.resume,
            progress: Arc::new(move |more| {
                count.fetch_add(more, Ordering::Relaxed);
            }),
        },
    );
    let mut working = stream::iter(jobs)
        .map(|job| {
            let transfer = &transfer;
            async move {
                let outcome =
                    if how.dryrun { Ok(()) } else { one(transfer, &job, how, moves).await };
                (job, outcome)
            }
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
    match (&job.from, &job.to) {
        (End::File(path), End::Object(object)) => {
            let extra = extra(how, &path.to_string_lossy()).map_err(|it| it.text(false))?;
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
            transfer.download(object, path, &Map::new()).await.map_err(told)?;
            if let Some(time) = job.modified {
                let file = fs::File::options().write(true).open(path);
                // The time is a courtesy: the content is there.
                drop(file.and_then(|it| it.set_modified(time.into())));
            }
            if moves {
                remove(transfer, object).await?;
            }
        }
        (End::Object(from), End::Object(to)) => {
            let extra = extra_of_copy(how).map_err(|it| it.text(false))?;
            transfer.copy(from, to, &extra).await.map_err(told)?;
            if moves {
                remove(transfer, from).await?;
            }
        }
        (End::File(_), End::File(_)) => return Err("neither is in S3".to_owned()),
    }
    Ok(())
}

async fn remove(transfer: &Transfer, object: &Object) -> Result<(), String> {
    let mut params = Map::new();
    params.insert("Bucket".to_owned(), object.bucket.as_str().into());
    params.insert("Key".to_owned(), object.key.as_str().into());
    let removed = transfer.client().call("s3", "DeleteObject", params).await;
    removed.map(drop).map_err(|error| format!("it is copied, but not removed: {}", error.chain()))
}

/// What is said of what is sent.
fn extra(how: &How, name: &str) -> Result<Map, Report> {
    let mut extra = extra_of_copy(how)?;
    extra.shift_remove("MetadataDirective");
    if how.content_type.is_none()
        && !how.no_guess_mime_type
        && let Some(guess) = mime_guess::from_path(name).first_raw()
    {
        extra.insert("ContentType".to_owned(), guess.into());
    }
    Ok(extra)
}

fn extra_of_copy(how: &How) -> Result<Map, Report> {
    let mut extra = Map::new();
    for (name, value) in [
        ("ACL", &how.acl),
        ("StorageClass", &how.storage_class),
        ("ServerSideEncryption", &how.sse),
        ("SSEKMSKeyId", &how.sse_kms_key_id),
        ("ContentType", &how.content_type),
        ("CacheControl", &how.cache_control),
        ("ContentDisposition", &how.content_disposition),
        ("ContentEncoding", &how.content_encoding),
        ("ContentLanguage", &how.content_language),
        ("MetadataDirective", &how.metadata_directive),
    ] {
        if let Some(value) = value {
            extra.insert(name.to_owned(), value.as_str().into());
        }
    }
    if let Some(text) = &how.metadata {
        extra.insert("Metadata".to_owned(), metadata(text)?);
    }
    Ok(extra)
}

fn metadata(text: &str) -> Result<Value, Report> {
    if text.trim_start().starts_with('{') {
        let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
            Report::new(format!("--metadata is no JSON: {error}")).code(codes::USAGE)
        })?;
        return Ok(json.into());
    }
    let mut map = Map::new();
    for pair in text.split(',') {
        let Some((name, value)) = pair.split_once('=') else {
            let text = format!("--metadata takes KEY=VALUE,KEY=VALUE, not {pair:?}");
            return Err(Report::new(text).code(codes::USAGE));
        };
        map.insert(name.trim().to_owned(), value.into());
    }
    Ok(Value::Map(map))
}

/// How far it is, in one line that is written over.
struct Meter {
    done: Arc<AtomicU64>,
    left: AtomicU64,
    total: u64,
    began: Instant,
    shown: bool,
}

impl Meter {
    fn new(total: u64, files: usize, shown: bool) -> Self {
        let left = AtomicU64::new(files as u64);
        Self { done: Arc::default(), left, total, began: Instant::now(), shown }
    }

    fn finished(&self) {
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    fn show(&self) {
        if !self.shown {
            return;
        }
        let done = self.done.load(Ordering::Relaxed);
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(1).max(1);
        let speed = list::human(done.saturating_mul(1000) / millis);
        let left = self.left.load(Ordering::Relaxed);
        let line = format!(
            "Completed {}/{} ({speed}/s) with {left} file(s) remaining",
            list::human(done),
            list::human(self.total)
        );
        let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(size: u64, second: i64) -> Found {
        Found { size, modified: Timestamp::from_second(second).ok() }
    }

    #[test]
    fn what_is_newer_goes_over() {
        for (from, there, goes_up, exact, current) in [
            (10, 20, true, false, true),
            (20, 10, true, false, false),
            (10, 10, false, true, true),
            (10, 20, false, true, false),
            (10, 20, false, false, true),
        ] {
            let (from, there) = (found(1, from), found(1, there));
            assert_eq!(is_current(&from, &there, goes_up, exact), current);
        }
    }

    #[test]
    fn metadata_is_read_in_both_forms() {
        let read = |text| metadata(text).map(|it| it.to_json().to_string());
        assert_eq!(read("a=1,b=x=y").expect("readable"), r#"{"a":"1","b":"x=y"}"#);
        assert_eq!(read(r#"{"a": "1"}"#).expect("readable"), r#"{"a":"1"}"#);
        assert!(read("a").is_err());
    }
}
