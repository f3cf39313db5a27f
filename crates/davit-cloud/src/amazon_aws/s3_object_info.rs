//! `amazon.aws.s3_object_info`: what is known of objects of S3.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::object::Place;
use crate::aws::patience::says;
use crate::aws::s3;

/// Say which objects are in a bucket, or what is known of one or all of them.
///
/// The result has `s3_keys`, or, where an object or details are asked for, `object_info`: for each object what its
/// head says under `object_data`, and the details under their names.
///
/// ```yaml
/// - amazon.aws.s3_object_info:
///     bucket_name: site-of-mine
///     object_name: index.html
///     object_details: {object_tagging: true}
///   register: found
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The bucket.
    bucket_name: String,
    /// The object; all of them without it.
    #[serde(default)]
    object_name: Option<String>,
    /// What to say besides. Each takes a call for each object.
    #[serde(default)]
    object_details: Option<Details>,
    /// Only keys behind this one.
    #[serde(default)]
    marker: Option<String>,
    /// So many keys at most.
    #[serde(default)]
    max_keys: Option<usize>,
    /// Only keys that begin so.
    #[serde(default)]
    prefix: Option<String>,
    /// The server is Ceph: `endpoint_url` has to say where.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["rgw"]))]
    ceph: bool,
    /// Call by the addresses that IPv6 reaches too.
    #[serde(default)]
    dualstack: bool,
    #[serde(flatten)]
    login: Login,
}

/// What to say of an object.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
struct Details {
    /// Who may do what with it.
    #[serde(default)]
    object_acl: bool,
    /// What `attributes_list` names.
    #[serde(default)]
    object_attributes: bool,
    /// Which of the attributes.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]))]
    attributes_list: Option<Vec<String>>,
    /// Whether a court keeps it from being changed.
    #[serde(default)]
    object_legal_hold: bool,
    /// What keeps new objects of the bucket from being changed.
    #[serde(default)]
    object_lock_configuration: bool,
    /// Until when it is kept from being changed.
    #[serde(default)]
    object_retention: bool,
    /// Its tags.
    #[serde(default)]
    object_tagging: bool,
}

/// `amazon.aws.s3_object_info`.
pub(crate) struct S3ObjectInfo;

impl Module for S3ObjectInfo {
    const NAME: &'static str = "amazon.aws.s3_object_info";
    type Args = Args;
    const RULES: Rules = Rules { mutually_exclusive: &[&["object_name", "prefix"]], ..Rules::NONE };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if let Some(details) = &args.object_details
            && details.object_attributes
            && details.attributes_list.as_ref().is_none_or(Vec::is_empty)
        {
            let text = "object_details.object_attributes needs object_details.attributes_list";
            return Err(ModuleError::failed(text));
        }
        let aws = Aws::new(control, &s3::login(&args.login, args.ceph, args.dualstack)?)?;
        let head = json!({"Bucket": args.bucket_name});
        if aws.find("s3", "HeadBucket", head, s3::NO_BUCKET).await?.is_none() {
            let text = format!("The bucket {} does not exist", args.bucket_name);
            return Err(ModuleError::failed(text));
        }
        let keys = match &args.object_name {
            Some(key) => vec![key.clone()],
            None => {
                let listing = s3::Listing {
                    bucket: &args.bucket_name,
                    prefix: args.prefix.as_deref().unwrap_or_default(),
                    after: args.marker.as_deref(),
                    most: args.max_keys,
                    owner: None,
                };
                listing.keys(&aws).await?
            }
        };
        if args.object_name.is_none() && args.object_details.is_none() {
            return Ok(aws.tell(Outcome::new().with("s3_keys", keys)));
        }
        let mut all = Vec::new();
        for key in &keys {
            let bucket = &args.bucket_name;
            let place = Place { control, aws: &aws, bucket, key, owner: None };
            all.push(args.info(&place).await?);
        }
        Ok(aws.tell(Outcome::new().with("object_info", all)))
    }
}

impl Args {
    async fn info(&self, place: &Place<'_>) -> Result<Value, ModuleError> {
        let Some(head) = place.head(None).await? else {
            let text = format!("The object {} does not exist in {}", place.key, place.bucket);
            return Err(ModuleError::failed(text));
        };
        let mut info = json!({"object_data": names::snake_all(head, &["Metadata"])});
        let Some(details) = &self.object_details else { return Ok(info) };
        info["object_name"] = place.key.into();
        let attributes = details.attributes_list.as_ref();
        let whole_bucket = json!({"Bucket": place.bucket});
        let asked = [
            (details.object_acl, "object_acl", "GetObjectAcl", place.params(json!({}))),
            (
                details.object_attributes,
                "object_attributes",
                "GetObjectAttributes",
                place.params(json!({"ObjectAttributes": attributes})),
            ),
            (
                details.object_legal_hold,
                "object_legal_hold",
                "GetObjectLegalHold",
                place.params(json!({})),
            ),
            (
                details.object_lock_configuration,
                "object_lock_configuration",
                "GetObjectLockConfiguration",
                whole_bucket,
            ),
            (
                details.object_retention,
                "object_retention",
                "GetObjectRetention",
                place.params(json!({})),
            ),
        ];
        for (_, name, operation, params) in asked.into_iter().filter(|it| it.0) {
            info[name] = detail(place.aws, operation, params).await?;
        }
        if details.object_tagging {
            info["object_tagging"] = json!(place.tags(false).await?);
        }
        Ok(info)
    }
}

/// What an operation says of an object; nothing where there is nothing of the kind.
async fn detail(aws: &Aws, operation: &str, params: Value) -> Result<Value, ModuleError> {
    let missing = [
        "NoSuchObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "InvalidRequest",
        "AccessDenied",
        "NotImplemented",
        "MethodNotAllowed",
    ];
    match aws.attempt("s3", operation, params).await {
        Ok(found) => Ok(names::snake_all(davit_aws::Value::Map(found).to_json(), &[])),
        Err(error) if says(&error, &missing) => Ok(json!({})),
        Err(error) => Err(failure(Some(("s3", operation)), &error)),
    }
}
