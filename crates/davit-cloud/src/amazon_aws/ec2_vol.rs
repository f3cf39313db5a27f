//! `amazon.aws.ec2_vol`: makes, changes, attaches, detaches and removes volumes.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/ec2_vol_module.html>

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, Tags};
use crate::aws::{instances, parts, shapes};

/// Make, change, attach, detach and remove volumes of EC2.
///
/// Which volume is meant is said by `id`, by `name`, or by the device of an instance. Where there is
/// none, one is made. Without any of these a new one is made each time.
///
/// ```yaml
/// - amazon.aws.ec2_vol:
///     name: data
///     volume_size: 100
///     volume_type: gp3
///     encrypted: true
///     instance: "{{ web.instance_ids[0] }}"
///     device_name: /dev/sdf
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Remove the volume together with the instance that it is attached to.
    #[serde(default)]
    delete_on_termination: bool,
    /// Where it appears in the instance. Without it `/dev/sdf`, or `/dev/xvdf` in Windows.
    #[serde(default)]
    device_name: Option<String>,
    /// Encrypt a new one.
    #[serde(default)]
    encrypted: bool,
    /// The volume, by its id.
    #[serde(default)]
    id: Option<String>,
    /// The instance to attach it to; the word `None` or an empty text = detach it.
    #[serde(default)]
    instance: Option<String>,
    /// Operations a second.
    #[serde(default)]
    iops: Option<i64>,
    /// The key to encrypt a new one with.
    #[serde(default)]
    kms_key_id: Option<String>,
    /// Change size, type, speed and multi-attach of one that is there.
    #[serde(default)]
    modify_volume: bool,
    /// Several instances may have it. For `io1` and `io2`.
    #[serde(default)]
    multi_attach: Option<bool>,
    /// The volume, by its tag `Name`.
    #[serde(default)]
    name: Option<String>,
    /// The outpost to make it in.
    #[serde(default)]
    outpost_arn: Option<String>,
    /// The snapshot to make it from.
    #[serde(default)]
    snapshot: Option<String>,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// MiB a second. For `gp3`.
    #[serde(default)]
    throughput: Option<i64>,
    /// GiB.
    #[serde(default)]
    volume_size: Option<i64>,
    /// The type. Without it a new one is `standard`, and one that is there keeps its own.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["standard", "gp2", "io1", "st1", "sc1", "gp3", "io2"]))]
    volume_type: Option<String>,
    /// The zone to make it in. Without it that of the instance.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["availability_zone", "aws_zone", "ec2_zone"]))]
    zone: Option<String>,
    #[serde(flatten)]
    tag: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// Whether a volume is to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is not.
    Absent,
    /// It is.
    #[default]
    Present,
}

/// For how long a volume is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// `amazon.aws.ec2_vol`.
pub(crate) struct Ec2Vol;

impl Module for Ec2Vol {
    const NAME: &'static str = "amazon.aws.ec2_vol";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let aws = Aws::new(control, &args.login)?;
        let work = Work { control, aws: &aws, args: &args };
        let instance = work.instance().await?;
        let found = work.find(instance.as_ref()).await?;
        let outcome = match (args.state, found) {
            (State::Absent, None) => Ok(Outcome::new()),
            (State::Absent, Some(volume)) => work.remove(&volume).await,
            (State::Present, Some(volume)) => work.bring(volume, instance.as_ref()).await,
            (State::Present, None) => work.create(instance.as_ref()).await,
        };
        outcome.map(|it| aws.tell(it))
    }
}

impl Args {
    /// What EC2 would refuse, before anything is asked.
    fn check(&self) -> Result<(), ModuleError> {
        let fail = |text: &str| Err(ModuleError::failed(text));
        let kind = self.volume_type.as_deref();
        let is_new = self.id.is_none() || self.modify_volume;
        if self.throughput.is_some() && is_new && kind != Some("gp3") {
            return fail("throughput is for volumes of type gp3");
        }
        if self.multi_attach == Some(true) && is_new && !matches!(kind, Some("io1" | "io2")) {
            return fail("multi_attach is for volumes of type io1 and io2");
        }
        if self.state == State::Absent && self.id.is_none() && self.name.is_none() {
            return fail("id or name is needed to remove a volume");
        }
        if self.detaches() && self.id.is_none() && self.name.is_none() {
            return fail("id or name is needed to detach a volume");
        }
        Ok(())
    }

    fn detaches(&self) -> bool {
        matches!(self.instance.as_deref(), Some("None" | ""))
    }

    /// The tags that are wanted, the name among them.
    fn tags(&self) -> TagArgs {
        let mut tag = self.tag.clone();
        if let Some(name) = &self.name {
            // The name alone says nothing of the other tags.
            tag.purge_tags &= tag.tags.is_some();
            tag.tags.get_or_insert_with(Tags::new).insert("Name".to_owned(), name.clone());
        }
        tag
    }
}

/// A call of this module.
struct Work<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Work<'_> {
    /// The instance to attach to.
    async fn instance(&self) -> Result<Option<Value>, ModuleError> {
        let id = self.args.instance.as_ref().filter(|_| !self.args.detaches());
        let Some(id) = id.filter(|_| self.args.state == State::Present) else { return Ok(None) };
        let found = instances::find(self.aws, std::slice::from_ref(id), Value::Null).await?.pop();
        found.map_or_else(
            || Err(ModuleError::failed(format!("there is no {id}"))),
            |it| Ok(Some(it)),
        )
    }

    /// The volume that is meant.
    async fn find(&self, instance: Option<&Value>) -> Result<Option<Value>, ModuleError> {
        let args = self.args;
        if let Some(id) = &args.id {
            let found = self.look(id).await?;
            return match found {
                None if args.state == State::Present => {
                    Err(ModuleError::failed(format!("there is no volume {id}")))
                }
                found => Ok(found),
            };
        }
        let mut filters = Vec::new();
        if let Some(name) = &args.name {
            filters.push(json!({"Name": "tag:Name", "Values": [name]}));
            filters.extend(
                args.zone.iter().map(|it| json!({"Name": "availability-zone", "Values": [it]})),
            );
            let states = ["creating", "available", "in-use"];
            filters.push(json!({"Name": "status", "Values": states}));
        } else if let (Some(instance), Some(device)) = (instance, &args.device_name) {
            let id = instances::id(instance);
            filters.push(json!({"Name": "attachment.instance-id", "Values": [id]}));
            filters.push(json!({"Name": "attachment.device", "Values": [device]}));
        } else {
            return Ok(None);
        }
        let found = self.aws.all("ec2", "DescribeVolumes", json!({"Filters": filters})).await?;
        match parts::items(&found, "Volumes") {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several => {
                let ids: Vec<&str> = several.iter().map(|it| parts::text(it, "VolumeId")).collect();
                let text = format!("several volumes are meant: {}; say the id", ids.join(", "));
                Err(ModuleError::failed(text))
            }
        }
    }

    async fn look(&self, id: &str) -> Result<Option<Value>, ModuleError> {
        let missing = ["InvalidVolume.NotFound"];
        let params = json!({"VolumeIds": [id]});
        let found = self.aws.find("ec2", "DescribeVolumes", params, &missing).await?;
        Ok(found.and_then(|it| parts::items(&it, "Volumes").first().cloned()))
    }

    async fn remove(&self, volume: &Value) -> Result<Outcome, ModuleError> {
        let id = parts::text(volume, "VolumeId");
        let edit = Edit::new("remove the volume", id).from(shown(volume));
        let act = async || {
            let missing = ["InvalidVolume.NotFound"];
            self.aws.find("ec2", "DeleteVolume", json!({"VolumeId": id}), &missing).await
        };
        self.control.change(edit, act).await?;
        Ok(Outcome::new().with("volume_id", id))
    }

    async fn create(&self, instance: Option<&Value>) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let zone = instance.and_then(|it| it.at(&["Placement", "AvailabilityZone"]));
        let zone = args.zone.as_deref().or(zone.and_then(Value::as_str));
        let Some(zone) = zone else {
            return Err(ModuleError::failed("zone or instance is needed to make a volume"));
        };
        if args.volume_size.is_none() && args.snapshot.is_none() {
            return Err(ModuleError::failed("volume_size or snapshot is needed to make a volume"));
        }
        let tags = args.tags().tags.unwrap_or_default();
        let params = shapes::said(json!({
            "AvailabilityZone": zone,
            "Encrypted": args.encrypted,
            "Iops": args.iops,
            "KmsKeyId": args.kms_key_id,
            "MultiAttachEnabled": args.multi_attach,
            "OutpostArn": args.outpost_arn,
            "Size": args.volume_size,
            "SnapshotId": args.snapshot,
            "TagSpecifications": parts::tag_specifications(&["volume"], &tags).to_json(),
            "Throughput": args.throughput,
            "VolumeType": args.volume_type.as_deref().unwrap_or("standard"),
        }));
        let edit = Edit::new("make a volume", args.name.as_deref().unwrap_or(zone)).to(&params);
        let act = async || self.aws.call("ec2", "CreateVolume", params.clone()).await;
        let id = |made: &davit_aws::value::Map| Some(made.get("VolumeId")?.as_str()?.to_owned());
        let made = self.control.create(edit, act, id).await?;
        let Some(id) = made.as_ref().and_then(id) else {
            return Ok(Outcome::new());
        };
        let told = |error: ModuleError| error.with("volume_id", &id);
        self.wait("volume_available", &id).await.map_err(told)?;
        if let Some(instance) = instance {
            let volume = Value::Map(made.unwrap_or_default());
            self.attach(&volume, instance).await.map_err(told)?;
        }
        self.end(&id).await.map_err(told)
    }

    async fn wait(&self, waiter: &str, id: &str) -> Result<(), ModuleError> {
        self.aws.wait("ec2", waiter, json!({"VolumeIds": [id]}), PATIENCE).await
    }

    /// Brings one that is there to what is wanted.
    async fn bring(&self, volume: Value, instance: Option<&Value>) -> Result<Outcome, ModuleError> {
        let id = parts::text(&volume, "VolumeId");
        if self.args.modify_volume {
            self.modify(&volume).await?;
        }
        let current = parts::tags(&volume);
        parts::tag(self.control, self.aws, id, &current, &self.args.tags().change(&current))
            .await?;
        if let Some(instance) = instance {
            self.attach(&volume, instance).await?;
        } else if self.args.detaches() {
            self.detach(&volume).await?;
        }
        self.end(id).await
    }

    async fn modify(&self, volume: &Value) -> Result<(), ModuleError> {
        let args = self.args;
        let id = parts::text(volume, "VolumeId");
        let (mut before, mut params) = (Map::new(), Map::new());
        for (name, wanted) in [
            ("Size", args.volume_size.map(Json::from)),
            ("VolumeType", args.volume_type.as_deref().map(Json::from)),
            ("Iops", args.iops.map(Json::from)),
            ("Throughput", args.throughput.map(Json::from)),
            ("MultiAttachEnabled", args.multi_attach.map(Json::from)),
        ] {
            let is = volume.get(name).map(Value::to_json).unwrap_or_default();
            if let Some(wanted) = wanted.filter(|it| *it != is) {
                before.insert(name.to_owned(), is);
                params.insert(name.to_owned(), wanted);
            }
        }
        if params.is_empty() {
            return Ok(());
        }
        let edit = Edit::new("change the volume", id).from(before).to(&params);
        params.insert("VolumeId".to_owned(), id.into());
        let act = async || self.aws.call("ec2", "ModifyVolume", Json::Object(params)).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn attach(&self, volume: &Value, instance: &Value) -> Result<(), ModuleError> {
        let (id, to) = (parts::text(volume, "VolumeId"), instances::id(instance));
        let attachments = parts::list(volume, "Attachments");
        let here = attachments.iter().find(|it| parts::text(it, "InstanceId") == to);
        let is_shared = volume.get("MultiAttachEnabled").and_then(Value::as_bool) == Some(true);
        if let (None, Some(other), false) = (here, attachments.first(), is_shared) {
            let other = parts::text(other, "InstanceId");
            return Err(ModuleError::failed(format!("{id} is attached to {other}")));
        }
        let is_windows = parts::text(instance, "Platform").eq_ignore_ascii_case("windows");
        let usual = if is_windows { "/dev/xvdf" } else { "/dev/sdf" };
        let device = match here {
            Some(here) => parts::text(here, "Device"),
            None => self.args.device_name.as_deref().unwrap_or(usual),
        };
        if here.is_none() {
            let params = json!({"Device": device, "InstanceId": to, "VolumeId": id});
            let edit = Edit::new("attach the volume", id).to(&params);
            let act = async || {
                self.aws.call("ec2", "AttachVolume", params.clone()).await?;
                self.wait("volume_in_use", id).await
            };
            self.control.change(edit, act).await?;
        }
        let goes = here.and_then(|it| it.get("DeleteOnTermination")).and_then(Value::as_bool);
        let (goes, wanted) = (goes.unwrap_or(false), self.args.delete_on_termination);
        if goes == wanted {
            return Ok(());
        }
        let mapping = json!({"DeviceName": device, "Ebs": {"DeleteOnTermination": wanted}});
        let params = json!({"InstanceId": to, "BlockDeviceMappings": [mapping]});
        let edit = Edit::new("change delete_on_termination", id).from(goes).to(wanted);
        let act = async || self.aws.call("ec2", "ModifyInstanceAttribute", params).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn detach(&self, volume: &Value) -> Result<(), ModuleError> {
        let id = parts::text(volume, "VolumeId");
        let attachments = parts::list(volume, "Attachments");
        if attachments.is_empty() {
            return Ok(());
        }
        let from: Vec<&str> = attachments.iter().map(|it| parts::text(it, "InstanceId")).collect();
        let edit = Edit::new("detach the volume", id).from(json!({"instances": from}));
        let act = async || {
            for instance in &from {
                let params = json!({"VolumeId": id, "InstanceId": instance});
                self.aws.call("ec2", "DetachVolume", params).await?;
            }
            self.wait("volume_available", id).await
        };
        self.control.change(edit, act).await.map(drop)
    }

    async fn end(&self, id: &str) -> Result<Outcome, ModuleError> {
        let Some(volume) = self.look(id).await? else {
            return Err(ModuleError::failed(format!("volume {id} went away")));
        };
        let device =
            parts::list(&volume, "Attachments").first().map(|it| parts::text(it, "Device"));
        Ok(Outcome::new()
            .with("device", device)
            .with("volume", shown(&volume))
            .with("volume_id", id)
            .with("volume_type", parts::text(&volume, "VolumeType")))
    }
}

/// A volume as results have it, which is not how EC2 has it.
fn shown(volume: &Value) -> Json {
    let all = parts::shown(volume);
    let attachment = |it: &Json| {
        json!({
            "attach_time": it["attach_time"], "device": it["device"], "status": it["state"],
            "instance_id": it["instance_id"], "delete_on_termination": it["delete_on_termination"],
        })
    };
    let attachments = all["attachments"].as_array().into_iter().flatten();
    json!({
        "attachment_set": attachments.map(attachment).collect::<Vec<_>>(),
        "create_time": all["create_time"], "encrypted": all["encrypted"], "id": all["volume_id"],
        "iops": all["iops"], "multi_attach_enabled": all["multi_attach_enabled"],
        "size": all["size"], "snapshot_id": all["snapshot_id"], "status": all["state"],
        "tags": all["tags"], "throughput": all["throughput"], "type": all["volume_type"],
        "zone": all["availability_zone"],
    })
}
