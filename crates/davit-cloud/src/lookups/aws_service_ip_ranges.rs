//! `amazon.aws.aws_service_ip_ranges`: the addresses that AWS says its services have.

use davit_aws::config::{Environment, Proxies};
use davit_aws::connection::{self, Body, Pool};
use davit_aws::http::Request;
use davit_module::ModuleError;
use davit_value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Lookup;
use crate::reader::Reader;

/// Looks up the ranges of addresses that services of AWS have.
///
/// AWS publishes them as a file that anybody can read.
///
/// ```yaml
/// - ansible.builtin.debug:
///     msg: "{{ query('amazon.aws.aws_service_ip_ranges', region='eu-west-1', service='EC2') }}"
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct Options {
    /// Only the ranges of this region.
    #[serde(default)]
    region: Option<String>,
    /// Only the ranges of this service: `AMAZON`, `EC2`, `S3`, `CLOUDFRONT`, `CODEBUILD`, `ROUTE53`,
    /// `ROUTE53_HEALTHCHECKS` and others.
    #[serde(default)]
    service: Option<String>,
    /// The ranges of version 6 instead of version 4.
    #[serde(default)]
    ipv6_prefixes: bool,
    /// Where the file is, for a copy of one's own.
    #[serde(default = "published")]
    url: String,
}

fn published() -> String {
    "https://ip-ranges.amazonaws.com/ip-ranges.json".to_owned()
}

/// More than this is not that file, which has 3 MB.
const MOST: usize = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Published {
    #[serde(default)]
    prefixes: Vec<Range>,
    #[serde(default)]
    ipv6_prefixes: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(alias = "ipv6_prefix")]
    ip_prefix: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    service: String,
}

pub(super) struct AwsServiceIpRanges;

impl Lookup for AwsServiceIpRanges {
    const NAME: &'static str = "amazon.aws.aws_service_ip_ranges";
    const FORMER_NAMES: &'static [&'static str] = &["aws_service_ip_ranges"];
    type Options = Options;

    async fn look_up(
        reader: &Reader,
        _terms: Vec<String>,
        options: Options,
    ) -> Result<Vec<Value>, ModuleError> {
        let published = fetch(reader, &options.url).await?;
        let all = if options.ipv6_prefixes { published.ipv6_prefixes } else { published.prefixes };
        let fits =
            |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|it| it == has);
        let found = all
            .into_iter()
            .filter(|it| fits(&options.region, &it.region) && fits(&options.service, &it.service));
        Ok(found.map(|it| it.ip_prefix.into()).collect())
    }
}

async fn fetch(reader: &Reader, url: &str) -> Result<Published, ModuleError> {
    let failed = |why: String| ModuleError::failed(format!("cannot read {url}: {why}"));
    let told = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        failed(text)
    };
    let Some(mut request) = Request::of_url("GET", url) else {
        return Err(failed("it is no address".to_owned()));
    };
    let host = request.host.clone();
    request.headers.set("host", host);
    let environment: Environment = reader.variables().into_iter().collect();
    let proxies = Proxies::of(&environment);
    let ca_bundle = reader.variable("AWS_CA_BUNDLE").map(Into::into);
    let pool = Pool::new(connection::Options { proxies, ca_bundle, ..Default::default() });
    let answer = pool.send(&request, Body::default()).await.map_err(|it| told(&it))?;
    let answer = answer.read(MOST).await.map_err(|it| told(&it))?;
    if answer.status != 200 {
        return Err(failed(format!("the status is {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|it| failed(format!("it is not the file: {it}")))
}
