//! `amazon.aws.ec2_tag`: tags of anything that EC2 has.

use std::collections::BTreeMap;

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::ec2::{Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, TagChange, Tags};

/// Keep tags of anything that EC2 has.
///
/// ```yaml
/// - name: Whose volume is it?
///   amazon.aws.ec2_tag:
///     resource: vol-0123456789abcdef0
///     tags: {Team: data}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Remove the tags that `tags` does not name. With `state: absent`, those are kept that `tags` names with
    /// another value than they have.
    #[serde(default)]
    purge_tags: bool,
    /// The id of what has the tags.
    resource: String,
    /// Whether the tags are there.
    #[serde(default)]
    state: State,
    /// The tags, by name. With `state: absent`, one without a value goes whatever its value is, and one with a
    /// value where it has that one.
    tags: Map<String, Json>,
    #[serde(flatten)]
    login: Login,
}

/// `amazon.aws.ec2_tag`.
pub(crate) struct Ec2Tag;

impl Module for Ec2Tag {
    const NAME: &'static str = "amazon.aws.ec2_tag";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = keep(&ec2, &args).await;
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let params = crate::aws::ec2::by(&json!({"resource-id": args.resource}));
    let there = ec2.list("DescribeTags", "Tags", params).await?;
    let pair = |it| (text(it, "Key").to_owned(), text(it, "Value").to_owned());
    let current: Tags = there.iter().map(pair).collect();
    let given = TagArgs::deserialize(json!({"tags": args.tags})).map(|it| it.tags);
    let given = given.ok().flatten().unwrap_or_default();
    let change = match args.state {
        State::Present => TagChange::between(&current, &given, args.purge_tags),
        State::Absent => {
            let is_meant = |key: &String, value: &String| match args.tags.get(key) {
                Some(Json::Null) => true,
                Some(_) => given.get(key) == Some(value),
                None => args.purge_tags,
            };
            let kept = current.iter().filter(|(key, value)| !is_meant(key, value));
            let kept = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            TagChange::between(&current, &kept, true)
        }
    };
    let removed: BTreeMap<&String, Option<&String>> =
        change.remove.iter().map(|key| (key, current.get(key))).collect();
    let tags = ec2.tag(&args.resource, &current, &change).await?;
    let outcome = Outcome::new().with("tags", tags);
    Ok(match args.state {
        State::Present if removed.is_empty() => outcome.with("added_tags", change.set),
        State::Present => outcome.with("added_tags", change.set).with("removed_tags", removed),
        State::Absent => outcome.with("removed_tags", removed),
    })
}
