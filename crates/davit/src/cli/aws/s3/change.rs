//! `davit aws s3 rm`, `mb` and `rb`.

use davit_aws::Client;
use davit_aws::session::Session;
use davit_aws::value::{Map, Value};
use serde_json::json;

use super::super::codes;
use super::plan::{self, Filters};
use super::{fatal, object_of, place_or};
use crate::report::{Report, exit, print};

/// Remove objects.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Remove {
    /// `s3://BUCKET/KEY`.
    place: String,
    /// All that is below.
    #[arg(long)]
    recursive: bool,
    /// Only say what would be removed.
    #[arg(long, visible_alias = "dry-run")]
    dryrun: bool,
    /// Say nothing.
    #[arg(long, visible_alias = "only-show-errors")]
    quiet: bool,
    /// Leave out what fits; the last of these that fits counts.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Take what fits, though it is excluded before.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// How many objects a page of a list has.
    #[arg(long, value_name = "COUNT")]
    page_size: Option<u32>,
    /// Who pays, of buckets whose owners do not.
    #[arg(long, value_parser = ["requester"])]
    request_payer: Option<String>,
}

impl Remove {
    fn of_list(&self) -> Map {
        let mut params = self.payer();
        if let Some(size) = self.page_size {
            params.insert("MaxKeys".to_owned(), i64::from(size).into());
        }
        params
    }

    fn how(&self) -> Delete {
        Delete { dry: self.dryrun, quiet: self.quiet, extra: self.payer() }
    }

    fn payer(&self) -> Map {
        let payer = self.request_payer.as_deref();
        payer.map(|it| ("RequestPayer".to_owned(), it.into())).into_iter().collect()
    }
}

/// How objects are removed.
#[derive(Debug, Default)]
pub(super) struct Delete {
    /// Only say what would be removed.
    pub(super) dry: bool,
    /// Say nothing but errors.
    pub(super) quiet: bool,
    /// Further parameters of the operation.
    pub(super) extra: Map,
}

/// S3 removes no more at once.
const AT_ONCE: usize = 1000;

/// Removes objects.
pub(super) async fn remove(
    client: &Client,
    args: &Remove,
    filters: &Filters,
) -> Result<u8, Report> {
    if !args.recursive {
        let object = object_of(&args.place)?;
        return delete(client, &object.bucket, vec![object.key], &args.how()).await;
    }
    let (bucket, prefix) = place_or(&args.place)?;
    let prefix = folder(&prefix);
    let there = plan::objects(client, &bucket, &prefix, args.of_list()).await?;
    let keys = there.found.into_keys().filter(|it| filters.take(it));
    let mut keys: Vec<String> = keys.map(|it| format!("{prefix}{it}")).collect();
    if filters.take("") {
        keys.extend(markers(client, &bucket, &prefix).await?);
    }
    delete(client, &bucket, keys, &args.how()).await
}

/// Objects without content whose names end in a slash: some programs show them as folders.
async fn markers(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<String>, Report> {
    let params = json!({"Bucket": bucket, "Prefix": prefix});
    let all = client.all("s3", "ListObjectsV2", map(params)).await;
    let all = all.map_err(|error| fatal(&error))?;
    let keys = all.get("Contents").map(Value::items).unwrap_or_default().iter();
    let keys = keys.filter(|it| plan::number(it.get("Size")) == 0);
    let keys = keys.filter_map(|it| it.get("Key").and_then(Value::as_str));
    Ok(keys.filter(|it| it.ends_with('/')).map(str::to_owned).collect())
}

/// A prefix as a folder's: what is below `a`, not what begins with it.
pub(super) fn folder(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        prefix.to_owned()
    } else {
        format!("{prefix}/")
    }
}

/// Removes objects by their keys, and says which.
pub(super) async fn delete(
    client: &Client,
    bucket: &str,
    keys: Vec<String>,
    how: &Delete,
) -> Result<u8, Report> {
    let Delete { dry, quiet, extra } = how;
    let mut failed = false;
    for keys in keys.chunks(AT_ONCE) {
        let mut refused: Vec<(String, String)> = Vec::new();
        if !*dry {
            let objects: Vec<_> = keys.iter().map(|it| json!({"Key": it})).collect();
            let params = json!({"Bucket": bucket, "Delete": {"Objects": objects, "Quiet": true}});
            let mut params = map(params);
            params.extend(extra.clone());
            let output = client.call("s3", "DeleteObjects", params).await;
            let output = output.map_err(|error| fatal(&error))?;
            for error in output.get("Errors").map(Value::items).unwrap_or_default() {
                let part = |name: &str| {
                    error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                refused.push((part("Key"), format!("{}: {}", part("Code"), part("Message"))));
            }
        }
        let mut text = String::new();
        for key in keys {
            if let Some((_, reason)) = refused.iter().find(|(it, _)| it == key) {
                failed = true;
                crate::report::say(&format!("delete failed: s3://{bucket}/{key} {reason}"));
            } else if !*quiet {
                let dry = if *dry { "(dryrun) " } else { "" };
                text.push_str(&format!("{dry}delete: s3://{bucket}/{key}\n"));
            }
        }
        print(&text)?;
    }
    Ok(if failed { exit::ERROR } else { exit::OK })
}

/// Makes a bucket where the session calls. `tags` are keys and values in turn.
pub(super) async fn make_bucket(
    session: &Session,
    place: &str,
    tags: &[String],
) -> Result<u8, Report> {
    let (bucket, _) = place_or(place)?;
    let params = new_bucket(&bucket, session.settings.region.as_deref(), tags);
    let made = session.client.call("s3", "CreateBucket", map(params)).await;
    made.map_err(|error| fatal(&error))?;
    print(&format!("make_bucket: {bucket}\n"))?;
    Ok(exit::OK)
}

/// The parameters that make a bucket.
fn new_bucket(bucket: &str, region: Option<&str>, tags: &[String]) -> serde_json::Value {
    let mut params = json!({"Bucket": bucket});
    if let Some(region) = region.filter(|it| *it != "us-east-1" && *it != "aws-global") {
        params["CreateBucketConfiguration"] = json!({"LocationConstraint": region});
    }
    if !tags.is_empty() {
        let tags = tags.chunks_exact(2).map(|it| json!({"Key": it[0], "Value": it[1]}));
        params["CreateBucketConfiguration"]["Tags"] = tags.collect();
    }
    params
}

/// Removes a bucket, with all that is in it where that is asked for.
pub(super) async fn remove_bucket(client: &Client, place: &str, force: bool) -> Result<u8, Report> {
    let (bucket, key) = place_or(place)?;
    if !key.is_empty() {
        let text = format!("{place:?} names an object: to remove a bucket write s3://{bucket}");
        return Err(Report::new(text).code(codes::USAGE));
    }
    if force {
        let there = plan::objects(client, &bucket, "", Map::new()).await?;
        let mut keys: Vec<String> = there.found.into_keys().collect();
        keys.extend(markers(client, &bucket, "").await?);
        let code = delete(client, &bucket, keys, &Delete::default()).await?;
        if code != exit::OK {
            return Ok(code);
        }
    }
    let removed = client.call("s3", "DeleteBucket", map(json!({"Bucket": bucket}))).await;
    removed.map_err(|error| fatal(&error))?;
    print(&format!("remove_bucket: {bucket}\n"))?;
    Ok(exit::OK)
}

pub(super) fn map(json: serde_json::Value) -> Map {
    match Value::from(json) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_made_where_the_session_calls_and_with_their_tags() {
        let tags = ["team", "web", "stage", "test"].map(str::to_owned);
        let tagged = json!([{"Key": "team", "Value": "web"}, {"Key": "stage", "Value": "test"}]);
        let of = |region, tags| new_bucket("b", region, tags)["CreateBucketConfiguration"].clone();
        assert_eq!(of(Some("us-east-1"), &[]), json!(null));
        assert_eq!(of(None, &tags), json!({"Tags": tagged}));
        assert_eq!(
            of(Some("eu-west-1"), &tags),
            json!({"LocationConstraint": "eu-west-1", "Tags": tagged})
        );
    }
}
