//! `amazon.aws.ec2_snapshot`: takes snapshots of volumes, shares and removes them.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/ec2_snapshot_module.html>

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::yes;
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::tags::Tags;
use crate::aws::{parts, shapes};

/// Take a snapshot of a volume, say who may use one, or remove one.
///
/// A new one is taken each time, unless `last_snapshot_min_age` says that a younger one will do.
///
/// ```yaml
/// - name: One a day, however often this runs
///   amazon.aws.ec2_snapshot:
///     volume_id: "{{ data.volume_id }}"
///     description: nightly
///     last_snapshot_min_age: 1440
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// The device of the instance whose volume it is of.
    #[serde(default)]
    device_name: Option<String>,
    /// Groups that may use it: `all` = everybody.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["all"]))]
    group_names: Option<Vec<String>>,
    /// The instance whose volume it is of.
    #[serde(default)]
    instance_id: Option<String>,
    /// Take none where there is one that was begun less than so many minutes ago.
    #[serde(default)]
    last_snapshot_min_age: i64,
    /// Let those in `group_names` or `user_ids` use the snapshot in `snapshot_id`.
    #[serde(default)]
    modify_create_vol_permission: Option<bool>,
    /// And nobody else.
    #[serde(default)]
    purge_create_vol_permission: bool,
    /// The snapshot to be removed or shared.
    #[serde(default)]
    snapshot_id: Option<String>,
    /// Its tags. The tag `Name` of the volume comes along where none is said.
    #[serde(default)]
    snapshot_tags: serde_json::Map<String, Json>,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// Accounts that may use it.
    #[serde(default)]
    user_ids: Option<Vec<String>>,
    /// The volume.
    #[serde(default)]
    volume_id: Option<String>,
    /// Wait until it is complete.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "ten_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    login: Login,
}

/// Whether a snapshot is to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is not.
    Absent,
    /// It is.
    #[default]
    Present,
}

const fn ten_minutes() -> u64 {
    600
}

/// What EC2 says of a snapshot that it does not have.
const MISSING: &[&str] = &["InvalidSnapshot.NotFound"];

/// `amazon.aws.ec2_snapshot`.
pub(crate) struct Ec2Snapshot;

impl Module for Ec2Snapshot {
    const NAME: &'static str = "amazon.aws.ec2_snapshot";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["instance_id", "snapshot_id", "volume_id"],
            &["group_names", "user_ids"],
        ],
        required_one_of: &[&["instance_id", "snapshot_id", "volume_id"]],
        required_together: &[&["instance_id", "device_name"]],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let work = Work { control, aws: &aws, args: &args };
        let outcome = match (args.state, &args.snapshot_id) {
            (State::Absent, Some(id)) => work.remove(id).await,
            (State::Absent, None) => {
                Err(ModuleError::failed("snapshot_id is needed to remove a snapshot"))
            }
            (State::Present, Some(id)) if args.modify_create_vol_permission == Some(true) => {
                work.share(id).await
            }
            (State::Present, Some(_)) => {
                let text = "with snapshot_id there is something to do where it is absent, or with \
                            modify_create_vol_permission";
                Err(ModuleError::failed(text))
            }
            (State::Present, None) => work.take().await,
        };
        outcome.map(|it| aws.tell(it))
    }
}

/// A call of this module.
struct Work<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Work<'_> {
    async fn remove(&self, id: &str) -> Result<Outcome, ModuleError> {
        let params = json!({"SnapshotIds": [id]});
        let found = self.aws.find("ec2", "DescribeSnapshots", params, MISSING).await?;
        let Some(found) = found.as_ref().and_then(|it| parts::items(it, "Snapshots").first())
        else {
            return Ok(Outcome::new());
        };
        let edit = Edit::new("remove the snapshot", id).from(parts::shown(found));
        let act = async || {
            self.aws.find("ec2", "DeleteSnapshot", json!({"SnapshotId": id}), MISSING).await
        };
        self.control.change(edit, act).await?;
        Ok(Outcome::new().with("snapshot_id", id))
    }

    /// Says who may use it.
    async fn share(&self, id: &str) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let (name, wanted) = match (&args.group_names, &args.user_ids) {
            (Some(groups), _) => ("Group", groups),
            (None, Some(users)) => ("UserId", users),
            (None, None) => {
                return Err(ModuleError::failed("group_names or user_ids is needed to share it"));
            }
        };
        let params = json!({"SnapshotId": id, "Attribute": "createVolumePermission"});
        let told = self.aws.call("ec2", "DescribeSnapshotAttribute", params).await?;
        let told = parts::items(&told, "CreateVolumePermissions");
        let who = |name: &'static str| -> BTreeSet<(&'static str, String)> {
            let found = told.iter().filter_map(|it| it.get(name)?.as_str());
            found.map(|it| (name, it.to_owned())).collect()
        };
        let current = &who("Group") | &who("UserId");
        let wanted: BTreeSet<_> = wanted.iter().map(|it| (name, it.clone())).collect();
        let list = |all: &BTreeSet<(&'static str, String)>| -> Vec<Json> {
            all.iter().map(|(name, it)| json!({*name: it})).collect()
        };
        let strange =
            if args.purge_create_vol_permission { &current - &wanted } else { BTreeSet::new() };
        let add = &wanted - &current;
        if add.is_empty() && strange.is_empty() {
            return Ok(Outcome::new().with("snapshot_id", id));
        }
        let after = &(&current - &strange) | &wanted;
        let edit = Edit::new("share the snapshot", id).from(list(&current)).to(list(&after));
        let act = async || {
            for (operation, these) in [("add", &add), ("remove", &strange)] {
                let of = |kind: &str| -> Vec<&str> {
                    these.iter().filter(|it| it.0 == kind).map(|it| it.1.as_str()).collect()
                };
                let params = json!({
                    "SnapshotId": id, "Attribute": "createVolumePermission",
                    "OperationType": operation, "GroupNames": of("Group"), "UserIds": of("UserId"),
                });
                if !these.is_empty() {
                    self.aws.call("ec2", "ModifySnapshotAttribute", params).await?;
                }
            }
            Ok(())
        };
        self.control.change(edit, act).await?;
        Ok(Outcome::new().with("snapshot_id", id))
    }

    /// The volume that is meant.
    async fn volume(&self) -> Result<Value, ModuleError> {
        let args = self.args;
        let params = match (&args.volume_id, &args.instance_id, &args.device_name) {
            (Some(id), ..) => json!({"VolumeIds": [id]}),
            (None, instance, device) => json!({"Filters": [
                {"Name": "attachment.instance-id", "Values": [instance]},
                {"Name": "attachment.device", "Values": [device]},
            ]}),
        };
        let found = self.aws.all("ec2", "DescribeVolumes", params).await?;
        let found = parts::items(&found, "Volumes").first().cloned();
        found.ok_or_else(|| ModuleError::failed("there is no such volume"))
    }

    async fn take(&self) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let volume = self.volume().await?;
        let id = parts::text(&volume, "VolumeId");
        if let Some(young) = self.young(id).await? {
            return Ok(told(&young));
        }
        let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let mut tags: Tags =
            args.snapshot_tags.iter().map(|(key, it)| (key.clone(), text(it))).collect();
        if let Some(name) = parts::tags(&volume).remove("Name") {
            tags.entry("Name".to_owned()).or_insert(name);
        }
        let params = shapes::said(json!({
            "VolumeId": id, "Description": args.description,
            "TagSpecifications": parts::tag_specifications(&["snapshot"], &tags).to_json(),
        }));
        let edit = Edit::new("take a snapshot", id).to(&params);
        let act = async || self.aws.call("ec2", "CreateSnapshot", params.clone()).await;
        let new = |made: &Map| Some(made.get("SnapshotId")?.as_str()?.to_owned());
        let made = self.control.create(edit, act, new).await?;
        let Some(made) = made else {
            let size = volume.get("Size").map(Value::to_json);
            return Ok(Outcome::new().with("volume_id", id).with("volume_size", size));
        };
        if !args.wait {
            return Ok(told(&Value::Map(made)));
        }
        let new = new(&made).unwrap_or_default();
        let failed = |error: ModuleError| error.with("snapshot_id", &new);
        let params = json!({"SnapshotIds": [new]});
        self.control.tell(&format!("waiting for {new}"));
        let time = Duration::from_secs(args.wait_timeout);
        let waited = self.aws.wait("ec2", "snapshot_completed", params.clone(), time).await;
        waited.map_err(failed)?;
        let found = self.aws.call("ec2", "DescribeSnapshots", params).await.map_err(failed)?;
        let found = parts::items(&found, "Snapshots").first().cloned();
        Ok(told(&found.unwrap_or(Value::Map(made))))
    }

    /// The latest of the volume's snapshots, where it is young enough to do.
    async fn young(&self, volume: &str) -> Result<Option<Value>, ModuleError> {
        let age = self.args.last_snapshot_min_age;
        if age <= 0 {
            return Ok(None);
        }
        let params = json!({
            "OwnerIds": ["self"], "Filters": [{"Name": "volume-id", "Values": [volume]}],
        });
        let found = self.aws.all("ec2", "DescribeSnapshots", params).await?;
        let begun = |it: &Value| match it.get("StartTime") {
            Some(Value::Timestamp(at)) => at.as_second(),
            _ => i64::MIN,
        };
        let taken = parts::items(&found, "Snapshots").iter();
        let taken = taken.filter(|it| parts::text(it, "State") != "error");
        let latest = taken.max_by_key(|it| begun(it));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let oldest = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(age.saturating_mul(60));
        Ok(latest.filter(|it| begun(it) > oldest).cloned())
    }
}

fn told(snapshot: &Value) -> Outcome {
    let shown = parts::shown(snapshot);
    Outcome::new()
        .with("snapshot_id", &shown["snapshot_id"])
        .with("volume_id", &shown["volume_id"])
        .with("volume_size", &shown["volume_size"])
        .with("tags", &shown["tags"])
        .with("snapshots", [&shown])
}
