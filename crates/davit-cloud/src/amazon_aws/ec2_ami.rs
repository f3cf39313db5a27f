//! `amazon.aws.ec2_ami`: images that instances start from.

use std::collections::BTreeSet;
use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::{self, list};
use crate::aws::shapes::said;
use crate::aws::tags::TagArgs;

/// Keep an image: made from an instance or from snapshots, with its tags and who may start instances from it.
///
/// An image is found by `image_id`, or else by its name among one's own. Of one that is there, the description,
/// the tags and the launch permissions are brought to what is asked for; the rest stays as it was made.
///
/// ```yaml
/// - amazon.aws.ec2_ami:
///     name: web-{{ version }}
///     instance_id: "{{ builder.instance_ids[0] }}"
///     tags: {Service: web}
///     launch_permissions: {user_ids: ["123456789012"]}
///     wait: true
///   register: image
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// Its id.
    #[serde(default)]
    image_id: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The instance that it is made from.
    #[serde(default)]
    instance_id: Option<String>,
    /// Do not stop the instance for that. Files may be half written in the image then.
    #[serde(default)]
    no_reboot: bool,
    /// What is said of it.
    #[serde(default)]
    description: String,
    /// Its volumes.
    #[serde(default)]
    device_mapping: Option<Vec<Device>>,
    /// Who else may start instances from it. Others no longer may.
    #[serde(default)]
    launch_permissions: Option<Permissions>,
    /// Delete its snapshots with it.
    #[serde(default)]
    delete_snapshot: bool,
    /// The processor of an image of snapshots.
    #[serde(default = "usual_architecture")]
    architecture: String,
    /// How an image of snapshots is virtualised.
    #[serde(default = "usual_virtualization")]
    virtualization_type: String,
    /// The device that an image of snapshots starts from.
    #[serde(default)]
    root_device_name: Option<String>,
    /// Where in S3 an image stands.
    #[serde(default)]
    image_location: Option<String>,
    /// Whether an image of snapshots knows the Elastic Network Adapter.
    #[serde(default)]
    enhanced_networking: Option<bool>,
    /// `simple` = an image of snapshots knows the 82599 Virtual Function.
    #[serde(default)]
    sriov_net_support: Option<String>,
    /// The codes of what is billed for it, for sellers.
    #[serde(default)]
    billing_products: Option<Vec<String>>,
    /// The kernel of an image of snapshots.
    #[serde(default)]
    kernel_id: Option<String>,
    /// The RAM disk of an image of snapshots.
    #[serde(default)]
    ramdisk_id: Option<String>,
    /// How an image of snapshots boots.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["legacy-bios", "uefi", "uefi-preferred"]))]
    boot_mode: Option<String>,
    /// `v2.0` = instances have a Trusted Platform Module. Goes with a `boot_mode` of `uefi`.
    #[serde(default)]
    tpm_support: Option<String>,
    /// The variables of UEFI, in Base64.
    #[serde(default)]
    uefi_data: Option<String>,
    /// Wait until it is available, or gone.
    #[serde(default)]
    wait: bool,
    /// For how many seconds to wait at most.
    #[serde(default = "twenty_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

fn usual_architecture() -> String {
    "x86_64".to_owned()
}

fn usual_virtualization() -> String {
    "hvm".to_owned()
}

const fn twenty_minutes() -> u64 {
    1200
}

/// A volume of an image.
#[derive(Debug, Deserialize, JsonSchema)]
struct Device {
    /// Its device: `/dev/sdb`.
    device_name: String,
    /// It goes with the instance.
    #[serde(default)]
    delete_on_termination: Option<bool>,
    /// It is encrypted.
    #[serde(default)]
    encrypted: Option<bool>,
    /// So many operations a second it is good for, where its type lets one choose.
    #[serde(default)]
    iops: Option<i64>,
    /// Leave out a device that the instance has.
    #[serde(default)]
    no_device: Option<bool>,
    /// The snapshot that it is made from.
    #[serde(default)]
    snapshot_id: Option<String>,
    /// Its name as a volume of the host: `ephemeral0`.
    #[serde(default)]
    virtual_name: Option<String>,
    /// Its size in GiB.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["size"]))]
    volume_size: Option<i64>,
    /// Its type: `gp3`.
    #[serde(default)]
    volume_type: Option<String>,
}

/// Who may start instances from an image.
#[derive(Debug, Deserialize, JsonSchema)]
struct Permissions {
    /// Groups: `all` = everybody.
    #[serde(default)]
    group_names: Option<Vec<String>>,
    /// The ARNs of organizations.
    #[serde(default)]
    org_arns: Option<Vec<String>>,
    /// The ARNs of units of organizations.
    #[serde(default)]
    org_unit_arns: Option<Vec<String>>,
    /// Accounts.
    #[serde(default)]
    user_ids: Option<Vec<String>>,
}

/// A permission as operations have it: what is named, and its name.
type Permission = (&'static str, String);

/// What permissions can name.
const KINDS: [&str; 4] = ["Group", "OrganizationArn", "OrganizationalUnitArn", "UserId"];
/// The operation that lists images, and where its answer has them.
const LIST: (&str, &str) = ("DescribeImages", "Images");

/// `amazon.aws.ec2_ami`.
pub(crate) struct Ec2Ami;

impl Module for Ec2Ami {
    const NAME: &'static str = "amazon.aws.ec2_ami";
    const RULES: Rules = Rules {
        required_one_of: &[&["name", "image_id"]],
        required_if: &[Requirement {
            key: "state",
            value: "absent",
            needs: &["image_id"],
            any: false,
        }],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let task = Task { ec2: &ec2, args: &args };
        let outcome = match args.state {
            State::Present => task.keep().await,
            State::Absent => task.delete().await,
        };
        ec2.close(outcome)
    }
}

impl Device {
    fn params(&self) -> Json {
        if self.no_device == Some(true) {
            return json!({"DeviceName": self.device_name, "NoDevice": ""});
        }
        let ebs = said(json!({
            "DeleteOnTermination": self.delete_on_termination,
            "Encrypted": self.encrypted,
            "Iops": self.iops,
            "SnapshotId": self.snapshot_id,
            "VolumeSize": self.volume_size,
            "VolumeType": self.volume_type,
        }));
        let is_empty = ebs.as_object().is_none_or(serde_json::Map::is_empty);
        said(json!({
            "DeviceName": self.device_name,
            "VirtualName": self.virtual_name,
            "Ebs": if is_empty { Json::Null } else { ebs },
        }))
    }
}

impl Permissions {
    fn all(&self) -> BTreeSet<Permission> {
        let lists = [&self.group_names, &self.org_arns, &self.org_unit_arns, &self.user_ids];
        let named = KINDS.into_iter().zip(lists);
        named
            .flat_map(|(kind, list)| list.iter().flatten().map(move |it| (kind, it.clone())))
            .collect()
    }
}

impl Args {
    /// What an image is made by: the operation, and what it is given.
    fn creation(&self, name: &str) -> Result<(&'static str, Json), ModuleError> {
        let devices = self.device_mapping.as_ref();
        let devices = devices.map(|all| all.iter().map(Device::params).collect::<Vec<_>>());
        let tags = self.tags.tags.clone().unwrap_or_default();
        let description = Some(&self.description).filter(|it| !it.is_empty());
        let (operation, params) = if let Some(instance) = &self.instance_id {
            let params = json!({
                "InstanceId": instance,
                "Name": name,
                "Description": description,
                "NoReboot": self.no_reboot,
                "BlockDeviceMappings": devices,
            });
            ("CreateImage", params)
        } else if devices.is_some() || self.image_location.is_some() {
            let params = json!({
                "Name": name,
                "Description": description,
                "Architecture": self.architecture,
                "VirtualizationType": self.virtualization_type,
                "RootDeviceName": self.root_device_name,
                "ImageLocation": self.image_location,
                "BlockDeviceMappings": devices,
                "EnaSupport": self.enhanced_networking,
                "SriovNetSupport": self.sriov_net_support,
                "BillingProducts": self.billing_products,
                "KernelId": self.kernel_id,
                "RamdiskId": self.ramdisk_id,
                "BootMode": self.boot_mode,
                "TpmSupport": self.tpm_support,
                "UefiData": self.uefi_data,
            });
            ("RegisterImage", params)
        } else {
            return Err(ModuleError::failed(
                "a new image is made from instance_id, device_mapping or image_location: one of them is needed",
            ));
        };
        // Snapshots that are made with it have its tags too.
        let kinds: &[&str] =
            if operation == "CreateImage" { &["image", "snapshot"] } else { &["image"] };
        let mut params = params;
        params["TagSpecifications"] = parts::tag_specifications(kinds, &tags).to_json();
        Ok((operation, said(params)))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    ec2: &'a Ec2<'a>,
    args: &'a Args,
}

impl Task<'_> {
    async fn keep(&self) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let (image, is_new) = match (self.find().await?, &args.image_id, &args.name) {
            (Some(image), ..) => (image, false),
            (None, None, Some(name)) => match self.create(name).await? {
                Some(image) => (image, true),
                None => {
                    let outcome = Outcome::new().with("name", name).with("image_id", json!(null));
                    return Ok(outcome.with("tags", args.tags.tags.clone().unwrap_or_default()));
                }
            },
            (None, id, _) => {
                let id = id.as_deref().unwrap_or_default();
                return Err(ModuleError::failed(format!("there is no image {id}")));
            }
        };
        let id = text(&image, "ImageId");
        let is_check = self.ec2.control().is_check();
        if args.wait && !is_check {
            let timeout = Duration::from_secs(args.wait_timeout);
            self.ec2.wait("image_available", json!({"ImageIds": [id]}), timeout).await?;
        }
        if !is_new {
            self.describe(id, text(&image, "Description")).await?;
        }
        let current = ec2::tags(&image);
        let tags = self.ec2.tag(id, &current, &args.tags.change(&current)).await?;
        let permissions = self.keep_permissions(id).await?;
        let image = if is_check { image } else { self.seen(id).await? };
        Ok(told(&image, &permissions).with("tags", tags))
    }

    async fn find(&self) -> Result<Option<Value>, ModuleError> {
        let params = match (&self.args.image_id, &self.args.name) {
            (Some(id), _) => ec2::by(&json!({"image-id": id})),
            (None, name) => {
                let mut params = ec2::by(&json!({"name": name}));
                params["Owners"] = json!(["self"]);
                params
            }
        };
        let found = self.ec2.list(LIST.0, LIST.1, params).await?;
        let is_there = |it: &Value| !matches!(text(it, "State"), "deregistered" | "failed");
        Ok(found.into_iter().find(is_there))
    }

    async fn seen(&self, id: &str) -> Result<Value, ModuleError> {
        self.ec2.seen(LIST.0, LIST.1, ec2::by(&json!({"image-id": id}))).await
    }

    /// Makes it, with all of its tags. Nothing comes back in check mode.
    async fn create(&self, name: &str) -> Result<Option<Value>, ModuleError> {
        let (operation, params) = self.args.creation(name)?;
        let shown = names::snake_all(params.clone(), &[]);
        let edit = Edit::new("create the image", name).to(shown);
        let made = self.ec2.create(edit, operation, params, &["ImageId"]).await?;
        match made {
            Some((id, _)) => self.seen(&id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn describe(&self, id: &str, now: &str) -> Result<(), ModuleError> {
        let wanted = self.args.description.as_str();
        if wanted.is_empty() || wanted == now {
            return Ok(());
        }
        let edit = Edit::new("describe the image", id).from(now).to(wanted);
        let params = json!({"ImageId": id, "Description": {"Value": wanted}});
        self.ec2.change(edit, "ModifyImageAttribute", params).await.map(drop)
    }

    /// Brings the launch permissions to what is wanted; those afterwards.
    async fn keep_permissions(&self, id: &str) -> Result<BTreeSet<Permission>, ModuleError> {
        let params = json!({"ImageId": id, "Attribute": "launchPermission"});
        let now = match self.ec2.call("DescribeImageAttribute", params).await {
            Ok(found) => permissions(&Value::Map(found)),
            // Of images of others this is not told.
            Err(_) if self.args.launch_permissions.is_none() => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        let Some(wanted) = self.args.launch_permissions.as_ref().map(Permissions::all) else {
            return Ok(now);
        };
        let shown = |all: BTreeSet<Permission>| -> Vec<Json> {
            all.into_iter().map(|(kind, name)| Json::from_iter([(kind, name)])).collect()
        };
        let add = shown(wanted.difference(&now).cloned().collect());
        let remove = shown(now.difference(&wanted).cloned().collect());
        if add.is_empty() && remove.is_empty() {
            return Ok(now);
        }
        let edit =
            Edit::new("set the launch permissions", id).from(shown(now)).to(shown(wanted.clone()));
        let mut change = json!({});
        // The operation takes no empty list.
        for (name, list) in [("Add", add), ("Remove", remove)] {
            if !list.is_empty() {
                change[name] = list.into();
            }
        }
        let params = json!({"ImageId": id, "LaunchPermission": change});
        self.ec2.change(edit, "ModifyImageAttribute", params).await?;
        Ok(wanted)
    }

    async fn delete(&self) -> Result<Outcome, ModuleError> {
        let id = self.args.image_id.as_deref().unwrap_or_default();
        let snapshots = match self.find().await? {
            Some(image) => {
                let edit = Edit::new("deregister the image", id).from(ec2::shown(&image));
                let params = json!({"ImageId": id});
                let gone = self.ec2.change(edit, "DeregisterImage", params).await?;
                if self.args.wait && gone.is_some() {
                    let timeout = Duration::from_secs(self.args.wait_timeout);
                    self.ec2.gone(LIST, ec2::by(&json!({"image-id": id})), timeout).await?;
                }
                let devices = list(&image, "BlockDeviceMappings").iter();
                let snapshot = |it: &Value| {
                    it.at(&["Ebs", "SnapshotId"]).and_then(Value::as_str).map(str::to_owned)
                };
                devices.filter_map(snapshot).collect()
            }
            None if self.args.delete_snapshot => self.left_over(id).await?,
            None => Vec::new(),
        };
        if !self.args.delete_snapshot {
            return Ok(Outcome::new());
        }
        let mut deleted = Vec::new();
        for snapshot in snapshots {
            let edit = Edit::new("delete the snapshot", &snapshot).from(json!({"image_id": id}));
            let params = json!({"SnapshotId": snapshot});
            // For a while after the image is gone they are still taken for its own.
            self.ec2
                .delete(edit, "DeleteSnapshot", params, &["InvalidSnapshot.InUse"])
                .await
                .map_err(|error| error.with("snapshots_deleted", &deleted))?;
            deleted.push(snapshot);
        }
        Ok(Outcome::new().with("snapshots_deleted", deleted))
    }

    /// The snapshots that were made for an image which is gone: a run was cut off before it deleted them.
    async fn left_over(&self, id: &str) -> Result<Vec<String>, ModuleError> {
        let mut params =
            ec2::by(&json!({"description": format!("Created by CreateImage(*) for {id}*")}));
        params["OwnerIds"] = json!(["self"]);
        let found = self.ec2.list("DescribeSnapshots", "Snapshots", params).await?;
        Ok(found.iter().map(|it| text(it, "SnapshotId").to_owned()).collect())
    }
}

/// The permissions of an answer.
fn permissions(found: &Value) -> BTreeSet<Permission> {
    let all = list(found, "LaunchPermissions").iter();
    let named = |it: &Value| {
        KINDS.iter().find_map(|kind| Some((*kind, it.get(kind)?.as_str()?.to_owned())))
    };
    all.filter_map(named).collect()
}

/// An image as results show it.
fn told(image: &Value, permissions: &BTreeSet<Permission>) -> Outcome {
    let device = |it: &Value| {
        let of = |name: &str| it.at(&["Ebs", name]).map(Value::to_json);
        let shown = json!({
            "delete_on_termination": of("DeleteOnTermination"),
            "encrypted": of("Encrypted"),
            "size": of("VolumeSize"),
            "snapshot_id": of("SnapshotId"),
            "volume_type": of("VolumeType"),
        });
        (text(it, "DeviceName").to_owned(), shown)
    };
    let devices = list(image, "BlockDeviceMappings").iter();
    let permissions: Vec<Json> = permissions
        .iter()
        .map(|(kind, name)| Json::from_iter([(names::snake(kind), name.as_str())]))
        .collect();
    let mut outcome = Outcome::new()
        .with("block_device_mapping", devices.map(device).collect::<serde_json::Map<_, _>>())
        .with("launch_permission", &permissions)
        .with("launch_permissions", permissions);
    for (name, of) in [
        ("architecture", "Architecture"),
        ("creationDate", "CreationDate"),
        ("description", "Description"),
        ("enhanced_networking", "EnaSupport"),
        ("hypervisor", "Hypervisor"),
        ("image_id", "ImageId"),
        ("image_owner_alias", "ImageOwnerAlias"),
        ("image_type", "ImageType"),
        ("is_public", "Public"),
        ("kernel_id", "KernelId"),
        ("location", "ImageLocation"),
        ("name", "Name"),
        ("ownerId", "OwnerId"),
        ("platform", "Platform"),
        ("product_codes", "ProductCodes"),
        ("ramdisk_id", "RamdiskId"),
        ("root_device_name", "RootDeviceName"),
        ("root_device_type", "RootDeviceType"),
        ("sriov_net_support", "SriovNetSupport"),
        ("state", "State"),
        ("state_reason", "StateReason"),
        ("virtualization_type", "VirtualizationType"),
    ] {
        outcome.set(name, image.get(of).map(Value::to_json));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_that_are_made_with_an_image_have_its_tags() {
        let kinds = |mut args: Json| {
            args["tags"] = json!({"Team": "a"});
            let args: Args = serde_json::from_value(args).unwrap();
            let (operation, params) = args.creation("web").unwrap();
            let kinds = params["TagSpecifications"].as_array().unwrap().iter();
            (operation, kinds.map(|it| it["ResourceType"].clone()).collect::<Vec<_>>())
        };
        let of_instance = kinds(json!({"name": "web", "instance_id": "i-1"}));
        assert_eq!(of_instance, ("CreateImage", vec![json!("image"), json!("snapshot")]));
        let of_snapshots = kinds(json!({"name": "web", "device_mapping": []}));
        assert_eq!(of_snapshots, ("RegisterImage", vec![json!("image")]));
    }
}
