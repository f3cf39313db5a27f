//! `amazon.aws.ec2_instance`: launches, changes, starts, stops and terminates instances.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/ec2_instance_module.html>

use std::collections::BTreeSet;
use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::args::yes;
use crate::aws::client::Aws;
use crate::aws::instance_settings::{InstanceSettings, Net};
use crate::aws::instances::{self, Power};
use crate::aws::launch::{
    self, CpuOptions, Interface, InterfaceId, License, Network, Placement, Volume,
};
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, Tags};
use crate::aws::{filters, parts, shapes};

/// Launch, change, start, stop and terminate instances of EC2.
///
/// Which instances are meant is said by `instance_ids`, by `filters`, or else by the name, the image and
/// where they stand, as far as those are said; such that are terminated do not count. Where there is none, one is
/// launched, unless the state is one for instances that are there: then nothing is done.
///
/// Of an instance that is there these are changed: its tags, type, security groups, instance profile, metadata
/// options, monitoring, credits, protection, what it does at shutdown, whether it is optimised for volumes and drops
/// packets that are not for it, and network interfaces are attached. A running one is stopped and started where EC2
/// asks for it. All else is for the launch.
///
/// ```yaml
/// - name: One web server
///   amazon.aws.ec2_instance:
///     name: web
///     image_id: ami-0c55b159cbfafe1f0
///     instance_type: t3.micro
///     security_group: web
///     tags: {team: shop}
/// - name: What is for the office hours is off at the weekend
///   amazon.aws.ec2_instance:
///     filters: {'tag:hours': office}
///     state: stopped
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// For Amazon alone.
    #[serde(default)]
    additional_info: Option<String>,
    /// Launch in the default subnet of this zone. Without it, in that of the first one.
    #[serde(default)]
    availability_zone: Option<String>,
    /// Launch so many instances, whatever is there. Not idempotent: see `exact_count`.
    #[serde(default)]
    count: Option<u32>,
    /// How many cores are used, and how.
    #[serde(default)]
    cpu_options: Option<CpuOptions>,
    /// So many there are to be: what is missing is launched, and what is too many is terminated, the oldest first.
    #[serde(default)]
    exact_count: Option<u32>,
    /// Which instances are meant: names and values of DescribeInstances. Case counts. Without
    /// `instance-state-name` such that are terminated do not count.
    #[serde(default)]
    filters: Option<Map<String, Json>>,
    /// Whether it can hibernate.
    #[serde(default)]
    hibernation_options: bool,
    /// The image and what goes with it.
    #[serde(default)]
    image: Option<Image>,
    /// The image.
    #[serde(default)]
    image_id: Option<String>,
    /// Which instances are meant, by their ids.
    #[serde(default)]
    instance_ids: Vec<String>,
    /// The key pair to log in with.
    #[serde(default)]
    key_name: Option<String>,
    /// The launch template to begin with.
    #[serde(default)]
    launch_template: Option<Template>,
    /// Licences.
    #[serde(default)]
    license_specifications: Option<Vec<License>>,
    /// Its tag `Name`.
    #[serde(default)]
    name: Option<String>,
    /// Its network interface. Use `network_interfaces` or `network_interfaces_ids` instead.
    #[serde(default)]
    network: Option<Network>,
    /// The network interfaces to launch it with.
    #[serde(default)]
    network_interfaces: Option<Vec<Interface>>,
    /// Network interfaces that are there, to be attached.
    #[serde(default)]
    network_interfaces_ids: Option<Vec<InterfaceId>>,
    /// Where it stands.
    #[serde(default)]
    placement: Option<Placement>,
    /// The placement group. Use `placement` instead.
    #[serde(default)]
    placement_group: Option<String>,
    /// The security group, by id or name.
    #[serde(default)]
    security_group: Option<String>,
    /// The security groups, by id or name.
    #[serde(default)]
    security_groups: Vec<String>,
    /// What becomes of the instances.
    #[serde(default)]
    state: State,
    /// Whether others are on the same hardware. Use `placement` instead.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["dedicated", "default"]))]
    tenancy: Option<String>,
    /// What it finds as its user data: a script, or what cloud-init reads.
    #[serde(default)]
    user_data: Option<String>,
    /// Volumes besides those of the image, or in their place.
    #[serde(default)]
    volumes: Option<Vec<Volume>>,
    /// The subnet.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["subnet_id"]))]
    vpc_subnet_id: Option<String>,
    /// Wait for the state.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most, for each thing that is waited for.
    #[serde(default = "ten_minutes")]
    wait_timeout: u64,
    #[serde(flatten)]
    settings: InstanceSettings,
    #[serde(flatten)]
    tag: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// What becomes of instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// They are there, in whatever state.
    #[default]
    Present,
    /// They are gone.
    Terminated,
    /// They run.
    Running,
    /// They run, and EC2's checks of them succeed.
    Started,
    /// Those that are there are stopped.
    Stopped,
    /// Those that are there are stopped and started, and EC2's checks succeed.
    Restarted,
    /// Those that are there are stopped and started.
    Rebooted,
    /// They are gone.
    Absent,
}

/// An image and what goes with it.
#[derive(Debug, Deserialize, JsonSchema)]
struct Image {
    /// The image.
    #[serde(default)]
    id: Option<String>,
    /// Another kernel than the image's.
    #[serde(default)]
    kernel: Option<String>,
    /// Another RAM disk than the image's.
    #[serde(default)]
    ramdisk: Option<String>,
}

/// A launch template.
#[derive(Debug, Deserialize, JsonSchema)]
struct Template {
    /// Its id.
    #[serde(default)]
    id: Option<String>,
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// The version. Without it the template's default.
    #[serde(default)]
    version: Option<String>,
}

const fn ten_minutes() -> u64 {
    600
}

/// The states of instances that are not on their way out.
const THERE: &[&str] = &["pending", "running", "stopping", "stopped"];

/// `amazon.aws.ec2_instance`.
pub(crate) struct Ec2Instance;

impl Module for Ec2Instance {
    const NAME: &'static str = "amazon.aws.ec2_instance";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.ec2_instance"];
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["count", "exact_count"],
            &["exact_count", "instance_ids"],
            &["security_group", "security_groups"],
            &["network_interfaces_ids", "security_group"],
            &["network_interfaces_ids", "security_groups"],
            &["network", "network_interfaces"],
            &["network", "network_interfaces_ids"],
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let wait = args.wait.then(|| Duration::from_secs(args.wait_timeout));
        let power = Power { control, aws: &aws, wait };
        let work = Work { control, aws: &aws, args: &args, power };
        let outcome = match (args.count, args.exact_count) {
            (Some(count), _) if !args.state.is_for_what_is_there() => work.launch(count, &[]).await,
            (_, exact) => {
                let found = work.find().await?;
                match exact {
                    Some(count) if !args.state.is_gone() => work.scale(count, found).await,
                    _ => work.bring(found).await,
                }
            }
        };
        outcome.map(|it| aws.tell(it))
    }
}

impl State {
    fn is_gone(self) -> bool {
        matches!(self, Self::Absent | Self::Terminated)
    }

    /// Nothing is launched for it.
    fn is_for_what_is_there(self) -> bool {
        self.is_gone() || matches!(self, Self::Stopped | Self::Restarted | Self::Rebooted)
    }
}

/// A call of this module.
struct Work<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
    power: Power<'a>,
}

impl Work<'_> {
    fn image(&self) -> Option<&str> {
        let image = self.args.image.as_ref().and_then(|it| it.id.as_deref());
        image.or(self.args.image_id.as_deref())
    }

    fn subnet(&self) -> Option<&str> {
        let network = self.args.network.as_ref().and_then(|it| it.subnet_id.as_deref());
        let interface = self.args.network_interfaces.iter().flatten().next();
        let interface = interface.and_then(|it| it.subnet_id.as_deref());
        network.or(interface).or(self.args.vpc_subnet_id.as_deref())
    }

    /// The instances that are meant.
    async fn find(&self) -> Result<Vec<Value>, ModuleError> {
        let args = self.args;
        if !args.instance_ids.is_empty() {
            let found = instances::find(self.aws, &args.instance_ids, Value::Null).await;
            return match found {
                // What is gone for long is unknown.
                Err(error) if args.state.is_gone() && is_unknown(&error) => Ok(Vec::new()),
                found => Ok(found?
                    .into_iter()
                    .filter(|it| THERE.contains(&instances::state(it)))
                    .collect()),
            };
        }
        let mut wanted = args.filters.clone().unwrap_or_default();
        if args.filters.is_none() {
            let zone = args.availability_zone.as_deref().filter(|_| self.subnet().is_none());
            for (name, value) in [
                ("tag:Name", args.name.as_deref()),
                ("image-id", self.image()),
                ("subnet-id", self.subnet()),
                ("availability-zone", zone),
            ] {
                wanted.extend(value.map(|it| (name.to_owned(), Json::from(it))));
            }
        }
        if wanted.is_empty() {
            let text = "it is not said which instances: by instance_ids, filters, name or image_id";
            return Err(ModuleError::failed(text));
        }
        wanted.entry("instance-state-name").or_insert_with(|| json!(THERE));
        instances::find(self.aws, &[], filters::list(&wanted)).await
    }

    /// Brings what is there to the state, or launches one.
    async fn bring(&self, found: Vec<Value>) -> Result<Outcome, ModuleError> {
        let state = self.args.state;
        if found.is_empty() && (state.is_for_what_is_there() || !self.args.instance_ids.is_empty())
        {
            if !self.args.instance_ids.is_empty() && !state.is_gone() {
                let gone = self.args.instance_ids.join(", ");
                return Err(ModuleError::failed(format!("these instances are gone: {gone}")));
            }
            let outcome = Outcome::new().msg("No matching instances found");
            return Ok(outcome.with("instances", json!([])).with("instance_ids", json!([])));
        }
        if state.is_gone() {
            return self.terminate(found).await;
        }
        if found.is_empty() {
            return self.launch(1, &[]).await;
        }
        let mut changes = Vec::new();
        let mut changed = BTreeSet::new();
        for instance in &found {
            let made = self.update(instance).await?;
            if !made.is_empty() {
                changed.insert(instances::id(instance).to_owned());
            }
            changes.extend(made);
        }
        let outcome = Outcome::new().with("changes", changes);
        // What was stopped for a change may run again.
        let found = if changed.is_empty() || self.control.is_check() {
            found
        } else {
            self.look(&ids(&found)).await?
        };
        let (outcome, switched) = self.switch(outcome, &found).await?;
        changed.extend(switched);
        let ids = ids(&found);
        let after = if self.control.is_changed() { self.look(&ids).await? } else { found };
        Ok(outcome
            .with("instances", shown(&after))
            .with("instance_ids", ids)
            .with("changed_ids", changed))
    }

    /// Starts and stops, as the state asks for.
    async fn switch(
        &self,
        outcome: Outcome,
        found: &[Value],
    ) -> Result<(Outcome, Vec<String>), ModuleError> {
        let power = &self.power;
        let (msg, key, switched) = match self.args.state {
            State::Running | State::Started => {
                ("Instances started", "start", power.start(found).await?)
            }
            State::Stopped => ("Instances stopped", "stop", power.stop(found).await?),
            State::Restarted | State::Rebooted => {
                ("Instances restarted", "reboot", power.restart(found).await?)
            }
            State::Present | State::Absent | State::Terminated => return Ok((outcome, Vec::new())),
        };
        if matches!(self.args.state, State::Started | State::Restarted) {
            power.until("instance_status_ok", &ids(found)).await?;
        }
        let outcome = outcome.msg(msg);
        let outcome = outcome.with(&format!("{key}_failed"), json!([]));
        Ok((outcome.with(&format!("{key}_success"), &switched), switched))
    }

    async fn terminate(&self, found: Vec<Value>) -> Result<Outcome, ModuleError> {
        let gone = self.power.terminate(&found).await?;
        let ids = ids(&found);
        let after = if self.control.is_changed() { self.look(&ids).await? } else { found };
        Ok(Outcome::new()
            .msg("Instances terminated")
            .with("instances", shown(&after))
            .with("instance_ids", ids)
            .with("terminate_failed", json!([]))
            .with("terminate_success", &gone)
            .with("terminated_ids", gone))
    }

    /// Launches or terminates, so that there are so many.
    async fn scale(&self, count: u32, mut found: Vec<Value>) -> Result<Outcome, ModuleError> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        if found.len() < wanted {
            let missing = u32::try_from(wanted - found.len()).unwrap_or(count);
            return self.launch(missing, &found).await;
        }
        if found.len() == wanted {
            let msg = format!("{count} instances already present, nothing to do.");
            let outcome = Outcome::new().msg(msg).with("instance_ids", ids(&found));
            return Ok(outcome.with("instances", shown(&found)));
        }
        found.sort_by_key(|it| match it.get("LaunchTime") {
            Some(Value::Timestamp(at)) => at.as_nanosecond(),
            _ => 0,
        });
        let kept = found.split_off(found.len() - wanted);
        let gone = self.power.terminate(&found).await?;
        Ok(Outcome::new()
            .msg("Successfully terminated instances.")
            .with("instances", shown(&kept))
            .with("instance_ids", ids(&kept))
            .with("terminated_ids", gone))
    }

    /// Brings the settings and tags of one to what is wanted; what was changed.
    async fn update(&self, instance: &Value) -> Result<Vec<Json>, ModuleError> {
        let args = self.args;
        let said = self.groups_said();
        let vpc = parts::text(instance, "VpcId");
        let vpc = Some(vpc).filter(|it| !it.is_empty());
        let mut interfaces = args.network_interfaces_ids.clone().unwrap_or_default();
        interfaces.extend(args.network.iter().flat_map(Network::ids));
        let groups = launch::group_ids(self.aws, vpc, &said).await?;
        let mut settings = args.settings.clone();
        settings.source_dest_check = self.source_dest_check();
        let mut changes =
            settings.bring(&self.power, instance, &Net { groups, interfaces }).await?;
        let current = parts::tags(instance);
        let change = self.tags().change(&current);
        if !change.is_empty() {
            parts::tag(self.control, self.aws, instances::id(instance), &current, &change).await?;
            changes.push(json!({"InstanceId": instances::id(instance), "Tags": change.set}));
        }
        Ok(changes)
    }

    /// The tags that are wanted, the name among them.
    fn tags(&self) -> TagArgs {
        let mut tag = self.args.tag.clone();
        if let Some(name) = &self.args.name {
            // The name alone says nothing of the other tags.
            tag.purge_tags &= tag.tags.is_some();
            tag.tags.get_or_insert_with(Tags::new).insert("Name".to_owned(), name.clone());
        }
        tag
    }

    fn source_dest_check(&self) -> Option<bool> {
        let older = self.args.network.as_ref().and_then(|it| it.source_dest_check);
        self.args.settings.source_dest_check.or(older)
    }

    fn groups_said(&self) -> Vec<String> {
        let older = self.args.network.as_ref().and_then(|it| it.groups.as_ref());
        let said = self.args.security_group.iter().chain(&self.args.security_groups);
        let said: Vec<String> = said.cloned().collect();
        if said.is_empty() { older.cloned().unwrap_or_default() } else { said }
    }

    /// Launches so many, besides those that are there.
    async fn launch(&self, count: u32, there: &[Value]) -> Result<Outcome, ModuleError> {
        let args = self.args;
        if self.image().is_none() && args.launch_template.is_none() {
            let text = "image_id or image.id is needed to launch an instance, or a launch_template";
            return Err(ModuleError::failed(text));
        }
        if args.settings.instance_type.is_none() && args.launch_template.is_none() {
            let text = "instance_type or launch_template is needed to launch an instance";
            return Err(ModuleError::failed(text));
        }
        let spec = self.request(count).await?;
        let names = args.name.as_deref().unwrap_or("instances");
        let edit = Edit::new(format!("launch {count}"), names).to(&spec);
        let act = async || self.aws.call("ec2", "RunInstances", spec.clone()).await;
        let place = |made: &_| Some(ids(parts::items(made, "Instances")).join(", "));
        let made = self.control.create(edit, act, place).await?;
        let outcome = Outcome::new().with("spec", &spec);
        let Some(made) = made else {
            let msg = "Would have launched instances if not in check_mode.";
            let outcome = outcome.msg(msg).with("instances", shown(there));
            return Ok(outcome.with("instance_ids", ids(there)));
        };
        let launched = parts::items(&made, "Instances");
        let new = ids(launched);
        let told = |error: ModuleError| error.with("instance_ids", &new).with("changed_ids", &new);
        self.finish(&new).await.map_err(told)?;
        let mut all = there.to_vec();
        all.extend(if args.wait {
            self.look(&new).await.map_err(told)?
        } else {
            launched.to_vec()
        });
        let outcome = outcome.with("instances", shown(&all)).with("instance_ids", ids(&all));
        Ok(outcome.with("changed_ids", new))
    }

    /// What comes after a launch: waits, and what EC2 takes only of an instance that is there.
    async fn finish(&self, new: &[String]) -> Result<(), ModuleError> {
        self.power.until("instance_exists", new).await?;
        if self.args.state != State::Present || self.source_dest_check().is_some() {
            self.power.until("instance_running", new).await?;
        }
        if self.args.state == State::Started {
            self.power.until("instance_status_ok", new).await?;
        }
        let only = InstanceSettings {
            source_dest_check: self.source_dest_check(),
            ..InstanceSettings::default()
        };
        if only.source_dest_check.is_some() {
            for instance in self.look(new).await? {
                only.bring(&self.power, &instance, &Net::default()).await?;
            }
        }
        Ok(())
    }

    /// What RunInstances is told.
    async fn request(&self, count: u32) -> Result<Json, ModuleError> {
        let args = self.args;
        let mut interfaces = args.network_interfaces_ids.clone().unwrap_or_default();
        interfaces.extend(args.network.iter().flat_map(Network::ids));
        let older = args.network.as_ref().filter(|it| it.interfaces.is_none());
        let new: Vec<Interface> = older
            .map(Network::interface)
            .into_iter()
            .chain(args.network_interfaces.iter().flatten().cloned())
            .collect();
        let subnet = match self.subnet() {
            Some(id) => Some(launch::subnet(self.aws, id).await?),
            None if !interfaces.is_empty() || args.launch_template.is_some() => None,
            None => {
                Some(launch::default_subnet(self.aws, args.availability_zone.as_deref()).await?)
            }
        };
        let vpc = subnet.as_ref().map(|it| parts::text(it, "VpcId"));
        let subnet = subnet.as_ref().map(|it| parts::text(it, "SubnetId"));
        let groups = launch::group_ids(self.aws, vpc, &self.groups_said()).await?;
        let mut request = args.settings.request();
        let more = json!({
            "MinCount": count, "MaxCount": count,
            "ImageId": self.image(),
            "KernelId": args.image.as_ref().and_then(|it| it.kernel.as_ref()),
            "RamdiskId": args.image.as_ref().and_then(|it| it.ramdisk.as_ref()),
            "AdditionalInfo": args.additional_info,
            "BlockDeviceMappings": args.volumes,
            "CpuOptions": args.cpu_options,
            "HibernationOptions": args.hibernation_options.then(|| json!({"Configured": true})),
            "KeyName": args.key_name,
            "LaunchTemplate": args.launch_template.as_ref().map(|it| json!({
                "LaunchTemplateId": it.id, "LaunchTemplateName": it.name, "Version": it.version,
            })),
            "LicenseSpecifications": args.license_specifications,
            "Placement": self.placement(),
            "TagSpecifications": parts::tag_specifications(
                &["instance", "volume"], &self.tags().tags.unwrap_or_default(),
            ).to_json(),
            "UserData": args.user_data,
        });
        launch::merge(&mut request, more);
        if interfaces.is_empty() && new.is_empty() {
            launch::merge(&mut request, json!({"SubnetId": subnet}));
            if !groups.is_empty() {
                launch::merge(&mut request, json!({"SecurityGroupIds": groups}));
            }
            return Ok(shapes::said(request));
        }
        let mut all = Vec::new();
        for interface in &new {
            let own = interface.groups.as_deref().filter(|it| !it.is_empty());
            let of = match own {
                Some(own) => launch::group_ids(self.aws, vpc, own).await?,
                None => groups.clone(),
            };
            all.push(interface.request(subnet, &of));
        }
        all.extend(interfaces.iter().map(|InterfaceId { device_index, id }| {
            json!({"DeviceIndex": device_index, "NetworkInterfaceId": id})
        }));
        launch::merge(&mut request, json!({"NetworkInterfaces": all}));
        Ok(shapes::said(request))
    }

    fn placement(&self) -> Option<Json> {
        let args = self.args;
        let older = json!({"GroupName": args.placement_group, "Tenancy": args.tenancy});
        let mut placement = shapes::said(older);
        if let Some(said) = &args.placement {
            launch::merge(&mut placement, shapes::said(json!(said)));
        }
        placement.as_object().is_some_and(|it| !it.is_empty()).then_some(placement)
    }

    async fn look(&self, ids: &[String]) -> Result<Vec<Value>, ModuleError> {
        instances::find(self.aws, ids, Value::Null).await
    }
}

fn ids(found: &[Value]) -> Vec<String> {
    found.iter().map(|it| instances::id(it).to_owned()).collect()
}

fn shown(found: &[Value]) -> Vec<Json> {
    found.iter().map(parts::shown).collect()
}

fn is_unknown(error: &ModuleError) -> bool {
    matches!(error, ModuleError::Failed { keys, .. }
        if keys.get("error").is_some_and(|it| it["code"] == "InvalidInstanceID.NotFound"))
}
