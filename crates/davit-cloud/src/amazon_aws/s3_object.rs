//! `amazon.aws.s3_object`: objects of S3, to and from files of the controller.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_aws::transfer::{Object, Settings, Transfer};
use davit_aws::value::Map;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::args::yes;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::object::{Place, Source, is_newer, media_type, sorted};
use crate::aws::s3;
use crate::aws::tags::TagArgs;

/// Put files and texts into a bucket of S3, get them, copy and delete them.
///
/// Files are those of the controller. What is large goes in parts side by side. An object is put or got where its
/// ETag is not that of the file; for objects that are encrypted with keys of KMS S3 has other ETags, and they go
/// each time, unless `overwrite` says otherwise.
///
/// The result has `msg`, and `url` and `tags` (`put`, `geturl`, `create`), `contents` (`getstr`) or `s3_keys` (`list`).
///
/// ```yaml
/// - amazon.aws.s3_object:
///     bucket: site-of-mine
///     object: index.html
///     src: dist/index.html
///     mode: put
///     headers: {CacheControl: no-cache}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The bucket. It has to be there.
    bucket: String,
    /// What is done.
    mode: Mode,
    /// The key of the object.
    #[serde(default)]
    object: Option<String>,
    /// The file to put.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    src: Option<PathBuf>,
    /// The text to put.
    #[serde(default)]
    content: Option<String>,
    /// The bytes to put, in base64.
    #[serde(default)]
    content_base64: Option<String>,
    /// The file to get the object into.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    dest: Option<PathBuf>,
    /// What to copy.
    #[serde(default)]
    copy_src: Option<CopySource>,
    /// When what is there is replaced: `always`, `never`, `different`, or where the other is newer, `latest`.
    #[serde(default = "different")]
    #[schemars(extend("x-aliases" = ["force"]))]
    overwrite: String,
    /// Encrypt what is put or copied.
    #[serde(default = "yes")]
    encrypt: bool,
    /// With which keys.
    #[serde(default)]
    encryption_mode: Encryption,
    /// The key of KMS for it.
    #[serde(default)]
    encryption_kms_key_id: Option<String>,
    /// The account that must own the bucket.
    #[serde(default)]
    expected_bucket_owner: Option<String>,
    /// For how many seconds a URL is good.
    #[serde(default = "ten_minutes")]
    #[schemars(extend("x-aliases" = ["expiration"]))]
    expiry: u64,
    /// What goes along with what is put: parameters of S3, and whatever else is to be kept with it.
    #[serde(default)]
    headers: Option<serde_json::Map<String, Value>>,
    /// The same for what is put, copied or made.
    #[serde(default)]
    metadata: Option<serde_json::Map<String, Value>>,
    /// Do not look first whether there is such a bucket: not everyone may.
    #[serde(default)]
    ignore_nonexistent_bucket: bool,
    /// List only keys behind this one.
    #[serde(default)]
    marker: Option<String>,
    /// List so many keys at most.
    #[serde(default)]
    max_keys: Option<usize>,
    /// List only keys that begin so.
    #[serde(default)]
    prefix: String,
    /// Who may do what with it, by names that AWS has for such lists. Of several, the last one stays.
    #[serde(default = "private")]
    permission: Vec<Permission>,
    /// How often a call is tried again.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["retry"]))]
    retries: u32,
    /// Which version of the object.
    #[serde(default)]
    version: Option<String>,
    /// Hold the bucket's name against the rules that AWS has for them.
    #[serde(default = "yes")]
    validate_bucket_name: bool,
    /// The server is Ceph: `endpoint_url` has to say where.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["rgw"]))]
    ceph: bool,
    /// Call by the addresses that IPv6 reaches too.
    #[serde(default)]
    dualstack: bool,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn ten_minutes() -> u64 {
    600
}

fn different() -> String {
    "different".to_owned()
}

fn private() -> Vec<Permission> {
    vec![Permission::Private]
}

/// What is done.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// An object is put into a file.
    Get,
    /// A file or text is put where the object is.
    Put,
    /// An empty object is made whose key ends in a slash, as if it were a folder.
    Create,
    /// A URL is made by which anyone can get the object for a while.
    GetUrl,
    /// What the object holds is read as text.
    GetStr,
    /// The object is deleted.
    DelObj,
    /// Keys are listed.
    List,
    /// An object, or all of a bucket, is copied.
    Copy,
}

/// What to copy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct CopySource {
    /// The bucket.
    bucket: String,
    /// The key; all objects of the bucket without it.
    #[serde(default)]
    object: Option<String>,
    /// Of all objects, those whose keys begin so.
    #[serde(default)]
    prefix: String,
    /// The version of the object.
    #[serde(default)]
    version_id: Option<String>,
}

/// With which keys something is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
enum Encryption {
    /// Those of S3.
    #[default]
    #[serde(rename = "AES256")]
    Aes256,
    /// Those of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
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
    /// AWS may read it for machines.
    AwsExecRead,
    /// Whoever has an account of AWS may read.
    AuthenticatedRead,
    /// The bucket's owner may read.
    BucketOwnerRead,
    /// The bucket's owner may do anything.
    BucketOwnerFullControl,
}

/// `amazon.aws.s3_object`.
pub(crate) struct S3Object;

const fn needs(value: &'static str, needs: &'static [&'static str], any: bool) -> Requirement {
    Requirement { key: "mode", value, needs, any }
}

impl Module for S3Object {
    const NAME: &'static str = "amazon.aws.s3_object";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["content", "content_base64", "src"]],
        required_if: &[
            needs("get", &["dest", "object"], false),
            needs("put", &["object"], false),
            needs("put", &["content", "content_base64", "src"], true),
            needs("create", &["object"], false),
            needs("geturl", &["object"], false),
            needs("getstr", &["object"], false),
            needs("delobj", &["object"], false),
            needs("copy", &["copy_src"], false),
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if args.validate_bucket_name {
            s3::check_name(&args.bucket)?;
        }
        if args.replaces().is_none() {
            let text = "overwrite is none of always, never, different, latest and a boolean";
            return Err(ModuleError::failed(text));
        }
        let key = args.object.as_deref().unwrap_or_default();
        if key.starts_with('/') {
            let msg = "Keys of objects that begin with a slash are taken without it. Leave it out.";
            control.deprecate(json!({"msg": msg}));
        }
        let aws = Aws::new(control, &args.login()?)?;
        let place = Place {
            control,
            aws: &aws,
            bucket: &args.bucket,
            key: key.strip_prefix('/').unwrap_or(key),
            owner: args.expected_bucket_owner.as_deref(),
        };
        if !args.ignore_nonexistent_bucket {
            args.look(&place).await?;
        }
        let outcome = match args.mode {
            Mode::Put => args.put(&place).await,
            Mode::Create => args.create(&place).await,
            Mode::Get => args.get(&place).await,
            Mode::GetStr => args.get_text(&place).await,
            Mode::GetUrl => args.get_url(&place).await,
            Mode::DelObj => args.delete(&place).await,
            Mode::List => args.list(&place).await,
            Mode::Copy => args.copy(&place).await,
        }?;
        Ok(aws.tell(outcome))
    }
}

/// When what is there is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replace {
    Always,
    Never,
    Different,
    Latest,
}

impl Args {
    fn replaces(&self) -> Option<Replace> {
        match self.overwrite.to_lowercase().as_str() {
            "always" | "true" | "yes" | "y" | "on" | "1" | "t" => Some(Replace::Always),
            "never" | "false" | "no" | "n" | "off" | "0" | "f" => Some(Replace::Never),
            "different" => Some(Replace::Different),
            "latest" => Some(Replace::Latest),
            _ => None,
        }
    }

    fn login(&self) -> Result<Login, ModuleError> {
        let mut login = s3::login(&self.login, self.ceph, self.dualstack)?;
        if self.retries > 0 {
            let config = login.aws_config.get_or_insert_default();
            config.entry("retries").or_insert(json!({"max_attempts": self.retries + 1}));
        }
        Ok(login)
    }

    /// Whether the bucket is there.
    async fn look(&self, place: &Place<'_>) -> Result<(), ModuleError> {
        let params =
            json!({"Bucket": self.bucket, "ExpectedBucketOwner": self.expected_bucket_owner});
        match place.aws.find("s3", "HeadBucket", params, s3::NO_BUCKET).await? {
            Some(_) => Ok(()),
            None => Err(ModuleError::failed(format!(
                "Bucket '{}' not found. The amazon.aws.s3_bucket module makes buckets.",
                self.bucket
            ))),
        }
    }

    /// What something is put with.
    fn extra(&self, said: &[Option<&serde_json::Map<String, Value>>]) -> Map {
        let mut extra = sorted(said);
        // A new object is private without a word, which buckets without access lists take.
        if let Some(first) = self.permission.first().filter(|_| self.permission != private()) {
            extra.entry("ACL".to_owned()).or_insert_with(|| json!(first).into());
        }
        if let Some(owner) = &self.expected_bucket_owner {
            extra.insert("ExpectedBucketOwner".to_owned(), owner.as_str().into());
        }
        let has_own = ["ServerSideEncryption", "SSECustomerAlgorithm"];
        if self.encrypt && !has_own.iter().any(|it| extra.contains_key(*it)) {
            let mode = json!(self.encryption_mode);
            extra.insert("ServerSideEncryption".to_owned(), mode.into());
            if let Some(key) = &self.encryption_kms_key_id
                && self.encryption_mode == Encryption::Kms
            {
                extra.insert("SSEKMSKeyId".to_owned(), key.as_str().into());
            }
        }
        extra
    }

    fn source(&self) -> Result<Source, ModuleError> {
        if let Some(path) = &self.src {
            let found = path.metadata().map_err(|it| ModuleError::io("read", path, it))?;
            if !found.is_file() {
                let text =
                    format!("Local object \"{}\" does not exist or is no file", path.display());
                return Err(ModuleError::failed(text));
            }
            return Ok(Source::File(path.clone()));
        }
        if let Some(text) = &self.content_base64 {
            let bytes = STANDARD.decode(text.as_bytes());
            let wrong =
                |error| ModuleError::failed(format!("content_base64 is not base64: {error}"));
            return bytes.map(Source::Bytes).map_err(wrong);
        }
        Ok(Source::Bytes(self.content.clone().unwrap_or_default().into_bytes()))
    }

    async fn put(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let source = self.source()?;
        let head = place.head(None).await?;
        let is_due = match (&head, self.replaces()) {
            (None, _) | (_, Some(Replace::Always)) => true,
            (_, Some(Replace::Never) | None) => false,
            (Some(head), Some(Replace::Latest)) if self.src.is_some() => {
                is_newer(self.src.as_deref(), head, true)
            }
            (Some(head), _) => !place.is_same(head, &source).await?,
        };
        if is_due {
            let mut extra = self.extra(&[self.metadata.as_ref(), self.headers.as_ref()]);
            if let Source::File(path) = &source {
                let media = media_type(path);
                extra.entry("ContentType".to_owned()).or_insert_with(|| media.into());
            }
            let size = |it: &Value| json!({"etag": it["ETag"], "size": it["ContentLength"]});
            let edit = Edit::new("put the object", place.url())
                .from(head.as_ref().map(size))
                .to(json!({"from": self.src}));
            place.control.change(edit, async || place.put(&source, extra).await).await?;
            self.permit(place, 1).await?;
        }
        let tags = place.settle_tags(&self.tags, is_due).await?;
        if place.control.is_check() && is_due {
            return Ok(Outcome::new().msg("PUT operation skipped - running in check mode"));
        }
        let url = place.presigned(self.version.as_deref(), self.expiry).await?;
        let outcome = Outcome::new().with("url", url).with("tags", tags);
        Ok(if is_due {
            outcome.msg("PUT operation complete")
        } else {
            outcome.with("expiry", self.expiry).msg("Download url:")
        })
    }

    /// The lists of who may do what behind the first ones, one after the other.
    async fn permit(&self, place: &Place<'_>, from: usize) -> Result<(), ModuleError> {
        for acl in self.permission.iter().skip(from) {
            let params = place.params(json!({"ACL": acl}));
            let edit = Edit::new("set its access list", place.url()).to(json!(acl));
            let act = async || place.aws.call("s3", "PutObjectAcl", params).await;
            place.control.change(edit, act).await?;
        }
        Ok(())
    }

    async fn create(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let key = format!("{}/", place.key.trim_end_matches('/'));
        let place = &Place { key: &key, ..*place };
        let is_there = place.head(None).await?.is_some();
        if !is_there {
            let extra = self.extra(&[self.metadata.as_ref()]);
            let edit = Edit::new("make the folder", place.url()).to(json!({"key": key}));
            let empty = Source::Bytes(Vec::new());
            place.control.change(edit, async || place.put(&empty, extra).await).await?;
            self.permit(place, 1).await?;
        }
        let tags = place.settle_tags(&self.tags, !is_there).await?;
        let outcome = Outcome::new().with("tags", tags);
        let bucket = place.bucket;
        Ok(if is_there {
            outcome.msg(format!("Bucket {bucket} and key {key} already exists."))
        } else {
            let text = format!("Virtual directory {key} created in bucket {bucket}");
            outcome
                .with("url", place.presigned(self.version.as_deref(), self.expiry).await?)
                .msg(text)
        })
    }

    /// What is known of the object, which has to be there.
    async fn there(&self, place: &Place<'_>) -> Result<Value, ModuleError> {
        let version = self.version.as_deref();
        place.head(version).await?.ok_or_else(|| {
            let key = place.key;
            ModuleError::failed(match version {
                Some(version) => format!("Key {key} with version id {version} does not exist."),
                None => format!("Key {key} does not exist."),
            })
        })
    }

    async fn get(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let head = self.there(place).await?;
        let Some(dest) = &self.dest else { return Ok(Outcome::new()) };
        if dest.is_dir() {
            let text = format!("dest {} is a folder, not a file", dest.display());
            return Err(ModuleError::failed(text));
        }
        let is_there = dest.exists();
        let is_due = match self.replaces() {
            _ if !is_there => true,
            Some(Replace::Always) => true,
            Some(Replace::Never) | None => {
                let text = "Local object already exists and overwrite is disabled.";
                return Ok(Outcome::new().msg(text));
            }
            Some(Replace::Latest) => is_newer(self.dest.as_deref(), &head, false),
            Some(Replace::Different) => !place.is_same(&head, &Source::File(dest.clone())).await?,
        };
        if !is_due {
            let text = "Local and remote object are identical, ignoring. \
                        Use overwrite=always parameter to force.";
            return Ok(Outcome::new().msg(text));
        }
        let edit = Edit::new(format!("get {}", place.url()), dest.display().to_string())
            .to(json!({"etag": head["ETag"], "size": head["ContentLength"]}));
        let got = place
            .control
            .change(edit, async || place.get_into(self.version.as_deref(), dest).await)
            .await?;
        Ok(Outcome::new().msg(match got {
            Some(()) => "GET operation complete",
            None => "GET operation skipped - running in check mode",
        }))
    }

    async fn get_text(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        self.there(place).await?;
        let params = place.params(json!({"VersionId": self.version}));
        let got = place.aws.call("s3", "GetObject", params).await?;
        let text = match got.get("Body") {
            Some(davit_aws::Value::Blob(bytes)) => String::from_utf8(bytes.to_vec()),
            other => Ok(other.and_then(davit_aws::Value::as_str).unwrap_or_default().to_owned()),
        };
        let wrong = |_| ModuleError::failed(format!("{} is not text in UTF-8", place.url()));
        let outcome = Outcome::new().with("contents", text.map_err(wrong)?);
        // As users of the format know it.
        Ok(outcome.msg("GET operation complete").changed(true))
    }

    async fn get_url(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        self.there(place).await?;
        let tags = place.tags(false).await?;
        let url = place.presigned(self.version.as_deref(), self.expiry).await?;
        let outcome =
            Outcome::new().with("url", url).with("tags", tags).with("expiry", self.expiry);
        Ok(outcome.msg("Download url:").changed(true))
    }

    async fn delete(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let Some(head) = place.head(None).await? else {
            return Ok(Outcome::new().msg(format!("Key {} does not exist.", place.key)));
        };
        let before = json!({"etag": head["ETag"], "size": head["ContentLength"]});
        let edit = Edit::new("delete the object", place.url()).from(before);
        let params = place.params(json!({}));
        let act = async || place.aws.call("s3", "DeleteObject", params).await;
        place.control.change(edit, act).await?;
        Ok(Outcome::new().msg(format!("Object deleted from bucket {}.", place.bucket)))
    }

    async fn list(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let msg = "The mode list goes away. Use amazon.aws.s3_object_info.";
        place.control.deprecate(json!({"msg": msg, "date": "2026-11-01"}));
        let listing = s3::Listing {
            bucket: place.bucket,
            prefix: &self.prefix,
            after: self.marker.as_deref(),
            most: self.max_keys,
            owner: place.owner,
        };
        let keys = listing.keys(place.aws).await?;
        Ok(Outcome::new().with("s3_keys", keys).msg("LIST operation complete"))
    }

    async fn copy(&self, place: &Place<'_>) -> Result<Outcome, ModuleError> {
        let Some(from) = &self.copy_src else { return Ok(Outcome::new()) };
        let strip = |it: &str| it.strip_prefix('/').unwrap_or(it).to_owned();
        if let Some(key) = from.object.as_deref().map(strip) {
            if place.key.is_empty() {
                return Err(ModuleError::failed("copy_src.object needs object"));
            }
            let object =
                Object { bucket: from.bucket.clone(), key, version: from.version_id.clone() };
            let (is_due, tags) = self.copy_one(place, &object).await?;
            let text = if is_due {
                format!("Object copied from bucket {} to bucket {}.", from.bucket, place.bucket)
            } else {
                "ETag from source and destination are the same".to_owned()
            };
            return Ok(Outcome::new().with("tags", tags).msg(text));
        }
        let all = s3::Listing {
            bucket: &from.bucket,
            prefix: &from.prefix,
            after: None,
            most: None,
            owner: None,
        };
        let mut copied = 0;
        for key in all.keys(place.aws).await? {
            let to = Place { key: &key, ..*place };
            let (is_due, _) = self.copy_one(&to, &Object::new(&from.bucket, &key)).await?;
            copied += usize::from(is_due);
        }
        let (from, to) = (&from.bucket, place.bucket);
        Ok(Outcome::new().msg(if copied > 0 {
            format!("{copied} objects copied from bucket {from} to bucket {to}.")
        } else {
            "ETag from source and destination are the same".to_owned()
        }))
    }

    /// Copies an object unless the same is there: whether it was due, and the tags.
    async fn copy_one(
        &self,
        place: &Place<'_>,
        from: &Object,
    ) -> Result<(bool, crate::aws::tags::Tags), ModuleError> {
        let source = Place { bucket: &from.bucket, key: &from.key, owner: None, ..*place };
        let Some(there) = source.head(from.version.as_deref()).await? else {
            return Err(ModuleError::failed(format!(
                "Key {} does not exist in bucket {}.",
                from.key, from.bucket
            )));
        };
        let now = place.head(None).await?;
        let is_due = now.as_ref().is_none_or(|it| it["ETag"] != there["ETag"]);
        if is_due {
            let mut extra = self.extra(&[self.metadata.as_ref()]);
            if self.metadata.is_some() {
                extra.insert("MetadataDirective".to_owned(), "REPLACE".into());
                let media = there["ContentType"].as_str().unwrap_or("binary/octet-stream");
                extra.entry("ContentType".to_owned()).or_insert_with(|| media.into());
            }
            // Servers with object lock ask for it.
            extra.insert("ChecksumAlgorithm".to_owned(), "CRC32".into());
            let edit = Edit::new(format!("copy {} there", source.url()), place.url())
                .from(now.map(|it| it["ETag"].clone()))
                .to(&there["ETag"]);
            let to = Object::new(place.bucket, place.key);
            let transfer = Transfer::new(place.aws.client().clone(), Settings::default());
            let act = async || {
                let copied = transfer.copy(from, &to, &extra).await;
                copied.map_err(|error| failure(Some(("s3", "CopyObject")), &error))
            };
            place.control.change(edit, act).await?;
            self.permit(place, 1).await?;
        }
        // The copy has the tags of the original.
        let is_made = is_due && !place.control.is_check();
        let tags = if is_made || !is_due {
            place.settle_tags(&self.tags, false).await?
        } else {
            let tags = source.tags(false).await?;
            self.tags.change(&tags).applied(&tags)
        };
        Ok((is_due, tags))
    }
}
