//! How `cp`, `mv` and `sync` copy: their options, and the parameters of S3's operations that they stand for.

use davit_aws::value::{Map, Value};

use super::super::{call, codes};
use crate::report::Report;

/// How things are copied.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    /// Only say what would be done.
    #[arg(long, visible_alias = "dry-run")]
    pub(super) dryrun: bool,
    /// Say nothing but errors.
    #[arg(long, visible_alias = "only-show-errors")]
    pub(super) quiet: bool,
    /// Show no progress.
    #[arg(long)]
    pub(super) no_progress: bool,
    /// Go on with what was cut off before, and leave what is cut off to be gone on with.
    #[arg(long)]
    pub(super) resume: bool,
    /// Leave out what fits; the last of these that fits counts.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Take what fits, though it is excluded before.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Go where links lead: that is so without it.
    #[arg(long, overrides_with = "no_follow_symlinks")]
    follow_symlinks: bool,
    /// Leave out links.
    #[arg(long)]
    pub(super) no_follow_symlinks: bool,
    /// How many objects a page of a list has.
    #[arg(long, value_name = "COUNT")]
    pub(super) page_size: Option<u32>,
    /// Where the bucket is that is copied from. It is found out without it.
    #[arg(long, value_name = "REGION")]
    pub(super) source_region: Option<String>,
    /// Copy what is in an archive too: what was restored is only then found below a prefix.
    #[arg(long)]
    pub(super) force_glacier_transfer: bool,
    /// Say nothing of what is left out because it is in an archive.
    #[arg(long)]
    pub(super) ignore_glacier_warnings: bool,
    #[command(flatten)]
    about: About,
}

/// What is said of objects.
#[derive(Clone, Debug, clap::Args)]
struct About {
    /// Who may read: `private`, `public-read` ...
    #[arg(long)]
    acl: Option<String>,
    /// `read=GRANTEE`, `readacl=`, `writeacl=` or `full=`.
    #[arg(long, num_args = 1.., value_name = "PERMISSION=GRANTEE")]
    grants: Vec<String>,
    /// `STANDARD_IA`, `GLACIER` ...
    #[arg(long)]
    storage_class: Option<String>,
    /// How S3 encrypts: `AES256` or `aws:kms`.
    #[arg(long, num_args = 0..=1, default_missing_value = "AES256")]
    sse: Option<String>,
    /// The key for `--sse aws:kms`.
    #[arg(long)]
    sse_kms_key_id: Option<String>,
    /// S3 encrypts with the key of `--sse-c-key`.
    #[arg(long, num_args = 0..=1, default_missing_value = "AES256", requires = "sse_c_key")]
    sse_c: Option<String>,
    /// The key: `fileb://FILE`, or its text.
    #[arg(long, value_name = "KEY", requires = "sse_c")]
    sse_c_key: Option<String>,
    /// What is copied is encrypted with the key of `--sse-c-copy-source-key`.
    #[arg(long, num_args = 0..=1, default_missing_value = "AES256", requires = "sse_c_copy_source_key")]
    sse_c_copy_source: Option<String>,
    /// That key.
    #[arg(long, value_name = "KEY", requires = "sse_c_copy_source")]
    sse_c_copy_source_key: Option<String>,
    /// Which checksum goes along: `CRC32`, `SHA256` ...
    #[arg(long)]
    checksum_algorithm: Option<String>,
    /// Whether checksums of what comes are asked for.
    #[arg(long, value_parser = ["ENABLED"])]
    checksum_mode: Option<String>,
    /// Who pays, of buckets whose owners do not.
    #[arg(long, value_parser = ["requester"])]
    request_payer: Option<String>,
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
    /// When caches forget it.
    #[arg(long)]
    expires: Option<String>,
    /// Where a website leads instead.
    #[arg(long)]
    website_redirect: Option<String>,
    /// `KEY=VALUE,KEY=VALUE`, or JSON.
    #[arg(long)]
    metadata: Option<String>,
    /// For copies: `COPY` or `REPLACE`.
    #[arg(long)]
    metadata_directive: Option<String>,
}

impl How {
    /// Of what is fetched, and of the heads of objects.
    pub(super) fn of_download(&self) -> Result<Map, Report> {
        let about = &self.about;
        let mut extra = Map::new();
        put(&mut extra, "RequestPayer", &about.request_payer);
        put(&mut extra, "ChecksumMode", &about.checksum_mode);
        put(&mut extra, "SSECustomerAlgorithm", &about.sse_c);
        put_key(&mut extra, "SSECustomerKey", about.sse_c_key.as_deref())?;
        Ok(extra)
    }

    /// Of the head of what is copied.
    pub(super) fn of_source(&self) -> Result<Map, Report> {
        let about = &self.about;
        let mut extra = Map::new();
        put(&mut extra, "RequestPayer", &about.request_payer);
        put(&mut extra, "SSECustomerAlgorithm", &about.sse_c_copy_source);
        put_key(&mut extra, "SSECustomerKey", about.sse_c_copy_source_key.as_deref())?;
        Ok(extra)
    }

    /// Of what is removed.
    pub(super) fn of_delete(&self) -> Map {
        let mut extra = Map::new();
        put(&mut extra, "RequestPayer", &self.about.request_payer);
        extra
    }

    /// Of lists.
    pub(super) fn of_list(&self) -> Map {
        let mut extra = self.of_delete();
        if let Some(size) = self.page_size {
            extra.insert("MaxKeys".to_owned(), i64::from(size).into());
        }
        extra
    }

    /// Of what is sent, whose type a file's name tells.
    pub(super) fn of_upload(&self, file: Option<&str>) -> Result<Map, Report> {
        let mut extra = self.of_both()?;
        if !self.about.no_guess_mime_type
            && let Some(guess) = file.and_then(|it| mime_guess::from_path(it).first_raw())
        {
            extra.entry("ContentType".to_owned()).or_insert_with(|| guess.into());
        }
        Ok(extra)
    }

    /// Of what is copied from object to object. What is said anew takes the place of what the source has.
    pub(super) fn of_copy(&self) -> Result<Map, Report> {
        let about = &self.about;
        let mut extra = self.of_both()?;
        put(&mut extra, "CopySourceSSECustomerAlgorithm", &about.sse_c_copy_source);
        let key = about.sse_c_copy_source_key.as_deref();
        put_key(&mut extra, "CopySourceSSECustomerKey", key)?;
        put(&mut extra, "MetadataDirective", &about.metadata_directive);
        if extra.contains_key("Metadata") {
            let directive = extra.entry("MetadataDirective".to_owned());
            directive.or_insert_with(|| "REPLACE".into());
        }
        Ok(extra)
    }

    fn of_both(&self) -> Result<Map, Report> {
        let about = &self.about;
        let mut extra = Map::new();
        for (name, value) in [
            ("ACL", &about.acl),
            ("StorageClass", &about.storage_class),
            ("ServerSideEncryption", &about.sse),
            ("SSEKMSKeyId", &about.sse_kms_key_id),
            ("SSECustomerAlgorithm", &about.sse_c),
            ("ChecksumAlgorithm", &about.checksum_algorithm),
            ("RequestPayer", &about.request_payer),
            ("ContentType", &about.content_type),
            ("CacheControl", &about.cache_control),
            ("ContentDisposition", &about.content_disposition),
            ("ContentEncoding", &about.content_encoding),
            ("ContentLanguage", &about.content_language),
            ("Expires", &about.expires),
            ("WebsiteRedirectLocation", &about.website_redirect),
        ] {
            put(&mut extra, name, value);
        }
        put_key(&mut extra, "SSECustomerKey", about.sse_c_key.as_deref())?;
        for grant in &about.grants {
            let (name, grantee) = permission(grant)?;
            extra.insert(name.to_owned(), grantee.into());
        }
        if let Some(text) = &about.metadata {
            extra.insert("Metadata".to_owned(), metadata(text)?);
        }
        Ok(extra)
    }
}

fn put(extra: &mut Map, name: &str, value: &Option<String>) {
    if let Some(value) = value {
        extra.insert(name.to_owned(), value.as_str().into());
    }
}

/// A key to encrypt with, from its text or a file.
fn put_key(extra: &mut Map, name: &str, key: Option<&str>) -> Result<(), Report> {
    let Some(key) = key else { return Ok(()) };
    let file = key.strip_prefix("fileb://").or_else(|| key.strip_prefix("file://"));
    let value = match file {
        Some(path) => {
            let read = call::read(path);
            let bytes = read.map_err(|error| {
                Report::new(format!("the key in {path} cannot be read: {error}")).code(codes::USAGE)
            })?;
            Value::Blob(bytes.into())
        }
        None => key.into(),
    };
    extra.insert(name.to_owned(), value);
    Ok(())
}

/// The parameter of a grant, and whom it is for.
fn permission(grant: &str) -> Result<(&'static str, &str), Report> {
    let parts = grant.split_once('=').and_then(|(permission, grantee)| {
        let name = match permission {
            "read" => "GrantRead",
            "readacl" => "GrantReadACP",
            "writeacl" => "GrantWriteACP",
            "full" => "GrantFullControl",
            _ => return None,
        };
        Some((name, grantee))
    });
    parts.ok_or_else(|| {
        let text = "--grants takes read=, readacl=, writeacl= or full= and whom it is for";
        Report::new(format!("{text}, not {grant:?}")).code(codes::USAGE)
    })
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        how: How,
    }

    fn how(line: &str) -> How {
        Line::parse_from(std::iter::once("cp").chain(line.split_whitespace())).how
    }

    fn json(map: Result<Map, Report>) -> String {
        map.map_or_else(|it| it.text(false), |it| Value::Map(it).to_json().to_string())
    }

    #[test]
    fn options_become_parameters() {
        let of = |line: &str| json(how(line).of_upload(Some("a.txt")));
        assert_eq!(of(""), r#"{"ContentType":"text/plain"}"#);
        assert_eq!(of("--no-guess-mime-type --sse"), r#"{"ServerSideEncryption":"AES256"}"#);
        assert_eq!(
            of("--content-type a/b --grants read=id=1 full=id=2 --request-payer requester"),
            r#"{"RequestPayer":"requester","ContentType":"a/b","GrantRead":"id=1","GrantFullControl":"id=2"}"#
        );
        assert!(of("--grants all=x").contains("--grants takes read="));
        let line = "--sse-c AES256 --sse-c-key secret";
        let key = r#"{"SSECustomerAlgorithm":"AES256","SSECustomerKey":"secret"}"#;
        assert_eq!(json(how(line).of_download()), key);
        assert_eq!(json(Ok(how("--page-size 5").of_list())), r#"{"MaxKeys":5}"#);
    }

    #[test]
    fn new_metadata_take_the_place_of_the_sources() {
        let of = |line: &str| json(how(line).of_copy());
        assert_eq!(of(""), "{}");
        assert_eq!(of("--metadata a=1"), r#"{"Metadata":{"a":"1"},"MetadataDirective":"REPLACE"}"#);
        assert!(of("--metadata a=1 --metadata-directive COPY").contains(r#"Directive":"COPY""#));
        let line = "--sse-c-copy-source AES256 --sse-c-copy-source-key secret";
        assert_eq!(
            json(how(line).of_source()),
            r#"{"SSECustomerAlgorithm":"AES256","SSECustomerKey":"secret"}"#
        );
        assert!(of(line).contains("CopySourceSSECustomerKey"));
    }

    #[test]
    fn metadata_is_read_in_both_forms() {
        let read = |text| metadata(text).map(|it| it.to_json().to_string());
        assert_eq!(read("a=1,b=x=y").expect("readable"), r#"{"a":"1","b":"x=y"}"#);
        assert_eq!(read(r#"{"a": "1"}"#).expect("readable"), r#"{"a":"1"}"#);
        assert!(read("a").is_err());
    }
}
