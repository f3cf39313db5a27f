//! Objects of S3: what they are uploaded with, their tags, and whether a file or text is the same as one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use davit_aws::client::Call;
use davit_aws::transfer::{Object, Settings, Transfer};
use davit_aws::value::Map;
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::client::{Aws, failure};
use super::patience::says;
use super::s3;
use super::tags::{Shape, TagArgs, Tags};

/// An object that is looked after.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The account that must own the bucket.
    pub owner: Option<&'a str>,
}

impl Place<'_> {
    /// How it is called in what is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// The parameters that name it, with others.
    #[must_use]
    pub fn params(&self, others: Value) -> Value {
        let mut params = json!({"Bucket": self.bucket, "Key": self.key});
        params["ExpectedBucketOwner"] = self.owner.map_or(Value::Null, Into::into);
        if let (Value::Object(params), Value::Object(others)) = (&mut params, others) {
            params.extend(others);
        }
        params
    }

    /// What is known of it, or of a version; nothing where it is not there.
    ///
    /// # Errors
    /// What the service says otherwise.
    pub async fn head(&self, version: Option<&str>) -> Result<Option<Value>, ModuleError> {
        let params = self.params(json!({"VersionId": version}));
        let missing = ["404", "NoSuchKey", "NotFound", "NoSuchVersion"];
        let found = self.aws.find("s3", "HeadObject", params, &missing).await?;
        Ok(found.map(|it| davit_aws::Value::Map(it).to_json()))
    }

    /// Whether it holds just this.
    ///
    /// # Errors
    /// Where the file cannot be read, and what the service says.
    pub async fn is_same(&self, head: &Value, source: &Source) -> Result<bool, ModuleError> {
        if head["ContentLength"].as_u64() != source.length()? {
            return Ok(false);
        }
        let etag = head["ETag"].as_str().unwrap_or_default().trim_matches('"');
        let part = match etag.split_once('-') {
            None => None,
            Some((_, count)) => Some(self.part_length(head, count).await),
        };
        Ok(source.etag(part).await? == etag)
    }

    /// How long the parts are that it was put in. There are servers that cannot tell: then that is what
    /// this program makes.
    async fn part_length(&self, head: &Value, count: &str) -> u64 {
        let first = self.params(json!({"PartNumber": 1, "VersionId": head["VersionId"]}));
        let first = self.aws.call("s3", "HeadObject", first).await.ok();
        let first = first.and_then(|it| it.get("ContentLength").and_then(davit_aws::Value::as_int));
        let first = first.and_then(|it| u64::try_from(it).ok());
        let size = head["ContentLength"].as_u64().unwrap_or_default();
        part_length(size, count.parse().unwrap_or_default(), first)
    }

    /// The tags. Where they may not be seen, there are none as long as nothing is asked of them.
    ///
    /// # Errors
    /// What the service says.
    pub async fn tags(&self, is_asked: bool) -> Result<Tags, ModuleError> {
        let refused = ["AccessDenied", "NoSuchTagSet", "403"];
        match self.aws.attempt("s3", "GetObjectTagging", self.params(json!({}))).await {
            Ok(found) => Ok(Shape::USUAL.of(found.get("TagSet"))),
            Err(error) if !is_asked && (says(&error, s3::UNKNOWN) || says(&error, &refused)) => {
                Ok(Tags::new())
            }
            Err(error) => Err(failure(Some(("s3", "GetObjectTagging")), &error)),
        }
    }

    /// Brings the tags to what they should be. `is_new`: there are none yet.
    ///
    /// # Errors
    /// What the service says.
    pub async fn settle_tags(&self, wanted: &TagArgs, is_new: bool) -> Result<Tags, ModuleError> {
        let now = if is_new { Tags::new() } else { self.tags(wanted.tags.is_some()).await? };
        let change = wanted.change(&now);
        if change.is_empty() {
            return Ok(now);
        }
        let after = change.applied(&now);
        let edit = Edit::new("set its tags", self.url()).from(&now).to(&after);
        let (operation, params) = if after.is_empty() {
            ("DeleteObjectTagging", json!({}))
        } else {
            (
                "PutObjectTagging",
                json!({"Tagging": {"TagSet": Shape::USUAL.list(&after).to_json()}}),
            )
        };
        let params = self.params(params);
        let act = async || self.aws.insist("s3", operation, params, &["NoSuchKey"]).await;
        self.control.change(edit, act).await?;
        Ok(after)
    }

    /// A URL by which anyone can get it for so many seconds.
    ///
    /// # Errors
    /// Where there is nothing to sign with, or the time is longer than a week.
    pub async fn presigned(
        &self,
        version: Option<&str>,
        seconds: u64,
    ) -> Result<String, ModuleError> {
        let mut params = Map::new();
        let named =
            [("Bucket", Some(self.bucket)), ("Key", Some(self.key)), ("VersionId", version)];
        for (name, value) in named {
            params.extend(value.map(|it| (name.to_owned(), it.into())));
        }
        let call = Call::new("s3", "GetObject", params);
        let made = self.aws.client().presign(call, Duration::from_secs(seconds)).await;
        made.map_err(|error| failure(None, &error))
    }

    /// Puts something there. `extra` are further parameters.
    ///
    /// # Errors
    /// Where the file cannot be read, and what the service says.
    pub async fn put(&self, source: &Source, extra: Map) -> Result<(), ModuleError> {
        match source {
            Source::File(path) => {
                let transfer = Transfer::new(self.aws.client().clone(), Settings::default());
                let to = Object::new(self.bucket, self.key);
                let put = transfer.upload(path, &to, &extra).await;
                put.map_err(|error| failure(Some(("s3", "PutObject")), &error))
            }
            Source::Bytes(bytes) => {
                let mut params = extra;
                params.insert("Bucket".to_owned(), self.bucket.into());
                params.insert("Key".to_owned(), self.key.into());
                params.insert("Body".to_owned(), davit_aws::Value::Blob(bytes.clone().into()));
                let params = davit_aws::Value::Map(params);
                self.aws.call("s3", "PutObject", params).await.map(drop)
            }
        }
    }

    /// Puts it, or a version of it, into a file.
    ///
    /// # Errors
    /// Where the file cannot be written, and what the service says.
    pub async fn get_into(&self, version: Option<&str>, dest: &Path) -> Result<(), ModuleError> {
        let mut from = Object::new(self.bucket, self.key);
        from.version = version.map(str::to_owned);
        let owner = self.owner.map(|it| ("ExpectedBucketOwner".to_owned(), it.into()));
        let extra: Map = owner.into_iter().collect();
        let transfer = Transfer::new(self.aws.client().clone(), Settings::default());
        let got = transfer.download(&from, dest, &extra).await;
        got.map(drop).map_err(|error| failure(Some(("s3", "GetObject")), &error))
    }
}

/// Whether a file is newer than an object, or, without `file_first`, the other way round.
#[must_use]
pub fn is_newer(file: Option<&Path>, head: &Value, file_first: bool) -> bool {
    let object = head["LastModified"].as_str().and_then(davit_aws::time::parse);
    let modified = file.and_then(|it| it.metadata().ok()?.modified().ok());
    let (Some(object), Some(file)) = (object.map(SystemTime::from), modified) else { return true };
    if file_first { file > object } else { object > file }
}

/// What an object is to hold.
#[derive(Clone, Debug)]
pub enum Source {
    /// What a file holds.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Source {
    fn length(&self) -> Result<Option<u64>, ModuleError> {
        match self {
            Self::Bytes(bytes) => Ok(u64::try_from(bytes.len()).ok()),
            Self::File(path) => match path.metadata() {
                Ok(it) => Ok(Some(it.len())),
                Err(source) => Err(ModuleError::io("read", path, source)),
            },
        }
    }

    /// The ETag that S3 would have for it, where it is not encrypted with keys of KMS: that of one piece, or of
    /// parts of this size.
    async fn etag(&self, part: Option<u64>) -> Result<String, ModuleError> {
        let source = self.clone();
        let work = move || match &source {
            Self::Bytes(bytes) => etag(bytes.as_slice(), part),
            Self::File(path) => File::open(path).and_then(|it| etag(it, part)),
        };
        let done = tokio::task::spawn_blocking(work).await;
        let path = if let Self::File(path) = self { path.as_path() } else { Path::new("") };
        match done {
            Ok(Ok(etag)) => Ok(etag),
            Ok(Err(source)) => Err(ModuleError::io("read", path, source)),
            Err(_) => Err(ModuleError::Cancelled),
        }
    }
}

/// How long so many parts are, if the first is as long as was told.
fn part_length(size: u64, count: u64, first: Option<u64>) -> u64 {
    let fits = |part: &u64| *part > 0 && size.div_ceil(*part).max(1) == count;
    first.filter(fits).unwrap_or_else(|| Settings::default().part)
}

fn etag(mut from: impl Read, part: Option<u64>) -> std::io::Result<String> {
    let mut all = Md5::new();
    let mut count = 0_u64;
    loop {
        let mut sum = Md5::new();
        let length = match part {
            Some(part) => copy(&mut from.by_ref().take(part), &mut sum)?,
            None => copy(&mut from, &mut sum)?,
        };
        let sum = sum.finalize();
        let Some(part) = part else { return Ok(hex(&sum)) };
        if length > 0 || count == 0 {
            all.update(sum);
            count += 1;
        }
        if length < part {
            return Ok(format!("{}-{count}", hex(&all.finalize())));
        }
    }
}

fn copy(from: &mut impl Read, to: &mut Md5) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(length);
        }
        to.update(&buffer[..read]);
        length += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

/// Parameters of an upload that may stand among headers and metadata.
const KNOWN: &[&str] = &[
    "ACL",
    "CacheControl",
    "ChecksumAlgorithm",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "GrantFullControl",
    "GrantRead",
    "GrantReadACP",
    "GrantWriteACP",
    "ObjectLockLegalHoldStatus",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "RequestPayer",
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
    "SSEKMSEncryptionContext",
    "SSEKMSKeyId",
    "ServerSideEncryption",
    "StorageClass",
    "Tagging",
    "WebsiteRedirectLocation",
];

/// Sorts what a task says of headers and metadata: what S3 knows are parameters (`Content-Type` is `ContentType`), all
/// else is kept with the object under `Metadata`.
#[must_use]
pub fn sorted(said: &[Option<&serde_json::Map<String, Value>>]) -> Map {
    let mut params = Map::new();
    let mut kept = Map::new();
    for (name, value) in said.iter().flatten().flat_map(|it| it.iter()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let plain = name.replace('-', "");
        let (to, name) = match KNOWN.iter().find(|it| **it == plain) {
            Some(known) => (&mut params, (*known).to_owned()),
            None => (&mut kept, name.clone()),
        };
        to.insert(name, text.as_str().into());
    }
    if !kept.is_empty() {
        params.insert("Metadata".to_owned(), davit_aws::Value::Map(kept));
    }
    params
}

/// What files are, by the ends of their names.
const MEDIA: &[(&str, &str)] = &[
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ps", "application/postscript"),
    ("sh", "application/x-sh"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/x-wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "text/xml"),
    ("zip", "application/zip"),
];

/// What a file is by its name, or else just bytes.
#[must_use]
pub fn media_type(path: &Path) -> &'static str {
    known_media_type(path).unwrap_or("binary/octet-stream")
}

/// What a file is by its name, where that says it.
#[must_use]
pub fn known_media_type(path: &Path) -> Option<&'static str> {
    let end = path.extension()?.to_str()?.to_lowercase();
    MEDIA.iter().find(|(known, _)| *known == end).map(|(_, media)| *media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_those_of_s3() {
        assert_eq!(etag(&b"hello"[..], None).unwrap(), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(etag(&b""[..], None).unwrap(), "d41d8cd98f00b204e9800998ecf8427e");
        let two = etag(&b"hello"[..], Some(3)).unwrap();
        assert!(two.ends_with("-2"), "{two}");
        assert!(etag(&b"helloo"[..], Some(3)).unwrap().ends_with("-2"));
        assert!(etag(&b""[..], Some(3)).unwrap().ends_with("-1"));
    }

    #[test]
    fn parts_of_servers_that_cannot_tell_are_as_ours() {
        for (size, count, first, part) in [
            (20 << 20, 2, Some(16 << 20), 16 << 20),
            (20 << 20, 3, Some(20 << 20), 8 << 20),
            (20 << 20, 3, Some(0), 8 << 20),
            (20 << 20, 3, None, 8 << 20),
            (0, 1, Some(5), 5),
        ] {
            assert_eq!(part_length(size, count, first), part);
        }
    }

    #[test]
    fn headers_are_told_from_metadata() {
        let said =
            json!({"Content-Type": "a/b", "CacheControl": "no-cache", "content_type": "x", "n": 1});
        let sorted = davit_aws::Value::Map(sorted(&[said.as_object(), None])).to_json();
        let expect = json!({
            "ContentType": "a/b", "CacheControl": "no-cache", "Metadata": {"content_type": "x", "n": "1"},
        });
        assert_eq!(sorted, expect);
        assert_eq!(media_type(Path::new("a/b.HTML")), "text/html");
        assert_eq!(media_type(Path::new("a/b")), "binary/octet-stream");
    }
}
