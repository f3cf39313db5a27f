//! Asks many regions at a time: which there are, as whom, and what to do where that is not allowed.

use std::future::Future;

use davit_aws::endpoint::regions;
use davit_aws::value::{Map, Value};
use davit_module::ModuleError;
use serde_json::json;
use tokio::task::JoinSet;

use crate::aws::client::{Aws, failure};
use crate::aws::login::{Caller, Keys};
use crate::aws::parts::{items, text};
use crate::aws::plugin_login::PluginLogin;
use crate::reader::Reader;

/// A region, and its client.
pub(super) struct Region {
    pub(super) name: String,
    pub(super) aws: Aws,
}

/// Where regions are asked for, and roles taken, when no region is set.
const FIRST: &str = "us-east-1";

/// Who asks, and where.
pub(super) struct Wanted<'a> {
    pub(super) login: &'a PluginLogin,
    /// The role to take first.
    pub(super) role: Option<&'a str>,
    /// None is all that the account has.
    pub(super) regions: &'a [String],
}

impl Wanted<'_> {
    /// A client for each region.
    ///
    /// # Errors
    /// When there are no keys, the role may not be taken, or the regions cannot be had.
    pub(super) async fn clients(&self, reader: &Reader) -> Result<Vec<Region>, ModuleError> {
        let base = self.caller(reader).await?;
        let client = |region: &str| {
            let caller = Caller { region: Some(region.to_owned()), ..base.clone() };
            Aws::of(caller, reader.variables(), &reader.shared)
        };
        let regions = if self.regions.is_empty() {
            all_regions(&client(base.region.as_deref().unwrap_or(FIRST))?).await?
        } else {
            self.regions.to_vec()
        };
        regions.into_iter().map(|name| Ok(Region { aws: client(&name)?, name })).collect()
    }

    /// A client where the region does not matter.
    ///
    /// # Errors
    /// As for [`Self::clients`].
    pub(super) async fn anywhere(&self, reader: &Reader) -> Result<Aws, ModuleError> {
        Aws::of(self.caller(reader).await?, reader.variables(), &reader.shared)
    }

    /// Who asks, as far as that is known without asking; no secret is in it.
    pub(super) fn cache_key(&self, reader: &Reader) -> String {
        let Ok(caller) = self.login.caller(reader) else { return String::new() };
        let endpoint = reader.variable("AWS_ENDPOINT_URL");
        let who = json!({
            "key": caller.keys.map(|it| it.access_key),
            "profile": caller.profile,
            "region": caller.region,
            "endpoint": caller.endpoint_url.or(endpoint),
        });
        who.to_string()
    }

    async fn caller(&self, reader: &Reader) -> Result<Caller, ModuleError> {
        let mut caller = self.login.caller(reader)?;
        let own = Aws::of(caller.clone(), reader.variables(), &reader.shared)?;
        if caller.region.is_none() {
            caller.region = Some(own.region().unwrap_or(FIRST).to_owned());
        }
        let Some(role) = self.role else { return Ok(caller) };
        let aws = Aws::of(caller.clone(), reader.variables(), &reader.shared)?;
        let params = json!({"RoleArn": role, "RoleSessionName": "davit-inventory"});
        let answer = aws.call("sts", "AssumeRole", params).await?;
        let taken = answer.get("Credentials").unwrap_or(&Value::Null);
        let keys = Keys {
            access_key: text(taken, "AccessKeyId").to_owned(),
            secret_key: text(taken, "SecretAccessKey").to_owned(),
            session_token: Some(text(taken, "SessionToken").to_owned()),
        };
        (reader.secret)(&keys.secret_key);
        keys.session_token.iter().for_each(|it| (reader.secret)(it));
        Ok(Caller { keys: Some(keys), ..caller })
    }
}

/// The regions that the account has; where it may not ask, those of AWS.
async fn all_regions(aws: &Aws) -> Result<Vec<String>, ModuleError> {
    match aws.attempt("ec2", "DescribeRegions", json!({})).await {
        Ok(answer) => {
            let listed = items(&answer, "Regions").iter();
            Ok(listed.map(|it| text(it, "RegionName").to_owned()).collect())
        }
        Err(error) if is_forbidden(&error) => {
            Ok(regions("aws").into_iter().map(str::to_owned).collect())
        }
        Err(error) => Err(failure(Some(("ec2", "DescribeRegions")), &error)),
    }
}

/// Asks all regions at once; the answers in their order.
///
/// # Errors
/// The first failure.
pub(super) async fn everywhere<T, F>(
    regions: Vec<Region>,
    ask: impl Fn(Region) -> F,
) -> Result<Vec<T>, ModuleError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ModuleError>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for (at, region) in regions.into_iter().enumerate() {
        let answer = ask(region);
        asked.spawn(async move { (at, answer.await) });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (at, answer) =
            answer.map_err(|error| ModuleError::failed(format!("asking broke off: {error}")))?;
        answers.push((at, answer?));
    }
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// All pages of an operation; nothing where it is not allowed and that does not matter.
///
/// # Errors
/// What the service says, and of which region.
pub(super) async fn listed(
    region: &Region,
    (service, operation): (&str, &str),
    params: serde_json::Value,
    strict: bool,
) -> Result<Map, ModuleError> {
    match region.aws.attempt_all(service, operation, params).await {
        Ok(answer) => Ok(answer),
        Err(error) if !strict && is_forbidden(&error) => Ok(Map::new()),
        Err(error) => {
            let why = failure(Some((service, operation)), &error).message();
            Err(ModuleError::failed(format!("asking the region {} failed: {why}", region.name)))
        }
    }
}

fn is_forbidden(error: &davit_aws::Error) -> bool {
    // Services that speak JSON say so with 400.
    let is_told = error.code() == Some("AccessDeniedException");
    is_told || error.service().is_some_and(|it| it.metadata.status == 403)
}
