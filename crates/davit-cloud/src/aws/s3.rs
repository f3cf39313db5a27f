//! What the modules for S3 share: how buckets may be called, how their settings are read, and what canned
//! access lists are made of.

use std::collections::BTreeSet;

use davit_aws::Error;
use davit_module::ModuleError;
use serde_json::{Value, json};

use super::client::Aws;
use super::login::Login;
use super::patience::says;

/// How services say that there is no such bucket.
pub const NO_BUCKET: &[&str] = &["404", "NoSuchBucket", "NotFound"];
/// How services say that they do not know an operation.
pub const UNKNOWN: &[&str] = &["NotImplemented", "XNotImplemented", "MethodNotAllowed"];
/// S3 takes no more keys at once.
pub const AT_ONCE: usize = 1000;

/// A setting of a bucket: how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The operation that gives it.
    pub get: &'static str,
    /// What of the answer it is; empty = all of it.
    pub member: &'static str,
    /// The codes that say that it is not set.
    pub missing: &'static [&'static str],
}

impl Setting {
    /// The setting of a bucket; null where it is not set.
    ///
    /// # Errors
    /// What the service says otherwise.
    pub async fn of(self, aws: &Aws, bucket: &str) -> Result<Value, Error> {
        match aws.attempt("s3", self.get, json!({"Bucket": bucket})).await {
            Ok(mut values) if !self.member.is_empty() => {
                Ok(values.shift_remove(self.member).map(|it| it.to_json()).unwrap_or_default())
            }
            Ok(values) => Ok(davit_aws::Value::Map(values).to_json()),
            Err(error) if says(&error, self.missing) => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }
}

/// Checks that a server other than AWS is said where that is needed, and gives the caller that the task means.
///
/// # Errors
/// Where `ceph` is on and the task says no `endpoint_url`.
pub fn login(login: &Login, ceph: bool, dualstack: bool) -> Result<Login, ModuleError> {
    let mut login = login.clone();
    if ceph && login.endpoint_url.as_ref().is_none_or(String::is_empty) {
        return Err(ModuleError::failed(
            "ceph is true but all of the following are missing: endpoint_url",
        ));
    }
    if dualstack {
        let config = login.aws_config.get_or_insert_default();
        config.insert("use_dualstack_endpoint".to_owned(), true.into());
    }
    Ok(login)
}

/// What is wrong with the name of a bucket, if anything is.
#[must_use]
pub fn wrong_name(name: &str) -> Option<&'static str> {
    let is_fine = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    let is_edge = |it: Option<&u8>| it.is_some_and(|it| !b"-.".contains(it));
    let bytes = name.as_bytes();
    if !(3..=63).contains(&bytes.len()) {
        Some("is not 3 to 63 characters long")
    } else if !bytes.iter().all(|it| is_fine(*it)) {
        Some("has characters other than small letters, digits, dots and hyphens")
    } else if !is_edge(bytes.first()) || !is_edge(bytes.last()) {
        Some("does not begin and end with a letter or a digit")
    } else if name.contains("..") {
        Some("has two dots side by side")
    } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
        Some("is an IP address")
    } else if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|it| name.starts_with(it)) {
        Some("begins like names that are AWS's own")
    } else if ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
        .iter()
        .any(|it| name.ends_with(it))
    {
        Some("ends like names that are AWS's own")
    } else {
        None
    }
}

/// Refuses a wrong name.
///
/// # Errors
/// With what is wrong with it.
pub fn check_name(name: &str) -> Result<(), ModuleError> {
    match wrong_name(name) {
        Some(why) => {
            Err(ModuleError::failed(format!("the bucket name {name:?} is invalid: it {why}")))
        }
        None => Ok(()),
    }
}

/// The canned access list that these grants are, whoever the owner is.
#[must_use]
pub fn canned(acl: &Value) -> Option<&'static str> {
    let owner = &acl["Owner"]["ID"];
    let grants = acl["Grants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let others: BTreeSet<(&str, &str)> = grants
        .iter()
        .filter(|it| it["Grantee"]["ID"].is_null() || it["Grantee"]["ID"] != *owner)
        .map(|it| {
            let who = it["Grantee"]["URI"].as_str().unwrap_or("?");
            (who.rsplit('/').next().unwrap_or(who), it["Permission"].as_str().unwrap_or("?"))
        })
        .collect();
    let is = |list: &[(&str, &str)]| others.iter().copied().eq(list.iter().copied());
    if is(&[]) {
        Some("private")
    } else if is(&[("AllUsers", "READ")]) {
        Some("public-read")
    } else if is(&[("AllUsers", "READ"), ("AllUsers", "WRITE")]) {
        Some("public-read-write")
    } else if is(&[("AuthenticatedUsers", "READ")]) {
        Some("authenticated-read")
    } else {
        None
    }
}

/// Which keys of a bucket to list.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// Those that begin so.
    pub prefix: &'a str,
    /// Those behind this one.
    pub after: Option<&'a str>,
    /// So many at most; all without it.
    pub most: Option<usize>,
    /// The account that must own the bucket.
    pub owner: Option<&'a str>,
}

impl Listing<'_> {
    /// The keys, in their order.
    ///
    /// # Errors
    /// What the service says.
    pub async fn keys(&self, aws: &Aws) -> Result<Vec<String>, ModuleError> {
        let most = self.most.unwrap_or(usize::MAX);
        let mut keys = Vec::new();
        let mut token = Value::Null;
        while keys.len() < most {
            let params = json!({
                "Bucket": self.bucket,
                "Prefix": self.prefix,
                "StartAfter": self.after,
                "MaxKeys": AT_ONCE.min(most - keys.len()),
                "ContinuationToken": token,
                "ExpectedBucketOwner": self.owner,
            });
            let page =
                davit_aws::Value::Map(aws.call("s3", "ListObjectsV2", params).await?).to_json();
            let found = page["Contents"].as_array().into_iter().flatten();
            keys.extend(found.filter_map(|it| it["Key"].as_str().map(str::to_owned)));
            token = page["NextContinuationToken"].clone();
            if token.is_null() {
                break;
            }
        }
        keys.truncate(most);
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_against_the_rules() {
        let long = "a".repeat(64);
        for name in
            ["ab", &long, "Ab1", "a_b", "-ab", "ab.", "a..b", "10.0.0.1", "xn--a", "a-s3alias"]
        {
            assert!(wrong_name(name).is_some(), "{name}");
        }
        for name in ["abc", "a.b-c", "10.0.0.256", "1ab"] {
            assert_eq!(wrong_name(name), None, "{name}");
        }
    }

    #[test]
    fn access_lists_are_known_by_their_grants() {
        let grant = |who: &str, what: &str| {
            let uri = format!("http://acs.amazonaws.com/groups/global/{who}");
            json!({"Grantee": {"Type": "Group", "URI": uri}, "Permission": what})
        };
        let owner = json!({"Grantee": {"ID": "o"}, "Permission": "FULL_CONTROL"});
        let list = |grants: &[Value]| json!({"Owner": {"ID": "o"}, "Grants": grants});
        let read = grant("AllUsers", "READ");
        assert_eq!(canned(&list(std::slice::from_ref(&owner))), Some("private"));
        assert_eq!(canned(&list(&[owner.clone(), read.clone()])), Some("public-read"));
        let both = list(&[grant("AllUsers", "WRITE"), owner.clone(), read]);
        assert_eq!(canned(&both), Some("public-read-write"));
        let some = list(&[owner.clone(), grant("AuthenticatedUsers", "READ")]);
        assert_eq!(canned(&some), Some("authenticated-read"));
        let other = json!({"Grantee": {"ID": "x"}, "Permission": "READ"});
        assert_eq!(canned(&list(&[owner, other])), None);
    }
}
