//! `amazon.aws.ec2_vpc_igw`: internet gateways of networks.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::TagArgs;

/// Keep the internet gateway of a virtual private cloud.
///
/// One is found by `internet_gateway_id`, or else by the VPC that it is attached to. Where there is none, one
/// that has all of `tags` and is attached to nothing was made by a run that was cut off: it is taken. Without
/// an id, a VPC and tags, each run makes a new one.
///
/// ```yaml
/// - name: The way out
///   amazon.aws.ec2_vpc_igw:
///     vpc_id: "{{ vpc.vpc.id }}"
///     tags: {Name: staging-igw}
///   register: igw
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Detach it from its VPC.
    #[serde(default)]
    detach_vpc: bool,
    /// Attach it to `vpc_id` also where it is attached to another VPC: it is detached from that.
    #[serde(default)]
    force_attach: bool,
    /// Its id.
    #[serde(default)]
    internet_gateway_id: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The VPC to attach it to, or that it is attached to.
    #[serde(default)]
    vpc_id: Option<String>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeInternetGateways", "InternetGateways");

/// `amazon.aws.ec2_vpc_igw`.
pub(crate) struct Ec2VpcIgw;

impl Module for Ec2VpcIgw {
    const NAME: &'static str = "amazon.aws.ec2_vpc_igw";
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["force_attach", "detach_vpc"]],
        required_if: &[
            Requirement {
                key: "state",
                value: "absent",
                needs: &["internet_gateway_id", "vpc_id"],
                any: true,
            },
            Requirement { key: "force_attach", value: "true", needs: &["vpc_id"], any: false },
        ],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = match args.state {
            State::Present => keep(&ec2, &args).await,
            State::Absent => delete(&ec2, &args).await,
        };
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let found = match find(ec2, args).await? {
        None if args.internet_gateway_id.is_none() && !args.detach_vpc => {
            left_over(ec2, args).await?
        }
        found => found,
    };
    let gateway = match (found, &args.internet_gateway_id) {
        (Some(gateway), _) => gateway,
        (None, Some(id)) => {
            return Err(ModuleError::failed(format!("there is no internet gateway {id}")));
        }
        // There is nothing to detach.
        (None, None) if args.detach_vpc && args.vpc_id.is_some() => {
            return Ok(Outcome::new().with("gateway_id", json!(null)).with("vpc_id", json!(null)));
        }
        (None, None) => match create(ec2, args).await? {
            Some(gateway) => gateway,
            None => {
                let tags = args.tags.tags.clone().unwrap_or_default();
                let outcome = Outcome::new().with("gateway_id", json!(null));
                return Ok(outcome.with("tags", tags).with("vpc_id", &args.vpc_id));
            }
        },
    };
    let id = text(&gateway, "InternetGatewayId");
    let current = ec2::tags(&gateway);
    let tags = ec2.tag(id, &current, &args.tags.change(&current)).await?;
    let mut attached = network(&gateway);
    let is_other =
        attached.is_some() && args.vpc_id.is_some() && attached != args.vpc_id.as_deref();
    if is_other && !args.force_attach && !args.detach_vpc {
        let is = attached.unwrap_or_default();
        return Err(ModuleError::failed(format!(
            "{id} is attached to {is}: force_attach moves it from there"
        )));
    }
    if let Some(vpc) = attached
        && (args.detach_vpc || is_other)
    {
        detach(ec2, id, vpc).await?;
        attached = None;
    }
    if let Some(vpc) = &args.vpc_id
        && attached.is_none()
        && !args.detach_vpc
    {
        let edit = Edit::new("attach the internet gateway", id).to(vpc);
        let params = json!({"InternetGatewayId": id, "VpcId": vpc});
        ec2.change(edit, "AttachInternetGateway", params).await?;
        attached = Some(vpc);
    }
    let outcome = Outcome::new().with("gateway_id", id).with("tags", tags);
    Ok(outcome.with("vpc_id", attached))
}

async fn delete(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let Some(gateway) = find(ec2, args).await? else { return Ok(Outcome::new()) };
    let id = text(&gateway, "InternetGatewayId");
    let attached = network(&gateway);
    if let (Some(wanted), Some(is)) = (args.vpc_id.as_deref(), attached)
        && wanted != is
    {
        return Err(ModuleError::failed(format!("{id} is attached to {is}, not to {wanted}")));
    }
    if let Some(vpc) = attached {
        detach(ec2, id, vpc).await?;
    }
    let edit = Edit::new("delete the internet gateway", id).from(ec2::shown(&gateway));
    ec2.change(edit, "DeleteInternetGateway", json!({"InternetGatewayId": id})).await?;
    Ok(Outcome::new())
}

async fn find(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let params = match (&args.internet_gateway_id, &args.vpc_id) {
        (Some(id), _) => json!({"InternetGatewayIds": [id]}),
        (None, Some(vpc)) => ec2::by(&json!({"attachment.vpc-id": vpc})),
        (None, None) => return Ok(None),
    };
    Ok(ec2.list(LIST.0, LIST.1, params).await?.into_iter().next())
}

/// One that was made for this task and not attached any more.
async fn left_over(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let (Some(tags), Some(_)) = (&args.tags.tags, &args.vpc_id) else { return Ok(None) };
    if tags.is_empty() {
        return Ok(None);
    }
    let wanted = tags.iter().map(|(name, value)| (format!("tag:{name}"), json!(value)));
    let params = ec2::by(&wanted.collect());
    let found = ec2.list(LIST.0, LIST.1, params).await?;
    Ok(found.into_iter().find(|it| network(it).is_none()))
}

/// Makes it, with all of its tags. Nothing comes back in check mode.
async fn create(ec2: &Ec2<'_>, args: &Args) -> Result<Option<Value>, ModuleError> {
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = ec2::with_tags(json!({}), "internet-gateway", &tags);
    let path = args.vpc_id.as_deref().unwrap_or("detached");
    let edit = Edit::new("create the internet gateway", path).to(json!({"tags": tags}));
    let id = &["InternetGateway", "InternetGatewayId"];
    let Some((id, _)) = ec2.create(edit, "CreateInternetGateway", params, id).await? else {
        return Ok(None);
    };
    ec2.seen(LIST.0, LIST.1, json!({"InternetGatewayIds": [id]})).await.map(Some)
}

async fn detach(ec2: &Ec2<'_>, id: &str, vpc: &str) -> Result<(), ModuleError> {
    let edit = Edit::new("detach the internet gateway", id).from(vpc);
    let params = json!({"InternetGatewayId": id, "VpcId": vpc});
    ec2.change(edit, "DetachInternetGateway", params).await?;
    Ok(())
}

/// The VPC that it is attached to.
fn network(gateway: &Value) -> Option<&str> {
    let attachments = gateway.get("Attachments").map(Value::items).unwrap_or_default();
    let vpc = attachments.first().map(|it| text(it, "VpcId"));
    vpc.filter(|it| !it.is_empty())
}
