//! What the modules for roles, users and groups of IAM share: policies that are attached to them or stand in them,
//! paths and boundaries.

use std::collections::BTreeMap;

use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde_json::{Value, json};

use super::client::Aws;
use super::names;
use super::tagging::{TagOperations, Tagged};
use super::tags::{Shape, TagArgs, Tags};

/// How IAM says that there is no such thing.
pub const MISSING: &[&str] = &["NoSuchEntity"];
/// How it says that something is still being changed.
pub const BUSY: &[&str] = &["EntityTemporarilyUnmodifiable", "ConcurrentModification"];

/// What has policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A user.
    User,
}

impl Kind {
    /// As operations have it: `ListRolePolicies`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Group => "Group",
            Self::Role => "Role",
            Self::User => "User",
        }
    }

    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

/// A role, user or group.
#[derive(Clone, Copy)]
pub struct Entity<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// It is not there, and would be made: nothing of it can be read.
    pub is_predicted: bool,
}

impl Entity<'_> {
    /// How it is called in what is told.
    #[must_use]
    pub fn path(&self) -> String {
        format!("iam:{}/{}", self.kind.word(), self.name)
    }

    /// The parameters that name it, with others.
    #[must_use]
    pub fn params(&self, others: Value) -> Value {
        let mut params = json!({});
        params[format!("{}Name", self.kind.name())] = self.name.into();
        if let (Value::Object(params), Value::Object(others)) = (&mut params, others) {
            params.extend(others);
        }
        params
    }

    /// What is known of it; nothing where it is not there.
    ///
    /// # Errors
    /// What the service says otherwise.
    pub async fn find(&self) -> Result<Option<Value>, ModuleError> {
        let operation = format!("Get{}", self.kind.name());
        let found = self.aws.find("iam", &operation, self.params(json!({})), MISSING).await?;
        Ok(found.map(|it| davit_aws::Value::Map(it).to_json()))
    }

    /// A change of it; what was made just now may not be known everywhere.
    ///
    /// # Errors
    /// What the service says.
    pub async fn change(
        &self,
        edit: Edit,
        operation: &str,
        others: Value,
    ) -> Result<(), ModuleError> {
        let params = self.params(others);
        let act = async || self.aws.insist("iam", operation, params, BUSY).await;
        self.control.change(edit, act).await.map(drop)
    }

    /// An edit of it.
    #[must_use]
    pub fn edit(&self, what: impl Into<String>) -> Edit {
        Edit::new(what, self.path())
    }

    /// The managed policies that are attached to it, as results have them.
    ///
    /// # Errors
    /// What the service says.
    pub async fn attached(&self) -> Result<Vec<Value>, ModuleError> {
        if self.is_predicted {
            return Ok(Vec::new());
        }
        let operation = format!("ListAttached{}Policies", self.kind.name());
        let found = self.aws.all("iam", &operation, self.params(json!({}))).await?;
        let found = found.get("AttachedPolicies").map(davit_aws::Value::to_json);
        Ok(match names::snake_all(found.unwrap_or_default(), &[]) {
            Value::Array(all) => all,
            _ => Vec::new(),
        })
    }

    /// Attaches policies (ARNs) and, with `purge`, detaches all others. What is attached then.
    ///
    /// # Errors
    /// What the service says.
    pub async fn attach(&self, wanted: &[String], purge: bool) -> Result<Vec<Value>, ModuleError> {
        let mut now = self.attached().await?;
        let is = |one: &Value, arn: &str| one["policy_arn"] == arn;
        for arn in wanted {
            if now.iter().any(|it| is(it, arn)) {
                continue;
            }
            let edit = self.edit("attach a policy").to(json!({"policy_arn": arn}));
            let operation = format!("Attach{}Policy", self.kind.name());
            self.change(edit, &operation, json!({"PolicyArn": arn})).await?;
            let name = arn.rsplit('/').next().unwrap_or(arn);
            now.push(json!({"policy_arn": arn, "policy_name": name}));
        }
        if purge {
            let (kept, strange) =
                now.into_iter().partition(|one| wanted.iter().any(|arn| is(one, arn)));
            now = kept;
            for one in strange as Vec<Value> {
                let edit = self.edit("detach a policy").from(&one);
                let operation = format!("Detach{}Policy", self.kind.name());
                self.change(edit, &operation, json!({"PolicyArn": one["policy_arn"]})).await?;
            }
        }
        Ok(now)
    }

    /// The policies that stand in it, by name.
    ///
    /// # Errors
    /// What the service says.
    pub async fn inline(&self) -> Result<Vec<String>, ModuleError> {
        let operation = format!("List{}Policies", self.kind.name());
        let found = self.aws.all("iam", &operation, self.params(json!({}))).await?;
        let names = found.get("PolicyNames").map(davit_aws::Value::items).unwrap_or_default();
        Ok(names.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    /// Deletes the policies that stand in it, and detaches all others.
    ///
    /// # Errors
    /// What the service says.
    pub async fn strip(&self) -> Result<(), ModuleError> {
        self.attach(&[], true).await?;
        for name in self.inline().await? {
            let edit = self.edit("delete a policy in it").from(json!({"policy_name": name}));
            let operation = format!("Delete{}Policy", self.kind.name());
            self.change(edit, &operation, json!({"PolicyName": name})).await?;
        }
        Ok(())
    }

    /// Brings the boundary of its permissions to what it should be; an empty text removes it.
    ///
    /// # Errors
    /// What the service says.
    pub async fn bound(&self, now: &Value, wanted: Option<&str>) -> Result<(), ModuleError> {
        let now = now["PermissionsBoundary"]["PermissionsBoundaryArn"].as_str().unwrap_or_default();
        let Some(wanted) = wanted.filter(|it| *it != now) else { return Ok(()) };
        let edit = self.edit("set its boundary").from(now).to(wanted);
        if wanted.is_empty() {
            let operation = format!("Delete{}PermissionsBoundary", self.kind.name());
            self.change(edit, &operation, json!({})).await
        } else {
            let operation = format!("Put{}PermissionsBoundary", self.kind.name());
            self.change(edit, &operation, json!({"PermissionsBoundary": wanted})).await
        }
    }

    /// Brings its tags from what is known of it to what they should be; those that it has then.
    ///
    /// # Errors
    /// What the service says.
    pub async fn tag(
        &self,
        operations: TagOperations,
        now: &Value,
        wanted: &TagArgs,
    ) -> Result<Tags, ModuleError> {
        let (control, aws, path) = (self.control, self.aws, &self.path());
        let tagged = Tagged { control, aws, operations, path, of: self.params(json!({})) };
        let tags = Self::tags(now);
        tagged.bring(&tags, &wanted.change(&tags)).await
    }

    /// Its tags, from what is known of it.
    #[must_use]
    pub fn tags(now: &Value) -> Tags {
        Shape::USUAL.tags(&now["Tags"].clone().into())
    }
}

/// Policies by their ARNs or names, as ARNs.
///
/// # Errors
/// Where there is no policy of a name, and what the service says.
pub async fn arns(aws: &Aws, said: &[String]) -> Result<Vec<String>, ModuleError> {
    if said.iter().all(|it| it.starts_with("arn:")) {
        return Ok(said.to_vec());
    }
    let found = aws.all("iam", "ListPolicies", json!({})).await?;
    let all = found.get("Policies").map(davit_aws::Value::items).unwrap_or_default();
    let text = |it: &davit_aws::Value, name: &str| it.get(name)?.as_str().map(str::to_owned);
    let known: BTreeMap<String, String> =
        all.iter().filter_map(|it| Some((text(it, "PolicyName")?, text(it, "Arn")?))).collect();
    let arn = |name: &String| {
        if name.starts_with("arn:") {
            return Ok(name.clone());
        }
        let missing = || ModuleError::failed(format!("there is no managed policy called {name:?}"));
        known.get(name).cloned().ok_or_else(missing)
    };
    said.iter().map(arn).collect()
}

/// Checks a path.
///
/// # Errors
/// Where it does not begin and end with a slash.
pub fn check_path(path: Option<&str>) -> Result<(), ModuleError> {
    match path {
        Some(path) if !(path.starts_with('/') && path.ends_with('/')) => Err(ModuleError::failed(
            format!("the path {path:?} does not begin and end with a slash"),
        )),
        _ => Ok(()),
    }
}

/// A policy document of an answer, which may be text, and that with escapes of URLs.
#[must_use]
pub fn document(given: &Value) -> Value {
    let Some(text) = given.as_str() else { return given.clone() };
    let read = |it: &str| serde_json::from_str(it).ok();
    read(text).or_else(|| read(&unescaped(text)?)).unwrap_or_else(|| given.clone())
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut from = text.bytes();
    while let Some(byte) = from.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [from.next()?, from.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_in_three_shapes() {
        let expect = json!({"Version": "2012-10-17"});
        assert_eq!(document(&expect), expect);
        assert_eq!(document(&json!(expect.to_string())), expect);
        assert_eq!(document(&json!("%7B%22Version%22%3A%222012-10-17%22%7D")), expect);
        assert_eq!(document(&json!("%7")), json!("%7"));
    }

    #[test]
    fn paths_have_slashes_at_both_ends() {
        assert!(check_path(Some("/a/")).is_ok() && check_path(Some("/")).is_ok());
        assert!(check_path(Some("/a")).is_err() && check_path(Some("a/")).is_err());
    }
}
