//! `amazon.aws.rds_instance_snapshot`: makes, copies and deletes snapshots of database instances of RDS.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/rds_instance_snapshot_module.html>

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::aws::args::State;
use crate::aws::database::{self, Rds};
use crate::aws::login::Login;
use crate::aws::parts::text;
use crate::aws::shapes::said;
use crate::aws::tags::{Shape, TagArgs};

/// Keep a snapshot of a database instance of RDS, or a copy of a snapshot.
///
/// The result is what RDS says of the snapshot. Of one that is there only the tags are changed.
///
/// ```yaml
/// - name: Before the migration
///   amazon.aws.rds_instance_snapshot:
///     instance_id: shop
///     id: shop-before-7
///     wait: true
/// - name: A copy in another region
///   amazon.aws.rds_instance_snapshot:
///     id: shop-before-7
///     region: eu-central-1
///     source_id: "{{ snapshot.db_snapshot_arn }}"
///     source_region: eu-west-1
///     copy_tags: true
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Give a copy the tags of what it is copied from, where `tags` says none.
    #[serde(default)]
    copy_tags: bool,
    /// The instance. A new snapshot needs it.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["instance_id"]))]
    db_instance_identifier: Option<String>,
    /// The snapshot's name.
    #[schemars(extend("x-aliases" = ["id", "snapshot_id"]))]
    db_snapshot_identifier: String,
    /// The snapshot to copy: its name, or its ARN where it is in another region.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["source_id", "source_snapshot_id"]))]
    source_db_snapshot_identifier: Option<String>,
    /// The region of the snapshot to copy.
    #[serde(default)]
    source_region: Option<String>,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// Wait until it is made, or gone.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "five_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn five_minutes() -> u64 {
    300
}

/// `amazon.aws.rds_instance_snapshot`.
pub(crate) struct RdsInstanceSnapshot;

impl Module for RdsInstanceSnapshot {
    const NAME: &'static str = "amazon.aws.rds_instance_snapshot";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.rds_instance_snapshot"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let rds = Rds::new(control, &args.login)?;
        let id = args.db_snapshot_identifier.to_lowercase();
        let found = rds.snapshot(&id).await?;
        if args.state == State::Absent {
            if let Some(snapshot) = &found {
                delete(&rds, &args, snapshot).await?;
            }
            return Ok(rds.told(Outcome::new(), None));
        }
        let snapshot = match found {
            Some(snapshot) => {
                let current = database::tags(&snapshot);
                rds.tag(text(&snapshot, "DBSnapshotArn"), &current, &args.tags).await?;
                snapshot
            }
            None => match create(&rds, &args, &id).await? {
                Some(snapshot) => snapshot,
                None => return Ok(rds.told(Outcome::new(), None)),
            },
        };
        if control.is_check() {
            return Ok(rds.told(Outcome::new(), Some(&snapshot)));
        }
        if args.wait && text(&snapshot, "Status") != "available" {
            wait(&rds, &args, "db_snapshot_available", &id).await?;
        }
        let now = rds.snapshot(&id).await?.unwrap_or(snapshot);
        Ok(rds.told(Outcome::new(), Some(&now)))
    }
}

async fn wait(rds: &Rds<'_>, args: &Args, waiter: &str, id: &str) -> Result<(), ModuleError> {
    rds.control.tell(&format!("waiting for {waiter} of {id}"));
    let params = json!({"DBSnapshotIdentifier": id});
    rds.aws.wait("rds", waiter, params, Duration::from_secs(args.wait_timeout)).await
}

/// Makes it or copies it. Nothing comes back in check mode.
async fn create(rds: &Rds<'_>, args: &Args, id: &str) -> Result<Option<Value>, ModuleError> {
    let tags = args.tags.tags.as_ref().filter(|it| !it.is_empty());
    let tags = tags.map(|it| Shape::USUAL.list(it).to_json());
    let (what, operation, params) = match (
        &args.source_db_snapshot_identifier,
        &args.db_instance_identifier,
    ) {
        (Some(source), _) => {
            let params = json!({
                "SourceDBSnapshotIdentifier": source,
                "TargetDBSnapshotIdentifier": id,
                "CopyTags": args.copy_tags,
                "Tags": tags,
                "SourceRegion": args.source_region,
            });
            ("copy the snapshot", "CopyDBSnapshot", said(params))
        }
        (None, Some(instance)) => {
            let params =
                json!({"DBInstanceIdentifier": instance, "DBSnapshotIdentifier": id, "Tags": tags});
            ("make the snapshot", "CreateDBSnapshot", said(params))
        }
        (None, None) => {
            return Err(ModuleError::failed(format!(
                "there is no snapshot {id}: making one takes db_instance_identifier, or source_db_snapshot_identifier"
            )));
        }
    };
    let edit = Edit::new(what, format!("rds:snapshot/{id}")).to(&params);
    let made = rds.change(edit, operation, params).await?;
    Ok(made.and_then(|it| it.get("DBSnapshot").cloned()))
}

async fn delete(rds: &Rds<'_>, args: &Args, snapshot: &Value) -> Result<(), ModuleError> {
    let id = text(snapshot, "DBSnapshotIdentifier");
    if text(snapshot, "Status") != "deleting" {
        let edit = Edit::new("delete the snapshot", text(snapshot, "DBSnapshotArn"));
        let params = json!({"DBSnapshotIdentifier": id});
        rds.change(edit.from(database::shown(snapshot)), "DeleteDBSnapshot", params).await?;
    }
    if args.wait && !rds.control.is_check() {
        wait(rds, args, "db_snapshot_deleted", id).await?;
    }
    Ok(())
}
