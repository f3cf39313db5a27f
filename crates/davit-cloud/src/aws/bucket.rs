//! The settings of a bucket of S3: each is read, held against what it should be, and put where it differs.

use std::collections::BTreeMap;

use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde_json::{Map, Value, json};

use super::client::{Aws, failure};
use super::patience::says;
use super::s3::{self, Setting};
use super::tags::{Shape, TagArgs, Tags};
use super::{names, policy};

/// A bucket whose settings are looked after.
#[derive(Clone, Copy)]
pub struct Bucket<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
    /// Its name.
    pub name: &'a str,
    /// It was made just now, or would be: settings may not be readable yet.
    pub is_new: bool,
}

/// What keeps it from being open to all.
pub const PUBLIC_ACCESS: Setting = Setting {
    get: "GetPublicAccessBlock",
    member: "PublicAccessBlockConfiguration",
    missing: &["NoSuchPublicAccessBlockConfiguration"],
};
/// Who owns objects.
pub const OWNERSHIP: Setting = Setting {
    get: "GetBucketOwnershipControls",
    member: "OwnershipControls",
    missing: &["OwnershipControlsNotFoundError"],
};
/// Whether versions are kept.
pub const VERSIONING: Setting = Setting { get: "GetBucketVersioning", member: "", missing: &[] };
/// Who pays.
pub const PAYMENT: Setting = Setting { get: "GetBucketRequestPayment", member: "", missing: &[] };
/// Tags.
pub const TAGGING: Setting =
    Setting { get: "GetBucketTagging", member: "TagSet", missing: &["NoSuchTagSet"] };
/// How new objects are encrypted.
pub const ENCRYPTION: Setting = Setting {
    get: "GetBucketEncryption",
    member: "ServerSideEncryptionConfiguration",
    missing: &["ServerSideEncryptionConfigurationNotFoundError"],
};
/// The policy, as text.
pub const POLICY: Setting =
    Setting { get: "GetBucketPolicy", member: "Policy", missing: &["NoSuchBucketPolicy"] };
/// Who may do what.
pub const ACL: Setting = Setting { get: "GetBucketAcl", member: "", missing: &[] };
/// Whether data goes over AWS's network.
pub const ACCELERATE: Setting =
    Setting { get: "GetBucketAccelerateConfiguration", member: "Status", missing: &[] };
/// What keeps objects from being changed.
pub const OBJECT_LOCK: Setting = Setting {
    get: "GetObjectLockConfiguration",
    member: "ObjectLockConfiguration",
    missing: &["ObjectLockConfigurationNotFoundError"],
};

impl Bucket<'_> {
    /// The setting as it is. Servers that do not know it, and callers who may not see it, are fine as long as
    /// nothing is asked of it.
    async fn now(&self, setting: Setting, is_asked: bool) -> Result<Value, ModuleError> {
        if self.is_new && self.control.is_check() {
            return Ok(Value::Null);
        }
        let refused = ["AccessDenied", "403"];
        match setting.of(self.aws, self.name).await {
            Ok(value) => Ok(value),
            Err(error) if self.is_new && says(&error, s3::NO_BUCKET) => Ok(Value::Null),
            Err(error) if !is_asked && (says(&error, s3::UNKNOWN) || says(&error, &refused)) => {
                Ok(Value::Null)
            }
            Err(error) => Err(failure(Some(("s3", setting.get)), &error)),
        }
    }

    /// Makes a change. `params` go along with the bucket's name.
    async fn put(&self, edit: Edit, operation: &str, mut params: Value) -> Result<(), ModuleError> {
        params["Bucket"] = self.name.into();
        let mut codes = vec!["OperationAborted"];
        if self.is_new {
            codes.extend(s3::NO_BUCKET);
        }
        let act = async || self.aws.insist("s3", operation, params, &codes).await;
        self.control.change(edit, act).await.map(drop)
    }

    fn edit(&self, what: &str, before: &Value, after: &Value) -> Edit {
        Edit::new(what, format!("arn:aws:s3:::{}", self.name)).from(before).to(after)
    }

    /// What keeps it from being open to all; null = nothing does.
    ///
    /// # Errors
    /// What the service says.
    pub async fn public_access(&self, wanted: Option<Value>) -> Result<Value, ModuleError> {
        let now = self.now(PUBLIC_ACCESS, wanted.is_some()).await?;
        let Some(wanted) = wanted.filter(|it| *it != now) else { return Ok(now) };
        let edit = self.edit("set its public access block", &now, &wanted);
        if wanted.is_null() {
            self.put(edit, "DeletePublicAccessBlock", json!({})).await?;
        } else {
            let params = json!({"PublicAccessBlockConfiguration": wanted});
            self.put(edit, "PutPublicAccessBlock", params).await?;
        }
        Ok(wanted)
    }

    /// Who owns objects; null = it is not set.
    ///
    /// # Errors
    /// What the service says.
    pub async fn ownership(&self, wanted: Option<Value>) -> Result<Value, ModuleError> {
        let now = self.now(OWNERSHIP, wanted.is_some()).await?;
        let now = now["Rules"][0]["ObjectOwnership"].clone();
        let Some(wanted) = wanted.filter(|it| *it != now) else { return Ok(now) };
        let edit = self.edit("set who owns its objects", &now, &wanted);
        if wanted.is_null() {
            self.put(edit, "DeleteBucketOwnershipControls", json!({})).await?;
        } else {
            let params = json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": wanted}]}});
            self.put(edit, "PutBucketOwnershipControls", params).await?;
        }
        Ok(wanted)
    }

    /// Whether versions are kept, as results have it.
    ///
    /// # Errors
    /// What the service says.
    pub async fn versioning(&self, wanted: Option<bool>) -> Result<Value, ModuleError> {
        let now = self.now(VERSIONING, wanted.is_some()).await?;
        let mut status = now["Status"].as_str().unwrap_or("Disabled").to_owned();
        if let Some(wanted) = wanted.filter(|it| *it != (status == "Enabled"))
            && (wanted || status == "Enabled")
        {
            let next = if wanted { "Enabled" } else { "Suspended" };
            let edit = self.edit("set its versioning", &json!(status), &json!(next));
            let params = json!({"VersioningConfiguration": {"Status": next}});
            self.put(edit, "PutBucketVersioning", params).await?;
            next.clone_into(&mut status);
        }
        let delete = now["MFADelete"].as_str().unwrap_or("Disabled");
        Ok(json!({"Versioning": status, "MfaDelete": delete}))
    }

    /// Whether those pay who get something.
    ///
    /// # Errors
    /// What the service says.
    pub async fn requester_pays(&self, wanted: Option<bool>) -> Result<bool, ModuleError> {
        // Servers that do not know it let the owner pay.
        let now = self.now(PAYMENT, wanted == Some(true)).await?["Payer"] == "Requester";
        let Some(wanted) = wanted.filter(|it| *it != now) else { return Ok(now) };
        let payer = |it: bool| if it { "Requester" } else { "BucketOwner" };
        let edit = self.edit("set who pays", &json!(payer(now)), &json!(payer(wanted)));
        let params = json!({"RequestPaymentConfiguration": {"Payer": payer(wanted)}});
        self.put(edit, "PutBucketRequestPayment", params).await?;
        Ok(wanted)
    }

    /// The tags.
    ///
    /// # Errors
    /// What the service says.
    pub async fn tags(&self, wanted: &TagArgs) -> Result<Tags, ModuleError> {
        let now = self.now(TAGGING, wanted.tags.is_some()).await?;
        let now = Shape::USUAL.tags(&now.into());
        let change = wanted.change(&now);
        if change.is_empty() {
            return Ok(now);
        }
        let after = change.applied(&now);
        let edit = self.edit("set its tags", &json!(now), &json!(after));
        if after.is_empty() {
            self.put(edit, "DeleteBucketTagging", json!({})).await?;
        } else {
            let params = json!({"Tagging": {"TagSet": Shape::USUAL.list(&after).to_json()}});
            self.put(edit, "PutBucketTagging", params).await?;
        }
        Ok(after)
    }

    /// How new objects are encrypted: by what (`null` = it is not to be set), with which key, and whether keys of
    /// the bucket stand in for those of KMS.
    ///
    /// # Errors
    /// What the service says.
    pub async fn encryption(
        &self,
        method: Option<Value>,
        key: Option<&str>,
        bucket_key: Option<bool>,
    ) -> Result<Value, ModuleError> {
        let now = self.now(ENCRYPTION, method.is_some() || bucket_key.is_some()).await?;
        let rule = &now["Rules"][0];
        let old = rule["ApplyServerSideEncryptionByDefault"].clone();
        let old_bucket_key = rule["BucketKeyEnabled"] == true;
        let mut wanted = old.clone();
        if let Some(method) = method {
            let is_same =
                method == old["SSEAlgorithm"] && key.is_none_or(|it| old["KMSMasterKeyID"] == it);
            if method.is_null() {
                wanted = Value::Null;
            } else if !is_same {
                wanted = json!({"SSEAlgorithm": method});
                key.iter().for_each(|it| wanted["KMSMasterKeyID"] = (*it).into());
            }
        }
        let is_kms = wanted["SSEAlgorithm"] == "aws:kms";
        if bucket_key == Some(true) && !is_kms {
            let text = "bucket_key_enabled needs a bucket that is encrypted by aws:kms";
            return Err(ModuleError::failed(text));
        }
        let wanted_bucket_key = bucket_key.unwrap_or(old_bucket_key && is_kms);
        // AWS puts its own in the place of what is removed.
        if wanted.is_null() && is_own(&old, old_bucket_key) {
            return Ok(old);
        }
        if wanted == old && (wanted_bucket_key == old_bucket_key || !is_kms) {
            return Ok(old);
        }
        let side = |it: &Value, bucket_key: bool| {
            if it.is_null() { Value::Null } else { json!({"by": it, "bucket_key": bucket_key}) }
        };
        let before = side(&old, old_bucket_key);
        let edit = self.edit("set its encryption", &before, &side(&wanted, wanted_bucket_key));
        if wanted.is_null() {
            self.put(edit, "DeleteBucketEncryption", json!({})).await?;
            return Ok(wanted);
        }
        let mut rule = json!({"ApplyServerSideEncryptionByDefault": wanted});
        if is_kms {
            rule["BucketKeyEnabled"] = wanted_bucket_key.into();
        }
        let params = json!({"ServerSideEncryptionConfiguration": {"Rules": [rule]}});
        self.put(edit, "PutBucketEncryption", params).await?;
        Ok(wanted)
    }

    /// The policy as a document; `wanted` is JSON, and `null` removes it.
    ///
    /// # Errors
    /// Where `wanted` is not JSON, and what the service says.
    pub async fn policy(&self, wanted: Option<&str>) -> Result<Value, ModuleError> {
        let now = self.now(POLICY, wanted.is_some()).await?;
        let now: Value = serde_json::from_str(now.as_str().unwrap_or("null")).unwrap_or_default();
        let shown = |it: Value| if it.is_null() { json!({}) } else { it };
        let Some(wanted) = wanted else { return Ok(shown(now)) };
        let wanted = policy::document("policy", wanted)?;
        let wanted = if wanted == json!({}) { Value::Null } else { wanted };
        if policy::is_same(&now, &wanted) {
            return Ok(shown(now));
        }
        let edit = self.edit("set its policy", &now, &wanted);
        if wanted.is_null() {
            self.put(edit, "DeleteBucketPolicy", json!({})).await?;
        } else {
            self.put(edit, "PutBucketPolicy", json!({"Policy": wanted.to_string()})).await?;
        }
        Ok(shown(wanted))
    }

    /// Who may do what: by the name of a list, where it is one that has a name, and each grant.
    ///
    /// # Errors
    /// What the service says.
    pub async fn acl(&self, wanted: Option<&str>) -> Result<(Value, Value), ModuleError> {
        let now = self.now(ACL, wanted.is_some()).await?;
        let name = if now.is_null() { Some("private") } else { s3::canned(&now) };
        let grants = |acl: &Value| names::snake_all(acl["Grants"].clone(), &[]);
        let Some(wanted) = wanted.filter(|it| Some(*it) != name) else {
            return Ok((json!(name), grants(&now)));
        };
        let edit = self.edit("set its access list", &json!(name), &json!(wanted));
        self.put(edit, "PutBucketAcl", json!({"ACL": wanted})).await?;
        let after = self.now(ACL, false).await?;
        Ok((json!(wanted), grants(&after)))
    }

    /// Whether data goes over AWS's network.
    ///
    /// # Errors
    /// What the service says.
    pub async fn accelerate(&self, wanted: Option<bool>) -> Result<bool, ModuleError> {
        let now = self.now(ACCELERATE, wanted == Some(true)).await? == "Enabled";
        let Some(wanted) = wanted.filter(|it| *it != now) else { return Ok(now) };
        let status = |it: bool| if it { "Enabled" } else { "Suspended" };
        let edit = self.edit("set its acceleration", &json!(status(now)), &json!(status(wanted)));
        let params = json!({"AccelerateConfiguration": {"Status": status(wanted)}});
        self.put(edit, "PutBucketAccelerateConfiguration", params).await?;
        Ok(wanted)
    }

    /// Whether objects can be kept from being changed, and for how long new ones are.
    ///
    /// # Errors
    /// Where it is to be turned off, and what the service says.
    pub async fn object_lock(
        &self,
        enabled: Option<bool>,
        retention: Option<Value>,
    ) -> Result<(bool, Value), ModuleError> {
        let now = self.now(OBJECT_LOCK, enabled.is_some()).await?;
        // A new bucket was made with it.
        let mut is_on =
            now["ObjectLockEnabled"] == "Enabled" || self.is_new && enabled == Some(true);
        if is_on && enabled == Some(false) {
            return Err(ModuleError::failed("object lock cannot be turned off once it is on"));
        }
        let old = now["Rule"]["DefaultRetention"].as_object().cloned().unwrap_or_default();
        // Some servers say that it is so many days and no years.
        let old: Map<String, Value> = old.into_iter().filter(|(_, it)| *it != 0).collect();
        let old = Value::from(old);
        let kept = retention.unwrap_or_else(|| old.clone());
        let wants_on = enabled == Some(true);
        if (wants_on && !is_on) || kept != old {
            let side = |on: bool, it: &Value| json!({"enabled": on, "default_retention": it});
            let edit = self.edit("set its object lock", &side(is_on, &old), &side(true, &kept));
            let mut lock = json!({"ObjectLockEnabled": "Enabled"});
            if kept != json!({}) {
                lock["Rule"] = json!({"DefaultRetention": kept});
            }
            let params = json!({"ObjectLockConfiguration": lock});
            self.put(edit, "PutObjectLockConfiguration", params).await?;
            is_on = true;
        }
        Ok((is_on, kept))
    }

    /// The lists that S3 writes.
    ///
    /// # Errors
    /// What the service says.
    pub async fn inventory(&self, wanted: Option<Vec<Value>>) -> Result<Value, ModuleError> {
        let now = self.inventories(wanted.is_some()).await?;
        let Some(wanted) = wanted else { return Ok(now.into_values().collect()) };
        let id = |it: &Value| it["Id"].as_str().unwrap_or_default().to_owned();
        let wanted: BTreeMap<String, Value> = wanted.into_iter().map(|it| (id(&it), it)).collect();
        for (id, list) in &wanted {
            let old = now.get(id).unwrap_or(&Value::Null);
            if comparable(old) != comparable(list) {
                let edit = self.edit(&format!("set its inventory {id}"), old, list);
                let params = json!({"Id": id, "InventoryConfiguration": list});
                self.put(edit, "PutBucketInventoryConfiguration", params).await?;
            }
        }
        for (id, old) in now.iter().filter(|(id, _)| !wanted.contains_key(*id)) {
            let edit = self.edit(&format!("remove its inventory {id}"), old, &Value::Null);
            self.put(edit, "DeleteBucketInventoryConfiguration", json!({"Id": id})).await?;
        }
        Ok(wanted.into_values().collect())
    }

    async fn inventories(&self, is_asked: bool) -> Result<BTreeMap<String, Value>, ModuleError> {
        let mut all = BTreeMap::new();
        let mut token = Value::Null;
        if self.is_new {
            return Ok(all);
        }
        loop {
            let mut params = json!({"Bucket": self.name});
            if !token.is_null() {
                params["ContinuationToken"] = token;
            }
            let operation = "ListBucketInventoryConfigurations";
            let page = match self.aws.attempt("s3", operation, params).await {
                Ok(page) => davit_aws::Value::Map(page).to_json(),
                Err(_) if !is_asked => return Ok(all),
                Err(error) if says(&error, &["NoSuchConfiguration"]) => return Ok(all),
                Err(error) => return Err(failure(Some(("s3", operation)), &error)),
            };
            for list in page["InventoryConfigurationList"].as_array().into_iter().flatten() {
                all.insert(list["Id"].as_str().unwrap_or_default().to_owned(), list.clone());
            }
            token = page["NextContinuationToken"].clone();
            if token.is_null() {
                return Ok(all);
            }
        }
    }
}

/// What AWS sets where nothing else is.
fn is_own(encryption: &Value, bucket_key: bool) -> bool {
    *encryption == json!({"SSEAlgorithm": "AES256"}) && !bucket_key
}

/// An inventory, whatever the order of its fields; no prefix is an empty one.
fn comparable(inventory: &Value) -> Value {
    let mut all = inventory.as_object().cloned().unwrap_or_default();
    if let Some(Value::Array(fields)) = all.get_mut("OptionalFields") {
        fields.sort_by_key(Value::to_string);
        if fields.is_empty() {
            all.remove("OptionalFields");
        }
    }
    if all.get("Filter").is_some_and(|it| it["Prefix"].as_str().is_none_or(str::is_empty)) {
        all.remove("Filter");
    }
    all.into_iter().filter(|(_, it)| !it.is_null()).collect::<Map<_, _>>().into()
}

/// Deletes all that is in a bucket, with all its versions.
///
/// # Errors
/// What the service says, and where something cannot be deleted.
pub async fn empty(control: &Control, aws: &Aws, name: &str) -> Result<(), ModuleError> {
    let first = page(aws, name).await?;
    if first.is_empty() {
        return Ok(());
    }
    let edit = Edit::new("delete all that is in the bucket", format!("arn:aws:s3:::{name}"));
    let act = async || {
        let mut next = first;
        while !next.is_empty() {
            control.tell(&format!("deleting {} objects", next.len()));
            let params = json!({"Bucket": name, "Delete": {"Objects": next, "Quiet": true}});
            let answer = aws.call("s3", "DeleteObjects", params).await?;
            let errors = answer.get("Errors").map(davit_aws::Value::to_json).unwrap_or_default();
            if let Some(error) = errors.get(0) {
                let (key, why) = (&error["Key"], &error["Message"]);
                let text = format!("cannot delete the object {key}: {why}");
                return Err(ModuleError::failed(text).with("errors", errors));
            }
            next = page(aws, name).await?;
        }
        Ok(())
    };
    control.change(edit, act).await.map(drop)
}

/// Some of what is in a bucket, as it is deleted.
async fn page(aws: &Aws, name: &str) -> Result<Vec<Value>, ModuleError> {
    let params = json!({"Bucket": name, "MaxKeys": s3::AT_ONCE});
    let found = aws.call("s3", "ListObjectVersions", params).await?;
    let found = davit_aws::Value::Map(found).to_json();
    let items = ["Versions", "DeleteMarkers"].map(|it| found[it].as_array().cloned());
    let items = items.into_iter().flatten().flatten();
    let named = |it: Value| match &it["VersionId"] {
        Value::Null => json!({"Key": it["Key"]}),
        version => json!({"Key": it["Key"], "VersionId": version}),
    };
    Ok(items.map(named).take(s3::AT_ONCE).collect())
}
