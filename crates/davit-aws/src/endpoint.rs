//! Where requests go and for whom they are signed there: the endpoint rules of a service, with the region and
//! the other settings of a client, and what the operation and its input say.
//!
//! Does no IO and reads no environment. [`resolve`] finds the [`Endpoint`], [`apply`] sends a request
//! there, [`auth`] says how it is signed.

mod address;
mod auth;
mod evaluate;
mod functions;
mod parameters;
mod partition;
mod path;
mod rules;
mod s3control;
mod scope;

use std::borrow::Cow;

pub use self::{
    address::apply,
    auth::{Auth, AuthPreference, Scheme, auth},
    evaluate::AuthScheme,
    partition::{Partition, is_valid_region, nearest_region, partition_of, partitions, regions},
    s3control::complete,
};
pub(crate) use rules::Rules;

use self::{evaluate::Fault, parameters::Call};
use crate::{
    http::Headers,
    model::{Operation, Service},
    value::{Map, Value},
};

/// What a client was told of where its requests go.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `eu-central-1`. The old `fips-us-east-1` and `us-east-1-fips` are the region with `use_fips`.
    pub region: Option<String>,
    /// To endpoints that keep to FIPS 140.
    pub use_fips: bool,
    /// To endpoints that have IPv6 too.
    pub use_dual_stack: bool,
    /// To this address and no other.
    pub endpoint_url: Option<String>,
    /// Without TLS, where no address is given.
    pub plain_http: bool,
    /// What only S3 has.
    pub s3: S3Settings,
    /// STS answers at `sts.amazonaws.com` in the regions that are as old as that
    /// (`sts_regional_endpoints = legacy`).
    pub sts_global_endpoint: bool,
    /// The account of the credentials, if known.
    pub account_id: Option<String>,
    /// Whether the account is part of hosts' names.
    pub account_id_endpoint_mode: AccountIdMode,
    /// Further parameters by the names that the model's `clientContextParams` have.
    pub context: Map,
}

/// Where requests to S3 go.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// Where the bucket stands.
    pub addressing_style: AddressingStyle,
    /// By transfer acceleration.
    pub use_accelerate: bool,
    /// To the region of an ARN, whatever the client's is; what is usual if not set.
    pub use_arn_region: Option<bool>,
    /// In `us-east-1` to its own address, not to that of the times when there were no regions
    /// (`us_east_1_regional_endpoint = regional`).
    pub us_east_1_regional: bool,
    /// ARNs of multi-region access points are refused.
    pub disable_multi_region_access_points: bool,
    /// Directory buckets are called with the credentials themselves, without a session.
    pub disable_express_session_auth: bool,
    /// Goes before the setting of all services.
    pub use_dual_stack: Option<bool>,
}

/// Where the bucket stands in an address of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressingStyle {
    /// In the host's name where it can; in the path at an address that was given.
    #[default]
    Auto,
    /// In the host's name.
    Virtual,
    /// In the path.
    Path,
}

/// Whether the account is part of hosts' names (`account_id_endpoint_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountIdMode {
    /// Where it is known.
    #[default]
    Preferred,
    /// Never.
    Disabled,
    /// It must be.
    Required,
}

impl AccountIdMode {
    /// As settings have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Disabled => "disabled",
            Self::Required => "required",
        }
    }
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Endpoint {
    /// `https` or `http`.
    pub scheme: String,
    /// With the port, where one is written.
    pub host: String,
    /// What paths begin with: empty, or with a slash in front.
    pub path: String,
    /// Headers that requests must have.
    pub headers: Headers,
    /// The ways to sign that it takes, the best first; those of the service if empty.
    pub auth_schemes: Vec<AuthScheme>,
    /// What else the rules say of it: `backend` is `S3Express` for directory buckets.
    pub properties: Map,
    /// The region of the client.
    pub region: Option<String>,
}

impl Endpoint {
    /// The address as a whole.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// Why it is not known where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The service is there once in each region, and none is set.
    #[error("no region is set, and {service} needs one")]
    MissingRegion {
        /// The service.
        service: &'static str,
    },
    /// What is set can be no region.
    #[error("{region:?} can be no region: letters, digits and hyphens are what regions have")]
    InvalidRegion {
        /// What is set.
        region: String,
    },
    /// The address can be none.
    #[error("the endpoint {url:?} is no address of a service: {reason}")]
    InvalidUrl {
        /// The address, without what could be secret.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A parameter is missing, or not what it has to be.
    #[error("{name} {reason}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The service says that what was asked for cannot be: its own words.
    #[error("{text}")]
    Rejected {
        /// Its words.
        text: String,
    },
    /// The input names something that the operation cannot be used with.
    #[error("{arn}: {reason}")]
    Arn {
        /// What it names.
        arn: String,
        /// Why not.
        reason: &'static str,
    },
    /// The service's model has rules that cannot be followed.
    #[error("the endpoint rules of {service} cannot be followed: {reason}")]
    Rules {
        /// The service.
        service: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// The endpoint takes no way to sign that is known.
    #[error("the endpoint takes none of the known ways to sign: {}", schemes.join(", "))]
    Scheme {
        /// The ways it takes.
        schemes: Vec<String>,
    },
}

/// What stands for all regions of the first partition.
const GLOBAL: &str = "aws-global";

/// Finds out where the requests of an operation go.
///
/// # Errors
///
/// When a region is needed and there is none, when a setting or the input can lead nowhere, or when the
/// rules of the service's model are wrong.
pub fn resolve(
    service: &Service,
    operation: &Operation,
    input: &Map,
    settings: &Settings,
) -> Result<Endpoint, EndpointError> {
    if let Some(url) = &settings.endpoint_url {
        address::split(url).map_err(|reason| invalid_url(url, reason))?;
    }
    let (region, fips) = region_of(settings)?;
    let is_s3 = service.metadata.endpoint_prefix == "s3";
    let region = match region {
        None if is_s3 && settings.s3.us_east_1_regional && settings.endpoint_url.is_none() => {
            Some(GLOBAL.into())
        }
        None if is_s3 => Some("us-east-1".into()),
        region => region,
    };
    let use_fips = fips || settings.use_fips;
    let region_name = region.as_deref();
    let call = Call {
        service,
        operation,
        input,
        settings,
        region: region_name,
        use_fips,
        built_ins: None,
    };
    if region.is_some() || settings.endpoint_url.is_some() {
        return at(&call);
    }
    // A service that is there once for all regions has the same host whatever the region is.
    let global = at(&Call { region: Some(GLOBAL), ..call }).ok();
    let signed = |it: &Endpoint| {
        let schemes = &it.auth_schemes;
        schemes.iter().any(|it| it.signing_region.is_some())
            || service.metadata.signature_version == "bearer"
    };
    global
        .filter(|it| !it.host.contains(GLOBAL) && signed(it))
        .ok_or(EndpointError::MissingRegion { service: service.name })
}

/// Follows the rules of a service with parameters that are given by their own names: `Region`,
/// `UseFIPS`, `Bucket`.
///
/// # Errors
///
/// When the rules do not lead to an endpoint.
pub fn resolve_rules(service: &Service, parameters: &Map) -> Result<Endpoint, EndpointError> {
    let rules = compiled(service)?;
    let region = parameters.get("Region").and_then(Value::as_str);
    follow(service, rules, parameters::by_name(rules, parameters)?, region)
}

/// Follows the rules of a service for an operation with built-ins that are given by their own names,
/// `AWS::Region`, and no settings but `context`.
///
/// # Errors
///
/// When the rules do not lead to an endpoint.
pub fn resolve_built_ins(
    service: &Service,
    operation: &Operation,
    input: &Map,
    built_ins: &Map,
    context: &Map,
) -> Result<Endpoint, EndpointError> {
    let settings = Settings { context: context.clone(), ..Settings::default() };
    let region = built_ins.get("AWS::Region").and_then(Value::as_str);
    let built_ins = Some(built_ins);
    let settings = &settings;
    at(&Call { service, operation, input, settings, region, use_fips: false, built_ins })
}

fn at(call: &Call<'_>) -> Result<Endpoint, EndpointError> {
    let rules = compiled(call.service)?;
    let mut endpoint = follow(call.service, rules, call.parameters(rules)?, call.region)?;
    if call.settings.plain_http && call.settings.endpoint_url.is_none() {
        "http".clone_into(&mut endpoint.scheme);
    }
    Ok(endpoint)
}

/// Whether the hosts of a service can have the account in their names.
pub(crate) fn takes_account(service: &Service) -> bool {
    compiled(service).is_ok_and(|rules| {
        rules.parameters.iter().any(|it| it.built_in == Some("AWS::Auth::AccountId"))
    })
}

fn follow(
    service: &Service,
    rules: &Rules,
    parameters: Vec<scope::Held<'_>>,
    region: Option<&str>,
) -> Result<Endpoint, EndpointError> {
    let broken =
        |reason: &str| EndpointError::Rules { service: service.name, reason: reason.to_owned() };
    let found = evaluate::evaluate(rules, parameters).map_err(|fault| match fault {
        Fault::Rejected(text) => EndpointError::Rejected { text },
        Fault::Broken(reason) => broken(reason),
        Fault::Nothing => broken("none of them says where the request goes"),
    })?;
    let split = address::split(&found.url).map_err(|reason| invalid_url(&found.url, reason))?;
    Ok(Endpoint {
        scheme: split.scheme.to_owned(),
        host: split.host.to_owned(),
        path: split.path.to_owned(),
        headers: found.headers.into_iter().collect(),
        auth_schemes: found.schemes,
        properties: found.properties,
        region: region.map(str::to_owned),
    })
}

fn compiled(service: &Service) -> Result<&Rules, EndpointError> {
    service
        .compiled_rules()
        .as_ref()
        .map_err(|reason| EndpointError::Rules { service: service.name, reason: reason.clone() })
}

/// The region, and whether its name asks for FIPS.
fn region_of(settings: &Settings) -> Result<(Option<Cow<'_, str>>, bool), EndpointError> {
    let Some(region) = settings.region.as_deref().filter(|it| !it.is_empty()) else {
        return Ok((None, false));
    };
    if !is_valid_region(region) {
        return Err(EndpointError::InvalidRegion { region: region.to_owned() });
    }
    if !region.contains("fips-") && !region.contains("-fips") {
        return Ok((Some(region.into()), false));
    }
    Ok((Some(region.replace("fips-", "").replace("-fips", "").into()), true))
}

fn invalid_url(url: &str, reason: &'static str) -> EndpointError {
    // What stands before an `@` may be a password.
    let url = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, behind))) => format!("{scheme}://***@{behind}"),
        (None, Some((_, behind))) => format!("***@{behind}"),
        _ => url.to_owned(),
    };
    EndpointError::InvalidUrl { url, reason }
}
