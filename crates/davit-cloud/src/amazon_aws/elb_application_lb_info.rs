//! `amazon.aws.elb_application_lb_info`: what application load balancers are like.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::aws::args::yes;
use crate::aws::balancers::{self, Attributes, Balancers, Kind, MISSING};
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::{list, text};
use crate::aws::patience::says;

/// Tell of application load balancers, with their tags, attributes, listeners and rules.
///
/// Without names and ARNs it tells of all. Where one that is named is not there, AWS tells of none.
///
/// ```yaml
/// - amazon.aws.elb_application_lb_info:
///     names: [shop]
///   register: found
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Their names.
    #[serde(default)]
    names: Option<Vec<String>>,
    /// Their ARNs, 20 at most.
    #[serde(default)]
    load_balancer_arns: Option<Vec<String>>,
    /// Tell of their attributes.
    #[serde(default = "yes")]
    include_attributes: bool,
    /// Tell of their listeners.
    #[serde(default = "yes")]
    include_listeners: bool,
    /// Tell of their listeners with the rules.
    #[serde(default = "yes")]
    include_listener_rules: bool,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.elb_application_lb_info`.
pub(crate) struct ElbApplicationLbInfo;

impl Module for ElbApplicationLbInfo {
    const NAME: &'static str = "amazon.aws.elb_application_lb_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.elb_application_lb_info"];
    const RULES: Rules =
        Rules { mutually_exclusive: &[&["load_balancer_arns", "names"]], ..Rules::NONE };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let elb = Balancers { control, aws: &aws };
        let mut params = json!({});
        if let Some(names) = args.names.as_ref().filter(|it| !it.is_empty()) {
            params["Names"] = json!(names);
        }
        if let Some(arns) = args.load_balancer_arns.as_ref().filter(|it| !it.is_empty()) {
            params["LoadBalancerArns"] = json!(arns);
        }
        let found = match aws.attempt_all("elbv2", "DescribeLoadBalancers", params).await {
            Ok(found) => davit_aws::Value::Map(found),
            Err(error) if says(&error, MISSING) => davit_aws::Value::Null,
            Err(error) => {
                let of = Some(("elbv2", "DescribeLoadBalancers"));
                return Err(failure(of, &error));
            }
        };
        let mut told = Vec::new();
        for balancer in list(&found, "LoadBalancers") {
            if text(balancer, "Type") != "application" {
                continue;
            }
            let arn = text(balancer, "LoadBalancerArn");
            let mut shown = names::snake_all(balancer.to_json(), &[]);
            shown["tags"] = json!(elb.tags(arn).await?);
            if args.include_attributes {
                let nothing = Attributes::new();
                let all = elb.keep_attributes(Kind::LoadBalancer, arn, &nothing).await?;
                balancers::show_attributes(&all, &mut shown);
            }
            if args.include_listeners || args.include_listener_rules {
                let with_rules = args.include_listener_rules;
                shown["listeners"] = elb.shown_listeners(arn, with_rules).await?.into();
            }
            told.push(shown);
        }
        Ok(aws.tell(Outcome::new().with("load_balancers", told)))
    }
}
