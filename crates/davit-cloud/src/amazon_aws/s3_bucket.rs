//! `amazon.aws.s3_bucket`: a bucket of S3 and its settings.

use std::time::Duration;

use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::args::{State, yes};
use crate::aws::bucket::{self, Bucket};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::s3;
use crate::aws::tags::TagArgs;

/// Make a bucket of S3, bring its settings to what they should be, or delete it.
///
/// Settings that the task does not speak of stay as they are. A new bucket is private, as AWS makes it.
///
/// The result has `name` and the settings: `versioning`, `requester_pays`, `policy`, `tags`, `encryption`,
/// `public_access_block`, `object_ownership`, `acl`, `acl_grants`, `object_lock_enabled`,
/// `object_lock_default_retention`, `accelerate_enabled`, `bucket_inventory`.
///
/// ```yaml
/// - amazon.aws.s3_bucket:
///     name: logs-of-mine
///     versioning: true
///     encryption: aws:kms
///     public_access: {block_public_acls: true, block_public_policy: true}
///     tags: {team: web}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The bucket's name.
    name: String,
    /// Whether there should be such a bucket.
    #[serde(default)]
    state: State,
    /// Delete what is in the bucket first, with all versions, where the bucket is to be deleted.
    #[serde(default)]
    force: bool,
    /// Who may see it besides its owner, by a name that AWS has for such lists.
    #[serde(default)]
    acl: Option<Acl>,
    /// Whether data goes over AWS's own network, from wherever it comes.
    #[serde(default)]
    accelerate_enabled: Option<bool>,
    /// Whether keys of KMS are asked for once for many objects. Only with `encryption: aws:kms`.
    #[serde(default)]
    bucket_key_enabled: Option<bool>,
    /// The server is Ceph: `endpoint_url` has to say where.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["rgw"]))]
    ceph: bool,
    /// Remove what is set by `object_ownership`.
    #[serde(default)]
    delete_object_ownership: bool,
    /// Remove what is set by `public_access`.
    #[serde(default)]
    delete_public_access: bool,
    /// Call by the addresses that IPv6 reaches too.
    #[serde(default)]
    dualstack: bool,
    /// How new objects are encrypted. `none` takes the setting away, and AWS's own counts.
    #[serde(default)]
    encryption: Option<Encryption>,
    /// The key of KMS for it; without it, AWS's own for S3.
    #[serde(default)]
    encryption_key_id: Option<String>,
    /// The lists of its objects that S3 writes every day or week. Others are removed.
    #[serde(default)]
    inventory: Option<Vec<Inventory>>,
    /// For how long no new object may be changed or deleted.
    #[serde(default)]
    object_lock_default_retention: Option<Retention>,
    /// Whether objects can be kept from being changed. It cannot be turned off.
    #[serde(default)]
    object_lock_enabled: Option<bool>,
    /// Who owns the objects that others put there.
    #[serde(default)]
    object_ownership: Option<Ownership>,
    /// The policy, as JSON. The text `null` removes it.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    policy: Option<String>,
    /// What keeps the bucket from being open to all, whatever else says so.
    #[serde(default)]
    public_access: Option<PublicAccess>,
    /// Whether those who get something pay for it.
    #[serde(default)]
    requester_pays: Option<bool>,
    /// Hold the name against the rules that AWS has for them.
    #[serde(default = "yes")]
    validate_bucket_name: bool,
    /// Whether old versions of objects are kept. Off only suspends it, once it was on.
    #[serde(default)]
    versioning: Option<bool>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// Lists of who may do what.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Acl {
    /// Nobody else.
    Private,
    /// All may read.
    PublicRead,
    /// All may read and write.
    PublicReadWrite,
    /// Whoever has an account of AWS may read.
    AuthenticatedRead,
}

/// Ways to encrypt.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
enum Encryption {
    /// As AWS does by itself.
    #[serde(rename = "none")]
    None,
    /// With keys of S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// With keys of KMS.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// Who owns objects.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
enum Ownership {
    /// The bucket's owner; access lists do not count.
    BucketOwnerEnforced,
    /// The bucket's owner, where the one who writes gives it all rights.
    BucketOwnerPreferred,
    /// The one who writes.
    ObjectWriter,
}

/// What keeps a bucket from being open to all.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
struct PublicAccess {
    /// Refuse access lists that are open to all.
    #[serde(default)]
    block_public_acls: bool,
    /// Refuse policies that are open to all.
    #[serde(default)]
    block_public_policy: bool,
    /// Take access lists that are open to all for closed.
    #[serde(default)]
    ignore_public_acls: bool,
    /// Keep all but the owner and AWS out of a bucket whose policy is open to all.
    #[serde(default)]
    restrict_public_buckets: bool,
}

/// For how long objects are kept from being changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Retention {
    /// Whether there is anybody who may change them nevertheless.
    mode: RetentionMode,
    /// So many days. Either this or `years`.
    #[serde(default)]
    days: Option<i64>,
    /// So many years.
    #[serde(default)]
    years: Option<i64>,
}

/// Who may change what is kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum RetentionMode {
    /// Those who are allowed to.
    Governance,
    /// Nobody.
    Compliance,
}

/// A list of objects that S3 writes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Inventory {
    /// Its name.
    id: String,
    /// Where it is written to.
    destination: Destination,
    /// Only objects whose keys begin so.
    #[serde(default)]
    filter: Option<String>,
    /// How often it is written.
    #[schemars(extend("x-choices" = ["Daily", "Weekly"]))]
    schedule: String,
    /// Which versions of objects are listed.
    #[schemars(extend("x-choices" = ["All", "Current"]))]
    included_object_versions: String,
    /// What is said of each object besides its key.
    #[serde(default)]
    #[schemars(extend("x-choices" = [
        "BucketKeyStatus", "ChecksumAlgorithm", "ETag", "EncryptionStatus", "IntelligentTieringAccessTier",
        "IsMultipartUploaded", "LastModifiedDate", "ObjectAccessControlList", "ObjectLockLegalHoldStatus",
        "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectOwner", "ReplicationStatus", "Size", "StorageClass",
    ]))]
    optional_fields: Option<Vec<String>>,
}

/// Where a list is written to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Destination {
    /// The ARN of a bucket.
    bucket: String,
    /// In which format.
    #[schemars(extend("x-choices" = ["CSV", "ORC", "Parquet"]))]
    format: String,
    /// What the keys of the lists begin with.
    #[serde(default)]
    prefix: Option<String>,
    /// The account that must own the bucket.
    #[serde(default)]
    account_id: Option<String>,
}

impl Inventory {
    /// As S3 has it.
    fn configuration(&self) -> Value {
        let to = &self.destination;
        let mut destination = json!({"Bucket": to.bucket, "Format": to.format});
        for (name, value) in [("AccountId", &to.account_id), ("Prefix", &to.prefix)] {
            if let Some(value) = value {
                destination[name] = value.as_str().into();
            }
        }
        let mut all = json!({
            "Id": self.id,
            "IsEnabled": true,
            "IncludedObjectVersions": self.included_object_versions,
            "Schedule": {"Frequency": self.schedule},
            "Destination": {"S3BucketDestination": destination},
        });
        if let Some(prefix) = &self.filter {
            all["Filter"] = json!({"Prefix": prefix});
        }
        if let Some(fields) = self.optional_fields.as_ref().filter(|it| !it.is_empty()) {
            all["OptionalFields"] = json!(fields);
        }
        all
    }
}

/// `amazon.aws.s3_bucket`.
pub(crate) struct S3Bucket;

impl Module for S3Bucket {
    const NAME: &'static str = "amazon.aws.s3_bucket";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["public_access", "delete_public_access"],
            &["delete_object_ownership", "object_ownership"],
            &["dualstack", "endpoint_url"],
        ],
        required_by: &[
            ("encryption_key_id", &["encryption"]),
            ("object_lock_default_retention", &["object_lock_enabled"]),
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &s3::login(&args.login, args.ceph, args.dualstack)?)?;
        let head = json!({"Bucket": args.name});
        let is_there = aws.find("s3", "HeadBucket", head, s3::NO_BUCKET).await?.is_some();
        if args.state == State::Absent {
            if is_there {
                remove(control, &aws, &args).await?;
            }
            return Ok(aws.tell(Outcome::new()));
        }
        if !is_there {
            make(control, &aws, &args).await?;
        }
        let bucket = Bucket { control, aws: &aws, name: &args.name, is_new: !is_there };
        let outcome = args.settle(&bucket).await.map_err(|error| {
            // It stands there half done, and the next run goes on with it.
            if is_there { error } else { error.with("name", &args.name) }
        })?;
        Ok(aws.tell(outcome))
    }
}

async fn make(control: &Control, aws: &Aws, args: &Args) -> Result<(), ModuleError> {
    let mut params = json!({"Bucket": args.name});
    if let Some(region) = aws.region().filter(|it| *it != "us-east-1" && !args.ceph) {
        params["CreateBucketConfiguration"] = json!({"LocationConstraint": region});
    }
    if args.object_lock_enabled == Some(true) {
        params["ObjectLockEnabledForBucket"] = true.into();
    }
    if let Some(ownership) = &args.object_ownership {
        params["ObjectOwnership"] = json!(ownership);
    }
    let edit = Edit::new("create the bucket", arn(&args.name)).to(json!({"name": args.name}));
    let act = async || {
        aws.insist("s3", "CreateBucket", params, &["OperationAborted"]).await?;
        let named = json!({"Bucket": args.name});
        aws.wait("s3", "bucket_exists", named, Duration::from_secs(120)).await
    };
    control.change(edit, act).await.map(drop)
}

async fn remove(control: &Control, aws: &Aws, args: &Args) -> Result<(), ModuleError> {
    if args.force {
        bucket::empty(control, aws, &args.name).await?;
    }
    let edit = Edit::new("delete the bucket", arn(&args.name)).from(json!({"name": args.name}));
    let named = json!({"Bucket": args.name});
    let act = async || {
        aws.find("s3", "DeleteBucket", named.clone(), s3::NO_BUCKET).await?;
        aws.wait("s3", "bucket_not_exists", named, Duration::from_secs(60)).await
    };
    control.change(edit, act).await.map(drop)
}

fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

impl Args {
    /// What the rules cannot say.
    fn check(&self) -> Result<(), ModuleError> {
        let wrong = |text: &str| Err(ModuleError::failed(text));
        if self.validate_bucket_name {
            s3::check_name(&self.name)?;
        }
        let is_kms = self.encryption == Some(Encryption::Kms);
        if self.encryption_key_id.is_some() && !is_kms {
            return wrong("encryption_key_id needs encryption to be aws:kms");
        }
        if self.bucket_key_enabled.is_some() && self.encryption.is_some() && !is_kms {
            return wrong("bucket_key_enabled needs encryption to be aws:kms");
        }
        if let Some(retention) = &self.object_lock_default_retention {
            if self.object_lock_enabled != Some(true) {
                return wrong("object_lock_default_retention needs object_lock_enabled to be true");
            }
            if retention.days.is_some() == retention.years.is_some() {
                return wrong("object_lock_default_retention needs either days or years");
            }
        }
        Ok(())
    }

    /// Brings each setting to what it should be, those first that others need.
    async fn settle(&self, bucket: &Bucket<'_>) -> Result<Outcome, ModuleError> {
        let mut outcome = Outcome::new().with("name", &self.name);
        let block = match (&self.public_access, self.delete_public_access) {
            (_, true) => Some(Value::Null),
            (Some(it), _) => Some(json!({
                "BlockPublicAcls": it.block_public_acls,
                "IgnorePublicAcls": it.ignore_public_acls,
                "BlockPublicPolicy": it.block_public_policy,
                "RestrictPublicBuckets": it.restrict_public_buckets,
            })),
            _ => None,
        };
        let block = bucket.public_access(block).await?;
        let block = if block.is_null() {
            json!({})
        } else {
            json!({"PublicAccessBlockConfiguration": block})
        };
        outcome.set("public_access_block", block);
        let ownership = match (&self.object_ownership, self.delete_object_ownership) {
            (_, true) => Some(Value::Null),
            (Some(it), _) => Some(json!(it)),
            _ => None,
        };
        outcome.set("object_ownership", bucket.ownership(ownership).await?);
        outcome.set("versioning", bucket.versioning(self.versioning).await?);
        outcome.set("requester_pays", bucket.requester_pays(self.requester_pays).await?);
        outcome.set("tags", bucket.tags(&self.tags).await?);
        let method = self.encryption.map(|it| match it {
            Encryption::None => Value::Null,
            it => json!(it),
        });
        let key = self.encryption_key_id.as_deref();
        outcome.set("encryption", bucket.encryption(method, key, self.bucket_key_enabled).await?);
        outcome.set("policy", bucket.policy(self.policy.as_deref()).await?);
        let acl = self.acl.map(|it| json!(it));
        let (acl, grants) = bucket.acl(acl.as_ref().and_then(Value::as_str)).await?;
        outcome.set("acl", acl);
        outcome.set("acl_grants", grants);
        outcome.set("accelerate_enabled", bucket.accelerate(self.accelerate_enabled).await?);
        let retention = self.object_lock_default_retention.as_ref().map(|it| {
            let mut retention = json!({"Mode": it.mode});
            it.days.iter().for_each(|it| retention["Days"] = (*it).into());
            it.years.iter().for_each(|it| retention["Years"] = (*it).into());
            retention
        });
        let (enabled, retention) = bucket.object_lock(self.object_lock_enabled, retention).await?;
        outcome.set("object_lock_enabled", enabled);
        outcome.set("object_lock_default_retention", retention);
        let lists = self.inventory.as_ref();
        let lists = lists.map(|all| all.iter().map(Inventory::configuration).collect::<Vec<_>>());
        outcome.set("bucket_inventory", bucket.inventory(lists).await?);
        Ok(outcome)
    }
}
