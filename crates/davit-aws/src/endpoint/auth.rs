//! How a request is signed: what the endpoint, the operation, the service and the settings say of it
//! together. Signs nothing.

use super::{Endpoint, EndpointError, partition::partition_of};
use crate::model::{Operation, Service};

/// A way to show who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// It is not shown.
    Anonymous,
    /// Version 4.
    SigV4,
    /// Version 4 with a key of elliptic curves, for several regions at once.
    SigV4a,
    /// Version 4 with the session of a directory bucket.
    S3Express,
    /// Version 2, which one old service has.
    SigV2,
    /// A token.
    Bearer,
}

impl Scheme {
    /// The scheme of a name, as models, rules and settings have it: `aws.auth#sigv4`, `sigv4a`.
    fn of(name: &str) -> Option<Self> {
        Some(match name.rsplit('#').next().unwrap_or(name) {
            "noAuth" => Self::Anonymous,
            "sigv4" => Self::SigV4,
            "sigv4a" => Self::SigV4a,
            "sigv4-s3express" => Self::S3Express,
            "httpBearerAuth" | "bearer" => Self::Bearer,
            _ => return None,
        })
    }
}

/// What is preferred where there is a choice.
#[derive(Debug, Clone, Default)]
pub struct AuthPreference {
    /// Nothing is signed.
    pub anonymous: bool,
    /// The ways to sign, the best first: `sigv4a`, `httpBearerAuth` (`auth_scheme_preference`).
    pub schemes: Vec<String>,
    /// There is a token for this very service, which goes before keys where the service takes one.
    pub bearer: bool,
    /// The regions that `sigv4a` signs for (`sigv4a_signing_region_set`).
    pub region_set: Vec<String>,
}

/// How a request is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// In which way.
    pub scheme: Scheme,
    /// For which service.
    pub signing_name: String,
    /// For which region; for `SigV4a` several may be there, with commas between them. Empty where the
    /// scheme has none.
    pub region: String,
    /// The path is encoded once more for the signature; not so where S3's own kind of signature is meant,
    /// which has the body's hash in a header too.
    pub double_encode: bool,
    /// The body is part of the signature.
    pub sign_body: bool,
}

/// The names of services whose paths are signed as they are.
const S3_NAMES: &[&str] = &["s3", "s3-outposts", "s3-object-lambda", "s3express"];

/// How a request of an operation is signed at an endpoint. An operation that is not signed never is; else
/// the endpoint's word goes before the operation's and that before the service's.
///
/// # Errors
///
/// When the endpoint takes no way to sign that is known, or no region is known to sign for.
pub fn auth(
    service: &Service,
    operation: &Operation,
    endpoint: &Endpoint,
    preference: &AuthPreference,
) -> Result<Auth, EndpointError> {
    let metadata = &service.metadata;
    let chosen = of_endpoint(endpoint, preference)?;
    let by_operation = match operation.auth_type {
        Some("bearer") => Some(Scheme::Bearer),
        Some("none") => Some(Scheme::Anonymous),
        Some(_) => Some(Scheme::SigV4),
        None => preferred(&operation.auth, &preference.schemes),
    };
    let anonymous = preference.anonymous || by_operation == Some(Scheme::Anonymous);
    let scheme = match chosen {
        _ if anonymous => Scheme::Anonymous,
        Some((scheme, _)) => scheme,
        None => by_operation.unwrap_or_else(|| of_service(service, preference)),
    };
    let said = chosen.map(|(_, said)| said);
    let signing_name = said.and_then(|it| it.signing_name.as_deref());
    let signing_name = signing_name.unwrap_or(metadata.signing_name).to_owned();
    // S3's own signature is that of its names, but where only the service says how it is signed.
    let is_s3 = if chosen.is_some() || by_operation.is_some() {
        S3_NAMES.contains(&signing_name.as_str())
    } else {
        matches!(metadata.endpoint_prefix, "s3" | "s3-control")
    };
    let as_it_is = is_s3 || said.is_some_and(|it| it.disable_double_encoding == Some(true));
    let region = match scheme {
        Scheme::Anonymous | Scheme::Bearer | Scheme::SigV2 => String::new(),
        _ => {
            let set = said.and_then(|it| it.signing_region_set.as_ref()).map(|it| it.join(","));
            let one = said.and_then(|it| it.signing_region.clone());
            let of_endpoint = one.or(set).filter(|it| !it.is_empty());
            if scheme == Scheme::SigV4a {
                let wished = preference.region_set.join(",");
                let wished = Some(wished).filter(|it| !it.is_empty());
                wished.or(of_endpoint).unwrap_or_else(|| "*".to_owned())
            } else {
                let missing = EndpointError::MissingRegion { service: service.name };
                of_endpoint.or_else(|| endpoint.region.as_deref().map(signed)).ok_or(missing)?
            }
        }
    };
    let sign_body = !operation.unsigned_payload && operation.auth_type != Some("v4-unsigned-body");
    Ok(Auth { scheme, signing_name, region, double_encode: !as_it_is, sign_body })
}

/// The region that is signed for: for what stands for a whole partition, one of its regions.
fn signed(region: &str) -> String {
    if region.ends_with("-global") {
        partition_of(region).implicit_global_region.to_owned()
    } else {
        region.to_owned()
    }
}

/// The way that the endpoint says; nothing if it says none.
fn of_endpoint<'a>(
    endpoint: &'a Endpoint,
    preference: &AuthPreference,
) -> Result<Option<(Scheme, &'a super::AuthScheme)>, EndpointError> {
    let schemes = &endpoint.auth_schemes;
    if schemes.is_empty() {
        return Ok(None);
    }
    let known = || schemes.iter().filter_map(|it| Some((Scheme::of(&it.name)?, it)));
    let wished = preference.schemes.iter().filter_map(|it| Scheme::of(it));
    let wished = wished.filter_map(|wish| known().find(|(scheme, _)| *scheme == wish)).next();
    wished.or_else(|| known().next()).map(Some).ok_or_else(|| EndpointError::Scheme {
        schemes: schemes.iter().map(|it| it.name.clone()).collect(),
    })
}

/// The first of the ways that is wished for, or else the first that is known.
fn preferred(schemes: &[&str], wishes: &[String]) -> Option<Scheme> {
    let known = || schemes.iter().filter_map(|it| Scheme::of(it));
    let wished = wishes.iter().filter_map(|it| Scheme::of(it));
    wished.filter(|wish| known().any(|it| it == *wish)).chain(known()).next()
}

fn of_service(service: &Service, preference: &AuthPreference) -> Scheme {
    let metadata = &service.metadata;
    let takes = |wish: Scheme| metadata.auth.iter().any(|it| Scheme::of(it) == Some(wish));
    if preference.bearer && preference.schemes.is_empty() && takes(Scheme::Bearer) {
        return Scheme::Bearer;
    }
    let by_version = match metadata.signature_version {
        "bearer" => Scheme::Bearer,
        // The other old service takes version 4 too, and only at addresses that know it.
        "v2" if metadata.endpoint_prefix != "importexport" => Scheme::SigV2,
        _ => Scheme::SigV4,
    };
    preferred(&metadata.auth, &preference.schemes).unwrap_or(by_version)
}
