//! `amazon.aws.rds_subnet_group`: the subnets that database instances of RDS may stand in.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/rds_subnet_group_module.html>

use std::collections::BTreeSet;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::database::Rds;
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::parts::{list, text};
use crate::aws::shapes::said;
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Keep a subnet group of RDS.
///
/// ```yaml
/// - amazon.aws.rds_subnet_group:
///     name: inner
///     state: present
///     description: Where databases stand
///     subnets: "{{ subnets.results | map(attribute='subnet.id') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// The name. Its letters have no case.
    name: String,
    /// Whether it is to be there.
    state: State,
    /// The subnets, by id, in two zones at least.
    #[serde(default)]
    subnets: Option<Vec<String>>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.rds_subnet_group`.
pub(crate) struct RdsSubnetGroup;

impl Module for RdsSubnetGroup {
    const NAME: &'static str = "amazon.aws.rds_subnet_group";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.rds_subnet_group"];
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["description", "subnets"],
            any: false,
        }],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let rds = Rds::new(control, &args.login)?;
        let name = args.name.to_lowercase();
        let params = json!({"DBSubnetGroupName": name});
        let missing = &["DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound"];
        let found = rds.described("DescribeDBSubnetGroups", &params, "DBSubnetGroups", missing);
        let found = found.await?.into_iter().next();
        let Some(group) = found else {
            return match args.state {
                State::Present => create(&rds, &args, &name).await,
                State::Absent => Ok(rds.told(Outcome::new(), None)),
            };
        };
        if args.state == State::Present {
            return update(&rds, &args, group).await;
        }
        let edit = Edit::new("delete the subnet group", text(&group, "DBSubnetGroupArn"));
        let edit = edit.from(snake_all(group.to_json(), &[]));
        rds.change(edit, "DeleteDBSubnetGroup", params).await?;
        Ok(rds.told(Outcome::new(), None))
    }
}

async fn create(rds: &Rds<'_>, args: &Args, name: &str) -> Result<Outcome, ModuleError> {
    let tags = args.tags.tags.clone().unwrap_or_default();
    let params = said(json!({
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": args.description,
        "SubnetIds": args.subnets,
        "Tags": Some(&tags).filter(|it| !it.is_empty()).map(|it| Shape::USUAL.list(it).to_json()),
    }));
    let edit = Edit::new("make the subnet group", format!("rds:subgrp/{name}")).to(&params);
    let made = rds.change(edit, "CreateDBSubnetGroup", params).await?;
    let made = made.and_then(|it| it.get("DBSubnetGroup").cloned());
    Ok(made.map_or_else(|| rds.told(Outcome::new(), None), |it| end(rds, &it, &tags)))
}

async fn update(rds: &Rds<'_>, args: &Args, group: Value) -> Result<Outcome, ModuleError> {
    let arn = text(&group, "DBSubnetGroupArn");
    let tags = rds.tag(arn, &rds.tags_of(arn).await?, &args.tags).await?;
    let description = text(&group, "DBSubnetGroupDescription");
    let is: BTreeSet<&str> = subnets(&group).collect();
    let wanted: BTreeSet<&str> = args.subnets.iter().flatten().map(String::as_str).collect();
    if is == wanted && args.description.as_deref().is_none_or(|it| it == description) {
        return Ok(end(rds, &group, &tags));
    }
    let params = json!({
        "DBSubnetGroupName": text(&group, "DBSubnetGroupName"),
        "DBSubnetGroupDescription": args.description.as_deref().unwrap_or(description),
        "SubnetIds": wanted,
    });
    let edit = Edit::new("change the subnet group", arn)
        .from(json!({"description": description, "subnets": is}))
        .to(json!({"description": params["DBSubnetGroupDescription"], "subnets": wanted}));
    let made = rds.change(edit, "ModifyDBSubnetGroup", params).await?;
    let made = made.and_then(|it| it.get("DBSubnetGroup").cloned());
    Ok(end(rds, &made.unwrap_or(group), &tags))
}

fn subnets(group: &Value) -> impl Iterator<Item = &str> {
    list(group, "Subnets").iter().map(|it| text(it, "SubnetIdentifier"))
}

/// The group as results show it, under the names of RDS and under shorter ones.
fn end(rds: &Rds<'_>, group: &Value, tags: &Tags) -> Outcome {
    let mut told = snake_all(group.to_json(), &[]);
    for (name, of) in [
        ("description", "db_subnet_group_description"),
        ("name", "db_subnet_group_name"),
        ("status", "subnet_group_status"),
    ] {
        told[name] = told[of].clone();
    }
    told["subnet_ids"] = subnets(group).map(Json::from).collect();
    told["tags"] = json!(tags);
    rds.told(Outcome::new().with("subnet_group", told), None)
}
