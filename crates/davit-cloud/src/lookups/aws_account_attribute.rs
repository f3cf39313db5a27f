//! `amazon.aws.aws_account_attribute`: what EC2 says of an account.

use davit_aws::value::Value as Said;
use davit_module::ModuleError;
use davit_value::{Map, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Lookup;
use crate::aws::parts::{items, list, text};
use crate::aws::plugin_login::PluginLogin;
use crate::reader::Reader;

/// Looks up an attribute of the account, or all of them as a map of lists.
///
/// ```yaml
/// - ansible.builtin.debug:
///     msg: "{{ lookup('amazon.aws.aws_account_attribute', attribute='default-vpc') }}"
/// ```
#[derive(Deserialize, JsonSchema)]
pub(super) struct Options {
    #[serde(flatten)]
    login: PluginLogin,
    /// Which attribute; without it all of them. `has-ec2-classic` is true or false, the others are
    /// what EC2 lists under their names.
    #[serde(default)]
    attribute: Option<Attribute>,
}

/// The attributes that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Attribute {
    SupportedPlatforms,
    DefaultVpc,
    MaxInstances,
    VpcMaxSecurityGroupsPerInterface,
    MaxElasticIps,
    VpcMaxElasticIps,
    #[serde(rename = "has-ec2-classic")]
    HasEc2Classic,
}

impl Attribute {
    /// What EC2 calls that from which it is told.
    fn name(self) -> &'static str {
        match self {
            Self::SupportedPlatforms | Self::HasEc2Classic => "supported-platforms",
            Self::DefaultVpc => "default-vpc",
            Self::MaxInstances => "max-instances",
            Self::VpcMaxSecurityGroupsPerInterface => "vpc-max-security-groups-per-interface",
            Self::MaxElasticIps => "max-elastic-ips",
            Self::VpcMaxElasticIps => "vpc-max-elastic-ips",
        }
    }
}

pub(super) struct AwsAccountAttribute;

impl Lookup for AwsAccountAttribute {
    const NAME: &'static str = "amazon.aws.aws_account_attribute";
    const FORMER_NAMES: &'static [&'static str] = &["aws_account_attribute"];
    type Options = Options;

    async fn look_up(
        reader: &Reader,
        _terms: Vec<String>,
        options: Options,
    ) -> Result<Vec<Value>, ModuleError> {
        let aws = reader.aws(&options.login)?;
        let names: Option<[&str; 1]> = options.attribute.map(|it| [it.name()]);
        let params = json!({"AttributeNames": names});
        let answer = aws.call("ec2", "DescribeAccountAttributes", params).await?;
        let all = items(&answer, "AccountAttributes");
        let Some(attribute) = options.attribute else {
            let map: Map =
                all.iter().map(|it| (text(it, "AttributeName"), Value::list(values(it)))).collect();
            return Ok(vec![map.into()]);
        };
        let found = all.iter().find(|it| text(it, "AttributeName") == attribute.name());
        let found = found.map(values).unwrap_or_default();
        if attribute == Attribute::HasEc2Classic {
            return Ok(vec![found.contains(&"EC2".into()).into()]);
        }
        Ok(found)
    }
}

fn values(attribute: &Said) -> Vec<Value> {
    list(attribute, "AttributeValues").iter().map(|it| text(it, "AttributeValue").into()).collect()
}
