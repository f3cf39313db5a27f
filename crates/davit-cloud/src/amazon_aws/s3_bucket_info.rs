//! `amazon.aws.s3_bucket_info`: which buckets there are, and how they are set up.

use davit_aws::value::Map;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::patience::says;
use crate::aws::s3::Setting;
use crate::aws::tags::Shape;

/// Say which buckets there are and, where asked for, how they are set up.
///
/// The result has `buckets`: each with `name`, `creation_date` and what `bucket_facts` asks for, in the words of S3.
///
/// ```yaml
/// - amazon.aws.s3_bucket_info:
///     name_filter: logs
///     bucket_facts: {bucket_tagging: true, bucket_location: true}
///   register: found
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The one bucket to look at.
    #[serde(default)]
    name: String,
    /// Only buckets whose names have this text in them.
    #[serde(default)]
    name_filter: String,
    /// What to say of each bucket. Each takes a call.
    #[serde(default)]
    bucket_facts: Option<Facts>,
    /// Say `us-east-1` where S3 says nothing of where a bucket is.
    #[serde(default)]
    transform_location: bool,
    #[serde(flatten)]
    login: Login,
}

/// What to say of a bucket.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
struct Facts {
    /// Whether data goes over AWS's network.
    #[serde(default)]
    bucket_accelerate_configuration: bool,
    /// Who may do what.
    #[serde(default)]
    bucket_acl: bool,
    /// What pages of other servers may do.
    #[serde(default)]
    bucket_cors: bool,
    /// How new objects are encrypted.
    #[serde(default)]
    bucket_encryption: bool,
    /// What becomes of objects with time.
    #[serde(default)]
    bucket_lifecycle_configuration: bool,
    /// Where it is.
    #[serde(default)]
    bucket_location: bool,
    /// Where it is written down who looks at it.
    #[serde(default)]
    bucket_logging: bool,
    /// Who is told of changes.
    #[serde(default)]
    bucket_notification_configuration: bool,
    /// Who owns objects.
    #[serde(default)]
    bucket_ownership_controls: bool,
    /// The policy.
    #[serde(default)]
    bucket_policy: bool,
    /// Whether the policy opens it to all.
    #[serde(default)]
    bucket_policy_status: bool,
    /// Where it is copied to.
    #[serde(default)]
    bucket_replication: bool,
    /// Who pays.
    #[serde(default)]
    bucket_request_payment: bool,
    /// Its tags.
    #[serde(default)]
    bucket_tagging: bool,
    /// Whether versions are kept.
    #[serde(default)]
    bucket_versioning: bool,
    /// How it is a web site.
    #[serde(default)]
    bucket_website: bool,
    /// What keeps it from being open to all.
    #[serde(default)]
    public_access_block: bool,
}

/// How each is read.
const FACTS: &[(&str, Setting)] = &[
    ("bucket_accelerate_configuration", all("GetBucketAccelerateConfiguration", &[])),
    ("bucket_acl", all("GetBucketAcl", &[])),
    ("bucket_cors", all("GetBucketCors", &["NoSuchCORSConfiguration"])),
    (
        "bucket_encryption",
        all("GetBucketEncryption", &["ServerSideEncryptionConfigurationNotFoundError"]),
    ),
    (
        "bucket_lifecycle_configuration",
        all("GetBucketLifecycleConfiguration", &["NoSuchLifecycleConfiguration"]),
    ),
    ("bucket_location", all("GetBucketLocation", &[])),
    ("bucket_logging", all("GetBucketLogging", &[])),
    ("bucket_notification_configuration", all("GetBucketNotificationConfiguration", &[])),
    (
        "bucket_ownership_controls",
        all("GetBucketOwnershipControls", &["OwnershipControlsNotFoundError"]),
    ),
    (
        "bucket_policy",
        Setting { get: "GetBucketPolicy", member: "Policy", missing: &["NoSuchBucketPolicy"] },
    ),
    ("bucket_policy_status", all("GetBucketPolicyStatus", &["NoSuchBucketPolicy"])),
    ("bucket_replication", all("GetBucketReplication", &["ReplicationConfigurationNotFoundError"])),
    ("bucket_request_payment", all("GetBucketRequestPayment", &[])),
    (
        "bucket_tagging",
        Setting { get: "GetBucketTagging", member: "TagSet", missing: &["NoSuchTagSet"] },
    ),
    ("bucket_versioning", all("GetBucketVersioning", &[])),
    ("bucket_website", all("GetBucketWebsite", &["NoSuchWebsiteConfiguration"])),
    ("public_access_block", all("GetPublicAccessBlock", &["NoSuchPublicAccessBlockConfiguration"])),
];

/// A setting that is the whole of an answer.
const fn all(get: &'static str, missing: &'static [&'static str]) -> Setting {
    Setting { get, member: "", missing }
}

/// `amazon.aws.s3_bucket_info`.
pub(crate) struct S3BucketInfo;

impl Module for S3BucketInfo {
    const NAME: &'static str = "amazon.aws.s3_bucket_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.aws_s3_bucket_info"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let found = aws.all("s3", "ListBuckets", Map::new()).await?;
        let asked = json!(args.bucket_facts);
        let mut buckets = Vec::new();
        for bucket in found.get("Buckets").map(davit_aws::Value::items).unwrap_or_default() {
            let name = bucket.get("Name").and_then(davit_aws::Value::as_str).unwrap_or_default();
            let is_meant = if args.name.is_empty() {
                name.contains(&args.name_filter)
            } else {
                name == args.name
            };
            if is_meant {
                let made = bucket.get("CreationDate").map(davit_aws::Value::to_json);
                let mut told = json!({"name": name, "creation_date": made});
                for (fact, setting) in FACTS.iter().filter(|it| asked[it.0] == true) {
                    told[fact] = args.fact(&aws, name, fact, *setting).await?;
                }
                buckets.push(told);
            }
        }
        let mut outcome = Outcome::new().with("buckets", buckets).msg("Retrieved s3 info.");
        for (key, said) in [("bucket_name", &args.name), ("bucket_name_filter", &args.name_filter)]
        {
            if !said.is_empty() {
                outcome.set(key, said);
            }
        }
        Ok(aws.tell(outcome))
    }
}

impl Args {
    async fn fact(
        &self,
        aws: &Aws,
        bucket: &str,
        name: &str,
        setting: Setting,
    ) -> Result<Value, ModuleError> {
        let found = match setting.of(aws, bucket).await {
            Ok(found) => found,
            // One bucket of many may be another's, or gone by now: the others are told nevertheless.
            Err(error) if says(&error, &["AccessDenied", "NoSuchBucket", "NotImplemented"]) => {
                Value::Null
            }
            Err(error) => return Err(failure(Some(("s3", setting.get)), &error)),
        };
        Ok(match name {
            "bucket_tagging" => json!(Shape::USUAL.tags(&found.into())),
            "bucket_location" => {
                let place = &found["LocationConstraint"];
                let is_unsaid = place.as_str().is_none_or(str::is_empty);
                match (is_unsaid, self.transform_location) {
                    (true, true) => json!({"LocationConstraint": "us-east-1"}),
                    (true, false) => json!({"LocationConstraint": null}),
                    (false, _) => json!({"LocationConstraint": place}),
                }
            }
            _ if found.is_null() => json!({}),
            _ => found,
        })
    }
}
