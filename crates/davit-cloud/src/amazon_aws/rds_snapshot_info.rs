//! `amazon.aws.rds_snapshot_info`: what is known of snapshots of RDS, of instances and of clusters.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/rds_snapshot_info_module.html>

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::database::{self, Rds};
use crate::aws::launch::merge;
use crate::aws::login::Login;
use crate::aws::shapes::said;

/// Find out about snapshots of RDS.
///
/// `snapshots` of the result has those of instances, unless a cluster or a snapshot of one is named;
/// `cluster_snapshots` has those of clusters, unless an instance or a snapshot of one is.
///
/// ```yaml
/// - amazon.aws.rds_snapshot_info:
///     db_instance_identifier: shop
///     snapshot_type: automated
///   register: backups
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster whose snapshots are meant.
    #[serde(default)]
    db_cluster_identifier: Option<String>,
    /// A snapshot of a cluster.
    #[serde(default)]
    db_cluster_snapshot_identifier: Option<String>,
    /// The instance whose snapshots are meant.
    #[serde(default)]
    db_instance_identifier: Option<String>,
    /// A snapshot of an instance.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["snapshot_name"]))]
    db_snapshot_identifier: Option<String>,
    /// What kind of snapshots. Without it, automated and manual ones.
    #[serde(default)]
    snapshot_type: Option<Kind>,
    #[serde(flatten)]
    login: Login,
}

/// Kinds of snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Made by RDS.
    Automated,
    /// Made by somebody.
    Manual,
    /// Those that other accounts share with this one.
    Shared,
    /// Those that anybody can use.
    Public,
}

/// `amazon.aws.rds_snapshot_info`.
pub(crate) struct RdsSnapshotInfo;

impl Module for RdsSnapshotInfo {
    const NAME: &'static str = "amazon.aws.rds_snapshot_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.rds_snapshot_info"];
    const RULES: Rules = Rules {
        mutually_exclusive: &[&[
            "db_snapshot_identifier",
            "db_instance_identifier",
            "db_cluster_identifier",
            "db_cluster_snapshot_identifier",
        ]],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let rds = Rds::new(control, &args.login)?;
        let names_cluster =
            args.db_cluster_identifier.is_some() || args.db_cluster_snapshot_identifier.is_some();
        let names_instance =
            args.db_instance_identifier.is_some() || args.db_snapshot_identifier.is_some();
        let mut outcome = Outcome::new();
        let kind = json!({
            "SnapshotType": args.snapshot_type,
            // Without it, such are not told.
            "IncludeShared": (args.snapshot_type == Some(Kind::Shared)).then_some(true),
            "IncludePublic": (args.snapshot_type == Some(Kind::Public)).then_some(true),
        });
        let find = async |operation, key, missing: &[&str], mut params: Json| {
            merge(&mut params, kind.clone());
            let found = rds.described(operation, &said(params), key, missing).await?;
            Ok::<Vec<Json>, ModuleError>(found.iter().map(database::shown).collect())
        };
        if !names_cluster {
            let params = json!({
                "DBInstanceIdentifier": args.db_instance_identifier,
                "DBSnapshotIdentifier": args.db_snapshot_identifier,
            });
            let missing = &["DBSnapshotNotFound", "DBSnapshotNotFoundFault"];
            let found = find("DescribeDBSnapshots", "DBSnapshots", missing, params).await?;
            outcome.set("snapshots", found);
        }
        if !names_instance {
            let params = json!({
                "DBClusterIdentifier": args.db_cluster_identifier,
                "DBClusterSnapshotIdentifier": args.db_cluster_snapshot_identifier,
            });
            let missing = &["DBClusterSnapshotNotFoundFault", "DBClusterSnapshotNotFound"];
            let key = "DBClusterSnapshots";
            let found = find("DescribeDBClusterSnapshots", key, missing, params).await?;
            outcome.set("cluster_snapshots", found);
        }
        Ok(rds.told(outcome, None))
    }
}
