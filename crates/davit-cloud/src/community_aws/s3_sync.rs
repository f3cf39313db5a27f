//! `community.aws.s3_sync`: the files of a folder as objects of S3.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/community/aws/s3_sync_module.html>

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use davit_aws::transfer::{Object, Settings, Transfer};
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::client::{Aws, failure};
use crate::aws::local_files::{self, LocalFile, Patterns};
use crate::aws::login::Login;
use crate::aws::object::{Place, Source, known_media_type};
use crate::aws::s3;

/// Upload the files of a folder of the controller to a bucket of S3 where they differ from what is there.
///
/// Several files go side by side, and large ones in parts. What a run did not come to, the next one does.
///
/// The result has `uploads`, `removed` and the lists that led to them: `filelist_initial`, `filelist_typed`,
/// `filelist_local_etag`, `filelist_s3`, `filelist_actionable`.
///
/// ```yaml
/// - community.aws.s3_sync:
///     bucket: site-of-mine
///     file_root: dist/
///     cache_control: max-age=3600
///     delete: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The bucket. It has to be there.
    bucket: String,
    /// The folder, or one file. Keys are the paths below it.
    #[schemars(extend("x-type" = "path"))]
    file_root: PathBuf,
    /// What all keys begin with; a slash comes behind it.
    #[serde(default)]
    key_prefix: String,
    /// Which files are taken, by patterns for their names without folders: `*.gif,*.png`.
    #[serde(default = "all")]
    include: String,
    /// Which of those are left out.
    #[serde(default = "hidden")]
    exclude: String,
    /// How it is found out which files differ.
    #[serde(default)]
    file_change_strategy: Strategy,
    /// Delete the objects below `key_prefix` that none of the files taken would be, those left out by `include` and
    /// `exclude` too.
    #[serde(default)]
    delete: bool,
    /// Which way it goes.
    #[serde(default)]
    mode: Mode,
    /// Who may do what with what is uploaded. Other objects keep what they have.
    #[serde(default)]
    permission: Option<Permission>,
    /// What uploaded objects say of how long they may be kept: `public, max-age=3600`.
    #[serde(default)]
    cache_control: String,
    /// How uploaded objects are stored.
    #[serde(default)]
    storage_class: StorageClass,
    /// What files are by the ends of their names, where that is not what they are usually: `{.yml: text/yaml}`.
    #[serde(default)]
    mime_map: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    login: Login,
}

fn all() -> String {
    "*".to_owned()
}

fn hidden() -> String {
    ".*".to_owned()
}

/// How it is found out which files differ.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    /// All are taken for different.
    Force,
    /// By the ETag, which is made of what they hold.
    Checksum,
    /// By their length, and whether the file was changed after the upload.
    #[default]
    DateSize,
}

/// Ways to go.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// From here to S3.
    #[default]
    Push,
}

/// Lists of who may do what.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Permission {
    /// Nobody else.
    Private,
    /// All may read.
    PublicRead,
    /// All may read and write.
    PublicReadWrite,
    /// Whoever has an account of AWS may read.
    AuthenticatedRead,
    /// AWS may read it for machines.
    AwsExecRead,
    /// The bucket's owner may read.
    BucketOwnerRead,
    /// The bucket's owner may do anything.
    BucketOwnerFullControl,
}

/// How objects are stored.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum StorageClass {
    /// As usual.
    #[default]
    Standard,
    /// In fewer places.
    ReducedRedundancy,
    /// For what is seldom got.
    StandardIa,
    /// The same, in one zone.
    OnezoneIa,
    /// As S3 finds it best.
    IntelligentTiering,
    /// In an archive.
    Glacier,
    /// In an archive that takes hours to get from.
    DeepArchive,
    /// On Outposts.
    Outposts,
}

/// So many files go side by side.
const SIDE_BY_SIDE: usize = 10;
/// So many parts of each.
const PARTS: usize = 4;

/// `community.aws.s3_sync`.
pub(crate) struct S3Sync;

impl Module for S3Sync {
    const NAME: &'static str = "community.aws.s3_sync";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let outcome = match args.mode {
            Mode::Push => task.push().await?,
        };
        Ok(aws.tell(outcome))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

/// A file, and what is in the place where it goes.
#[derive(Clone, Debug)]
struct Candidate {
    file: LocalFile,
    media: String,
    key: String,
    there: Option<Remote>,
}

/// What is known of an object.
#[derive(Clone, Debug)]
struct Remote {
    etag: String,
    size: u64,
    modified: i64,
}

impl Task<'_> {
    async fn push(&self) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let files = self.files().await?;
        let prefix = match args.key_prefix.as_str() {
            "" => String::new(),
            prefix => format!("{}/", prefix.strip_suffix('/').unwrap_or(prefix)),
        };
        let mut there = self.objects(&prefix, &files).await?;
        let taken: BTreeSet<String> =
            files.iter().map(|it| format!("{prefix}{}", it.name)).collect();
        let candidates: Vec<Candidate> = files
            .into_iter()
            .map(|file| {
                let key = format!("{prefix}{}", file.name);
                Candidate { media: self.media(&file.path), there: there.remove(&key), key, file }
            })
            .collect();
        let (whys, error) = side_by_side(&candidates, |it| self.why(it)).await;
        if let Some(error) = error {
            return Err(error);
        }
        let due = whys.into_iter().filter_map(|(at, why)| Some((&candidates[at], why?)));
        let due: Vec<(&Candidate, Json)> = due.collect();
        let (sent, error) = side_by_side(&due, |(it, _)| self.upload(it)).await;
        let told = |(it, why): &(&Candidate, Json)| it.told(why);
        let uploads: Vec<Json> = sent.iter().map(|(at, ())| told(&due[*at])).collect();
        if let Some(error) = error {
            return Err(error.with("uploads", uploads));
        }
        let gone: Vec<&String> =
            there.keys().filter(|it| !taken.contains(*it) && **it != prefix).collect();
        if args.delete {
            let removed = self.remove(&gone).await;
            removed.map_err(|error| error.with("uploads", &uploads))?;
        }
        let list = |about: fn(&Candidate) -> Json| candidates.iter().map(about).collect::<Json>();
        let mut outcome = Outcome::new()
            .with("filelist_initial", list(Candidate::initial))
            .with("filelist_typed", list(Candidate::typed))
            .with("filelist_local_etag", list(Candidate::placed))
            .with("filelist_s3", list(Candidate::compared))
            .with("filelist_actionable", due.iter().map(told).collect::<Vec<_>>())
            .with("uploads", uploads);
        if args.delete {
            outcome.set("removed", gone);
        }
        Ok(outcome)
    }

    /// The files that are meant.
    async fn files(&self) -> Result<Vec<LocalFile>, ModuleError> {
        let (include, exclude) =
            (Patterns::read(&self.args.include)?, Patterns::read(&self.args.exclude)?);
        let root = self.args.file_root.clone();
        let found = tokio::task::spawn_blocking(move || local_files::files(&root)).await;
        let (found, left_out) = found.map_err(|_| ModuleError::Cancelled)??;
        for text in left_out {
            self.control.warn(format!("left out: {text}"));
        }
        let mut files = Vec::with_capacity(found.len());
        for file in found {
            if include.fit(&file.name)? && !exclude.fit(&file.name)? {
                files.push(file);
            }
        }
        Ok(files)
    }

    /// What is in the bucket, by key.
    async fn objects(
        &self,
        prefix: &str,
        files: &[LocalFile],
    ) -> Result<BTreeMap<String, Remote>, ModuleError> {
        // For one file not all has to be looked at.
        let prefix = match files {
            [one] if !self.args.delete => format!("{prefix}{}", one.name),
            _ => prefix.to_owned(),
        };
        let params = json!({"Bucket": self.args.bucket, "Prefix": prefix});
        let found = self.aws.attempt_all("s3", "ListObjectsV2", params).await;
        let found = found.map_err(|error| match error.code() {
            Some(code) if s3::NO_BUCKET.contains(&code) => {
                ModuleError::failed(format!("there is no bucket {}", self.args.bucket))
            }
            _ => failure(Some(("s3", "ListObjectsV2")), &error),
        })?;
        let objects = found.get("Contents").map(Value::items).unwrap_or_default().iter();
        let text = |it: &Value, name: &str| {
            it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let remote = |it: &Value| {
            let size = it.get("Size").and_then(Value::as_int).unwrap_or_default();
            let modified = match it.get("LastModified") {
                Some(Value::Timestamp(time)) => time.as_second(),
                _ => 0,
            };
            let size = u64::try_from(size).unwrap_or_default();
            (text(it, "Key"), Remote { etag: text(it, "ETag"), size, modified })
        };
        Ok(objects.map(remote).collect())
    }

    fn media(&self, path: &Path) -> String {
        let end = path.extension().and_then(|it| it.to_str()).map(|it| format!(".{it}"));
        let said = self.args.mime_map.as_ref().and_then(|it| it.get(end.as_deref()?));
        let known = || known_media_type(path).unwrap_or("application/octet-stream").to_owned();
        said.cloned().unwrap_or_else(known)
    }

    /// Why a file is to be uploaded; nothing where it is not.
    async fn why(&self, candidate: &Candidate) -> Result<Option<Json>, ModuleError> {
        let strategy = self.args.file_change_strategy;
        if strategy == Strategy::Force {
            return Ok(Some(json!({"why": "all files are uploaded"})));
        }
        let file = &candidate.file;
        let Some(there) = &candidate.there else {
            return Ok(Some(json!({"why": "there is no such object"})));
        };
        let sizes = format!("{} / {}", file.size, there.size);
        if file.size != there.size {
            let times = format!("{} / {}", file.modified, there.modified);
            return Ok(Some(json!({"whysize": sizes, "whytime": times})));
        }
        if strategy == Strategy::DateSize {
            let times = format!("{} / {}", file.modified, there.modified);
            let is_newer = file.modified > there.modified;
            return Ok(is_newer.then(|| json!({"whysize": sizes, "whytime": times})));
        }
        let place = Place {
            control: self.control,
            aws: self.aws,
            bucket: &self.args.bucket,
            key: &candidate.key,
            owner: None,
        };
        let head = json!({"ETag": there.etag, "ContentLength": there.size});
        let is_same = place.is_same(&head, &Source::File(file.path.clone())).await?;
        Ok((!is_same).then(|| json!({"why": "the ETags differ"})))
    }

    async fn upload(&self, candidate: &Candidate) -> Result<(), ModuleError> {
        let args = self.args;
        let mut extra =
            Map::from_iter([("ContentType".to_owned(), candidate.media.as_str().into())]);
        if !args.cache_control.is_empty() {
            extra.insert("CacheControl".to_owned(), args.cache_control.as_str().into());
        }
        if let Some(permission) = args.permission {
            extra.insert("ACL".to_owned(), json!(permission).into());
        }
        // Buckets that know only one class need not be told.
        if args.storage_class != StorageClass::Standard {
            extra.insert("StorageClass".to_owned(), json!(args.storage_class).into());
        }
        let before = candidate.there.as_ref().map(|it| json!({"size": it.size, "etag": it.etag}));
        let to = Object::new(&args.bucket, &candidate.key);
        let edit = Edit::new("upload the file", to.to_string())
            .from(before)
            .to(json!({"size": candidate.file.size, "from": candidate.file.path}));
        let act = async || {
            let settings = Settings { parallel: PARTS, ..Settings::default() };
            let transfer = Transfer::new(self.aws.client().clone(), settings);
            let sent = transfer.upload(&candidate.file.path, &to, &extra).await;
            sent.map_err(|error| failure(Some(("s3", "PutObject")), &error))
        };
        if self.control.change(edit, act).await?.is_some() {
            self.control.tell(&format!("uploaded {}", candidate.file.name));
        }
        Ok(())
    }

    async fn remove(&self, keys: &[&String]) -> Result<(), ModuleError> {
        let bucket = &self.args.bucket;
        for some in keys.chunks(s3::AT_ONCE) {
            let edit = Edit::new("delete objects", format!("s3://{bucket}")).from(some);
            let objects: Vec<Json> = some.iter().map(|it| json!({"Key": it})).collect();
            let params = json!({"Bucket": bucket, "Delete": {"Objects": objects, "Quiet": true}});
            let act = async || {
                let answer = self.aws.call("s3", "DeleteObjects", params).await?;
                let errors = answer.get("Errors").map(Value::to_json).unwrap_or_default();
                let Some(error) = errors.get(0) else { return Ok(()) };
                let text = format!("cannot delete {}: {}", error["Key"], error["Message"]);
                Err(ModuleError::failed(text).with("errors", errors))
            };
            self.control.change(edit, act).await?;
        }
        Ok(())
    }
}

impl Candidate {
    fn initial(&self) -> Json {
        json!({
            "bytes": self.file.size,
            "chopped_path": self.file.name,
            "fullpath": self.file.path,
            "modified_epoch": self.file.modified,
        })
    }

    fn typed(&self) -> Json {
        let mut about = self.initial();
        about["mime_type"] = self.media.as_str().into();
        about
    }

    fn placed(&self) -> Json {
        let mut about = self.typed();
        about["s3_path"] = self.key.as_str().into();
        about
    }

    fn compared(&self) -> Json {
        let mut about = self.placed();
        if let Some(there) = &self.there {
            about["s3_head"] = json!({
                "ETag": there.etag, "ContentLength": there.size, "LastModified": there.modified,
            });
        }
        about
    }

    fn told(&self, why: &Json) -> Json {
        let mut about = self.compared();
        for (name, value) in why.as_object().into_iter().flatten() {
            about[name.as_str()] = value.clone();
        }
        about
    }
}

/// Works on things side by side: what came of each that went well, by its place, and the first error. After that
/// nothing more is begun, and what was is finished.
async fn side_by_side<'a, T, R, F>(
    items: &'a [T],
    work: impl Fn(&'a T) -> F,
) -> (Vec<(usize, R)>, Option<ModuleError>)
where
    F: Future<Output = Result<R, ModuleError>>,
{
    let mut rest = items.iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut done = Vec::new();
    let mut wrong = None;
    loop {
        while wrong.is_none() && running.len() < SIDE_BY_SIDE {
            let Some((at, item)) = rest.next() else { break };
            let task = work(item);
            running.push(async move { (at, task.await) });
        }
        match running.next().await {
            Some((at, Ok(it))) => done.push((at, it)),
            Some((_, Err(error))) => wrong = wrong.or(Some(error)),
            None => break,
        }
    }
    done.sort_by_key(|(at, _)| *at);
    (done, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_an_error_nothing_is_begun_and_what_was_is_finished() {
        let items: Vec<usize> = (0..100).collect();
        let work = async |it: &usize| {
            // The one that fails does so before the others are done.
            if *it == 3 {
                return Err(ModuleError::failed("no"));
            }
            tokio::task::yield_now().await;
            Ok(it * 2)
        };
        let (done, wrong) = side_by_side(&items, &work).await;
        assert_eq!(wrong.map(|it| it.message()), Some("no".to_owned()));
        assert_eq!(done.len(), SIDE_BY_SIDE - 1, "{done:?}");
        assert!(done.iter().all(|(at, it)| at * 2 == *it));
        let (done, wrong) = side_by_side(&items[4..], &work).await;
        assert!(wrong.is_none() && done.len() == 96 && done.is_sorted());
    }
}
