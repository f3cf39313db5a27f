//! `amazon.aws.ec2_security_group`: which traffic instances take and send.

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::aws::args::yes;
use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::permissions::{self, Difference, Permissions, Rule};
use crate::aws::tags::{TagArgs, Tags};

/// Keep a security group.
///
/// It is found by its name within its VPC. What is missing is allowed before what is too much is taken away.
///
/// ```yaml
/// - name: The web for all, SSH for us
///   amazon.aws.ec2_security_group:
///     name: web
///     description: Web servers
///     vpc_id: "{{ vpc.vpc.id }}"
///     rules:
///       - {ports: [80, 443], cidr_ip: 0.0.0.0/0, rule_desc: everybody}
///       - {ports: 22, cidr_ip: 192.0.2.0/24, rule_desc: the office}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What it is for. This cannot be changed later.
    #[serde(default)]
    description: Option<String>,
    /// The id of the group to delete.
    #[serde(default)]
    group_id: Option<String>,
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// Remove the inbound rules that `rules` does not name.
    #[serde(default = "yes")]
    purge_rules: bool,
    /// Remove the outbound rules that `rules_egress` does not name.
    #[serde(default = "yes")]
    #[schemars(extend("x-aliases" = ["purge_egress_rules"]))]
    purge_rules_egress: bool,
    /// The inbound rules. Without it there are none.
    #[serde(default)]
    rules: Option<Vec<Rule>>,
    /// The outbound rules. Without it they stay as they are: a new group allows all.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["egress_rules"]))]
    rules_egress: Option<Vec<Rule>>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The id of its VPC; the default VPC without it.
    #[serde(default)]
    vpc_id: Option<String>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeSecurityGroups", "SecurityGroups");
/// What a group goes by that is only predicted.
const PREDICTED: &str = "sg-predicted";

/// `amazon.aws.ec2_security_group`.
pub(crate) struct Ec2SecurityGroup;

impl Module for Ec2SecurityGroup {
    const NAME: &'static str = "amazon.aws.ec2_security_group";
    const FORMER_NAMES: &'static [&'static str] = &["amazon.aws.ec2_group", "ec2_group"];
    const RULES: Rules = Rules {
        required_one_of: &[&["name", "group_id"]],
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["name", "description"],
            any: false,
        }],
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
    let vpc = network(ec2, args).await?;
    let name = args.name.as_deref().unwrap_or_default();
    let found = named(ec2, vpc.as_deref(), name).await?;
    // What makes no sense is told before anything is changed.
    let mut groups = BTreeMap::from([(name.to_owned(), PREDICTED.to_owned())]);
    let missing = others(ec2, args, vpc.as_deref(), &mut groups).await?;
    wanted(args, &groups)?;
    for (name, description) in missing {
        let made = create(ec2, vpc.as_deref(), &name, &description, &Tags::new()).await?;
        groups.insert(name, made.unwrap_or_else(|| PREDICTED.to_owned()));
    }
    let group = if let Some(group) = found {
        group
    } else {
        let description = args.description.as_deref().unwrap_or_default();
        let tags = args.tags.tags.clone().unwrap_or_default();
        let Some(id) = create(ec2, vpc.as_deref(), name, description, &tags).await? else {
            let outcome = Outcome::new().with("group_id", json!(null)).with("group_name", name);
            return Ok(outcome.with("vpc_id", vpc));
        };
        // The rule that allows all to go out comes a little later than the group.
        let has_rules = |it: &Value| {
            !it.get("IpPermissionsEgress").map(Value::items).unwrap_or_default().is_empty()
        };
        ec2.until(LIST, json!({"GroupIds": [id]}), ec2::SETTLING, has_rules).await?
    };
    let id = text(&group, "GroupId");
    if Some(text(&group, "Description")) != args.description.as_deref() {
        let is = text(&group, "Description");
        ec2.control().warn(format!("{id} is described as {is:?}, which cannot be changed"));
    }
    let current = ec2::tags(&group);
    let tags = ec2.tag(id, &current, &args.tags.change(&current)).await?;
    groups.insert(name.to_owned(), id.to_owned());
    let (inbound, outbound) = wanted(args, &groups)?;
    let there =
        |list: &str| permissions::listed(group.get(list).map(Value::items).unwrap_or_default());
    let difference = Difference::between(&there("IpPermissions"), &inbound, args.purge_rules);
    apply(ec2, id, "Ingress", &difference).await?;
    if let Some(outbound) = outbound {
        let there = there("IpPermissionsEgress");
        let difference = Difference::between(&there, &outbound, args.purge_rules_egress);
        apply(ec2, id, "Egress", &difference).await?;
    }
    let group = ec2.seen(LIST.0, LIST.1, json!({"GroupIds": [id]})).await?;
    Ok(Outcome::new().with_all(ec2::shown(&group)).with("tags", tags))
}

async fn delete(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let found = match (&args.group_id, &args.name) {
        (Some(id), _) => ec2.list(LIST.0, LIST.1, json!({"GroupIds": [id]})).await?.pop(),
        (None, name) => {
            let vpc = network(ec2, args).await?;
            named(ec2, vpc.as_deref(), name.as_deref().unwrap_or_default()).await?
        }
    };
    if let Some(group) = found {
        let id = text(&group, "GroupId");
        let edit = Edit::new("delete the security group", id).from(ec2::shown(&group));
        ec2.change(edit, "DeleteSecurityGroup", json!({"GroupId": id})).await?;
    }
    Ok(Outcome::new().with("group_id", json!(null)))
}

/// The VPC that the group is in; nothing where none is named and there is no default one.
async fn network(ec2: &Ec2<'_>, args: &Args) -> Result<Option<String>, ModuleError> {
    if args.vpc_id.is_some() {
        return Ok(args.vpc_id.clone());
    }
    let params = ec2::by(&json!({"is-default": true}));
    let found = ec2.list("DescribeVpcs", "Vpcs", params).await?;
    Ok(found.first().map(|it| text(it, "VpcId").to_owned()))
}

async fn named(ec2: &Ec2<'_>, vpc: Option<&str>, name: &str) -> Result<Option<Value>, ModuleError> {
    let mut filters = json!({"group-name": name});
    if let Some(vpc) = vpc {
        filters["vpc-id"] = json!(vpc);
    }
    Ok(ec2.list(LIST.0, LIST.1, ec2::by(&filters)).await?.into_iter().next())
}

/// Looks for the other groups that rules name. Those that are not there come back, with their descriptions.
async fn others(
    ec2: &Ec2<'_>,
    args: &Args,
    vpc: Option<&str>,
    groups: &mut BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, ModuleError> {
    let mut missing = Vec::new();
    let mut names = Vec::new();
    for rule in [&args.rules, &args.rules_egress].into_iter().flatten().flatten() {
        let all = rule.group_name.iter().flatten();
        names.extend(all.map(|name| (name.clone(), rule.group_desc.clone())));
    }
    for (name, description) in names {
        if groups.contains_key(&name) {
            continue;
        }
        let id = match (named(ec2, vpc, &name).await?, description) {
            (Some(group), _) => text(&group, "GroupId").to_owned(),
            (None, Some(description)) => {
                missing.push((name.clone(), description));
                PREDICTED.to_owned()
            }
            (None, None) => {
                let text = format!("there is no group {name:?}: group_desc would make it");
                return Err(ModuleError::failed(text));
            }
        };
        groups.insert(name, id);
    }
    Ok(missing)
}

/// The inbound rules, and the outbound ones where the task speaks of them.
fn wanted(
    args: &Args,
    groups: &BTreeMap<String, String>,
) -> Result<(Permissions, Option<Permissions>), ModuleError> {
    let all = |name: &str, rules: &Option<Vec<Rule>>| {
        let mut all = Permissions::new();
        for (at, rule) in rules.iter().flatten().enumerate() {
            let told = rule.permissions(groups);
            all.extend(told.map_err(|it| ModuleError::failed(format!("{name}[{at}]: {it}")))?);
        }
        Ok::<_, ModuleError>(all)
    };
    let outbound = all("rules_egress", &args.rules_egress)?;
    Ok((all("rules", &args.rules)?, args.rules_egress.as_ref().map(|_| outbound)))
}

/// Makes a group; its id. Nothing comes back in check mode.
async fn create(
    ec2: &Ec2<'_>,
    vpc: Option<&str>,
    name: &str,
    description: &str,
    tags: &Tags,
) -> Result<Option<String>, ModuleError> {
    let mut params = json!({"GroupName": name, "Description": description});
    if let Some(vpc) = vpc {
        params["VpcId"] = json!(vpc);
    }
    let edit = Edit::new("create the security group", name).to(&params);
    let params = ec2::with_tags(params, "security-group", tags);
    let made = ec2.create(edit, "CreateSecurityGroup", params, &["GroupId"]).await?;
    Ok(made.map(|(id, _)| id))
}

/// Adds, describes and removes rules of one direction.
async fn apply(
    ec2: &Ec2<'_>,
    id: &str,
    direction: &str,
    difference: &Difference,
) -> Result<(), ModuleError> {
    let Difference { added, described, removed } = difference;
    let steps = [
        ("add rules", format!("AuthorizeSecurityGroup{direction}"), added),
        ("describe rules", format!("UpdateSecurityGroupRuleDescriptions{direction}"), described),
        ("remove rules", format!("RevokeSecurityGroup{direction}"), removed),
    ];
    for (what, operation, rules) in steps {
        if rules.is_empty() {
            continue;
        }
        let rules = permissions::params(rules);
        let edit = Edit::new(format!("{what} ({})", direction.to_lowercase()), id);
        let edit = if what == "remove rules" { edit.from(&rules) } else { edit.to(&rules) };
        let params = json!({"GroupId": id, "IpPermissions": rules});
        ec2.change(edit, &operation, params).await?;
    }
    Ok(())
}
