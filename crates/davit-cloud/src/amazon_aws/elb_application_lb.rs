//! `amazon.aws.elb_application_lb`: application load balancers.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::balancers::{self, Attributes, Balancers, Kind};
use crate::aws::client::Aws;
use crate::aws::ec2::State;
use crate::aws::launch;
use crate::aws::listeners::{Listener, Wanted};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::{items, list, text};
use crate::aws::tags::{Shape, TagArgs};

/// Keep an application load balancer, with its listeners, rules and attributes.
///
/// Listeners are known by their ports, rules by their priorities.
///
/// ```yaml
/// - amazon.aws.elb_application_lb:
///     name: shop
///     subnets: "{{ subnets }}"
///     security_groups: [web]
///     listeners:
///       - Protocol: HTTP
///         Port: 80
///         DefaultActions:
///           - Type: forward
///             TargetGroupName: web
///         Rules:
///           - Priority: 1
///             Conditions: [{Field: path-pattern, Values: [/old/*]}]
///             Actions: [{Type: redirect, RedirectConfig: {Path: /, StatusCode: HTTP_301}}]
///     wait: true
///   register: balancer
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its name.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The subnets that it stands in, of two zones at least.
    #[serde(default)]
    subnets: Option<Vec<String>>,
    /// Its security groups, by id or name; with none of them it has the network's default one.
    #[serde(default)]
    security_groups: Option<Vec<String>>,
    /// Whether it can be reached from the internet, which it can without this. That stays as it was made.
    #[serde(default)]
    scheme: Option<Scheme>,
    /// The kind of addresses that it has.
    #[serde(default)]
    ip_address_type: Option<IpAddressType>,
    /// Its listeners. Without it they stay as they are.
    #[serde(default)]
    listeners: Option<Vec<Listener>>,
    /// Delete listeners at ports that `listeners` does not name.
    #[serde(default = "yes")]
    purge_listeners: bool,
    /// Delete rules of priorities that a listener's `Rules` does not name.
    #[serde(default = "yes")]
    purge_rules: bool,
    /// Write a log of requests to a bucket.
    #[serde(default)]
    access_logs_enabled: Option<bool>,
    /// The bucket.
    #[serde(default)]
    access_logs_s3_bucket: Option<String>,
    /// What the names of its objects begin with.
    #[serde(default)]
    access_logs_s3_prefix: Option<String>,
    /// It cannot be deleted.
    #[serde(default)]
    deletion_protection: Option<bool>,
    /// Take HTTP/2 from clients.
    #[serde(default)]
    http2: Option<bool>,
    /// What becomes of requests that may be understood in two ways.
    #[serde(default)]
    http_desync_mitigation_mode: Option<DesyncMode>,
    /// Take headers out that are not valid.
    #[serde(default)]
    http_drop_invalid_header_fields: Option<bool>,
    /// Tell targets in headers of the version and cipher of TLS.
    #[serde(default)]
    http_x_amzn_tls_version_and_cipher_suite: Option<bool>,
    /// Tell targets in `X-Forwarded-For` of the client's port.
    #[serde(default)]
    http_xff_client_port: Option<bool>,
    /// After so many seconds without a byte a connection is closed.
    #[serde(default)]
    idle_timeout: Option<i64>,
    /// Let requests pass where the firewall does not answer.
    #[serde(default)]
    waf_fail_open: Option<bool>,
    /// Wait until it is active, or gone.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most; ten minutes without it.
    #[serde(default)]
    wait_timeout: Option<u64>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// So many seconds are waited where a task does not say.
const PATIENCE: u64 = 600;

/// From where a load balancer can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Scheme {
    /// From the internet.
    InternetFacing,
    /// From its network.
    Internal,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::InternetFacing => "internet-facing",
            Self::Internal => "internal",
        }
    }
}

/// The kind of addresses of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum IpAddressType {
    /// Version 4.
    Ipv4,
    /// Versions 4 and 6.
    Dualstack,
}

impl IpAddressType {
    const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Dualstack => "dualstack",
        }
    }
}

/// What becomes of requests that may be understood in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DesyncMode {
    /// They are counted.
    Monitor,
    /// The dangerous ones are refused.
    Defensive,
    /// Those that are not to the letter are refused.
    Strictest,
}

impl DesyncMode {
    const fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Defensive => "defensive",
            Self::Strictest => "strictest",
        }
    }
}

/// `amazon.aws.elb_application_lb`.
pub(crate) struct ElbApplicationLb;

impl Module for ElbApplicationLb {
    const NAME: &'static str = "amazon.aws.elb_application_lb";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.elb_application_lb"];
    const RULES: Rules = Rules {
        required_together: &[&["access_logs_enabled", "access_logs_s3_bucket"]],
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["subnets", "security_groups"],
            any: false,
        }],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        if let Some(wanted) = args.listeners() {
            wanted.check()?;
        }
        let aws = Aws::new(control, &args.login)?;
        let elb = Balancers { control, aws: &aws };
        let found = elb.named(Kind::LoadBalancer, &args.name).await?;
        if let Some(kind) = found.as_ref().map(|it| text(it, "Type"))
            && kind != "application"
        {
            let text = format!("{} is a load balancer of the type {kind}", args.name);
            return Err(ModuleError::failed(text));
        }
        let task = Task { elb, args: &args };
        let outcome = match (args.state, found) {
            (State::Present, found) => task.keep(found).await?,
            (State::Absent, Some(balancer)) => task.delete(&balancer).await?,
            (State::Absent, None) => Outcome::new(),
        };
        Ok(aws.tell(outcome))
    }
}

impl Args {
    fn listeners(&self) -> Option<Wanted<'_>> {
        let (purge_listeners, purge_rules) = (self.purge_listeners, self.purge_rules);
        let wanted = |listeners| Wanted { listeners, purge_listeners, purge_rules };
        self.listeners.as_deref().map(wanted)
    }

    fn attributes(&self) -> Attributes {
        let switch = |it: Option<bool>| it.map(|it| it.to_string());
        let tls = self.http_x_amzn_tls_version_and_cipher_suite;
        let all = [
            ("access_logs.s3.enabled", switch(self.access_logs_enabled)),
            ("access_logs.s3.bucket", self.access_logs_s3_bucket.clone()),
            ("access_logs.s3.prefix", self.access_logs_s3_prefix.clone()),
            ("deletion_protection.enabled", switch(self.deletion_protection)),
            ("idle_timeout.timeout_seconds", self.idle_timeout.map(|it| it.to_string())),
            ("routing.http2.enabled", switch(self.http2)),
            (
                "routing.http.desync_mitigation_mode",
                self.http_desync_mitigation_mode.map(|it| it.name().to_owned()),
            ),
            (
                "routing.http.drop_invalid_header_fields.enabled",
                switch(self.http_drop_invalid_header_fields),
            ),
            ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", switch(tls)),
            ("routing.http.xff_client_port.enabled", switch(self.http_xff_client_port)),
            ("waf.fail_open.enabled", switch(self.waf_fail_open)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    elb: Balancers<'a>,
    args: &'a Args,
}

impl Task<'_> {
    async fn keep(&self, found: Option<Value>) -> Result<Outcome, ModuleError> {
        let groups = self.security_groups(found.as_ref()).await?;
        let balancer = match found {
            Some(balancer) => {
                self.keep_itself(&balancer, &groups).await?;
                balancer
            }
            None => match self.create(&groups).await? {
                Some(balancer) => balancer,
                None => return self.predict(&groups).await,
            },
        };
        let arn = text(&balancer, "LoadBalancerArn");
        let tags = self.elb.keep_tags(arn, &self.args.tags).await?;
        let wanted = self.args.attributes();
        let attributes = self.elb.keep_attributes(Kind::LoadBalancer, arn, &wanted).await?;
        if let Some(wanted) = self.args.listeners() {
            self.elb.keep_listeners(Some(arn), wanted).await?;
        }
        let is_check = self.elb.control.is_check();
        if self.args.wait && !is_check {
            self.wait("load_balancer_available", arn).await?;
        }
        let after = match is_check {
            false => self.elb.named(Kind::LoadBalancer, &self.args.name).await?,
            true => None,
        };
        let mut shown = names::snake_all(after.as_ref().unwrap_or(&balancer).to_json(), &[]);
        balancers::show_attributes(&attributes, &mut shown);
        shown["tags"] = json!(tags);
        shown["listeners"] = self.elb.shown_listeners(arn, true).await?.into();
        Ok(Outcome::new().with_all(shown))
    }

    /// What check mode says of one that would be made.
    async fn predict(&self, groups: &[String]) -> Result<Outcome, ModuleError> {
        if let Some(wanted) = self.args.listeners() {
            self.elb.keep_listeners(None, wanted).await?;
        }
        let outcome = Outcome::new()
            .with("load_balancer_name", &self.args.name)
            .with("scheme", self.args.scheme.unwrap_or(Scheme::InternetFacing).name())
            .with("security_groups", groups)
            .with("tags", self.args.tags.tags.clone().unwrap_or_default());
        Ok(outcome)
    }

    async fn create(&self, groups: &[String]) -> Result<Option<Value>, ModuleError> {
        let mut params = json!({
            "Name": self.args.name,
            "Type": "application",
            "Scheme": self.args.scheme.unwrap_or(Scheme::InternetFacing).name(),
            "Subnets": self.args.subnets,
            "SecurityGroups": groups,
        });
        if let Some(kind) = self.args.ip_address_type {
            params["IpAddressType"] = kind.name().into();
        }
        if let Some(tags) = self.args.tags.tags.as_ref().filter(|it| !it.is_empty()) {
            params["Tags"] = Shape::USUAL.list(tags).to_json();
        }
        let edit = Edit::new("create the load balancer", &self.args.name)
            .to(names::snake_all(params.clone(), &[]));
        let made = self.elb.change(edit, "CreateLoadBalancer", params).await?;
        let Some(made) = made else { return Ok(None) };
        let balancer = list(&made, "LoadBalancers").first().cloned();
        let missing = || ModuleError::failed("CreateLoadBalancer gave no load balancer");
        balancer.ok_or_else(missing).map(Some)
    }

    /// Brings the subnets, the security groups and the kind of addresses to what is wanted.
    async fn keep_itself(&self, there: &Value, groups: &[String]) -> Result<(), ModuleError> {
        let arn = text(there, "LoadBalancerArn");
        let scheme = text(there, "Scheme");
        if let Some(wanted) = self.args.scheme.map(Scheme::name).filter(|it| *it != scheme) {
            let name = &self.args.name;
            let text = format!("{name} is {scheme}, which cannot be changed to {wanted}");
            return Err(ModuleError::failed(text));
        }
        let zones = list(there, "AvailabilityZones").iter();
        let now = sorted(zones.map(|it| text(it, "SubnetId").to_owned()).collect());
        let subnets = sorted(self.args.subnets.clone().unwrap_or_default());
        if now != subnets {
            let edit = Edit::new("set the subnets", arn).from(now).to(&subnets);
            let params = json!({"LoadBalancerArn": arn, "Subnets": subnets});
            self.elb.change(edit, "SetSubnets", params).await?;
        }
        let now = list(there, "SecurityGroups").iter().filter_map(Value::as_str);
        let now = sorted(now.map(str::to_owned).collect());
        if now != sorted(groups.to_vec()) {
            let edit = Edit::new("set the security groups", arn).from(now).to(groups);
            let params = json!({"LoadBalancerArn": arn, "SecurityGroups": groups});
            self.elb.change(edit, "SetSecurityGroups", params).await?;
        }
        let now = text(there, "IpAddressType");
        let kind = self.args.ip_address_type.map(IpAddressType::name);
        if let Some(kind) = kind.filter(|it| *it != now) {
            let edit = Edit::new("set the kind of addresses", arn).from(now).to(kind);
            let params = json!({"LoadBalancerArn": arn, "IpAddressType": kind});
            self.elb.change(edit, "SetIpAddressType", params).await?;
        }
        Ok(())
    }

    /// The ids of the security groups.
    async fn security_groups(&self, there: Option<&Value>) -> Result<Vec<String>, ModuleError> {
        let mut named = self.args.security_groups.clone().unwrap_or_default();
        if named.is_empty() {
            named.push("default".to_owned());
        }
        if named.iter().all(|it| it.starts_with("sg-")) {
            return Ok(named);
        }
        // Names are those of one network.
        let vpc = match there {
            Some(there) => text(there, "VpcId").to_owned(),
            None => {
                let first = self.args.subnets.iter().flatten().next();
                let first = first.ok_or_else(|| ModuleError::failed("subnets is empty"))?;
                let params = json!({"SubnetIds": [first]});
                let found = self.elb.aws.call("ec2", "DescribeSubnets", params).await?;
                let subnet = items(&found, "Subnets").first();
                subnet.map(|it| text(it, "VpcId").to_owned()).unwrap_or_default()
            }
        };
        launch::group_ids(self.elb.aws, Some(&vpc), &named).await
    }

    async fn delete(&self, balancer: &Value) -> Result<Outcome, ModuleError> {
        let arn = text(balancer, "LoadBalancerArn");
        let edit = Edit::new("delete the load balancer", arn)
            .from(names::snake_all(balancer.to_json(), &[]));
        let params = json!({"LoadBalancerArn": arn});
        let gone = self.elb.change(edit, "DeleteLoadBalancer", params).await?;
        if gone.is_some() && self.args.wait {
            self.wait("load_balancers_deleted", arn).await?;
        }
        Ok(Outcome::new())
    }

    async fn wait(&self, waiter: &str, arn: &str) -> Result<(), ModuleError> {
        self.elb.control.tell(&format!("waiting for {waiter}"));
        let timeout = Duration::from_secs(self.args.wait_timeout.unwrap_or(PATIENCE));
        let params: Json = json!({"LoadBalancerArns": [arn]});
        self.elb.aws.wait("elbv2", waiter, params, timeout).await
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids.dedup();
    ids
}
