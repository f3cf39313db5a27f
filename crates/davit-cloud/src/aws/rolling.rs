//! Takes instances out of an Auto Scaling group: replaces them, a few at a time, or lets them go on their own.
//!
//! Which instances that are, whoever calls says.

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::autoscaling;
use super::client::Aws;
use super::parts;

/// How many instances a group holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Size {
    /// At least.
    pub min_size: i64,
    /// At most.
    pub max_size: i64,
    /// Now.
    pub desired_capacity: i64,
}

impl Size {
    /// The size of a group.
    #[must_use]
    pub fn of(group: &Value) -> Self {
        let number = |name| group.get(name).and_then(Value::as_int).unwrap_or(0);
        Self {
            min_size: number("MinSize"),
            max_size: number("MaxSize"),
            desired_capacity: number("DesiredCapacity"),
        }
    }

    /// With so many more. More at least, too: otherwise a policy could take them away again.
    fn grown(self, by: i64) -> Self {
        Self {
            min_size: self.min_size + by,
            max_size: self.max_size.max(self.desired_capacity) + by,
            desired_capacity: self.desired_capacity + by,
        }
    }
}

/// A group whose instances go.
pub struct Rolling<'a> {
    /// The task.
    pub control: &'a Control,
    /// Who is asked.
    pub aws: &'a Aws,
    /// The group.
    pub name: &'a str,
    /// For how long to wait for instances, each time.
    pub patience: Duration,
}

impl Rolling<'_> {
    /// Replaces instances, so many at a time, in a group of this size: the group grows by as many, and each time
    /// as many go once there are new ones. The last ones go without others in their place, so that it has its size
    /// again, and all old ones are gone.
    ///
    /// # Errors
    /// What the service says, or that new instances are not in service in time. The group stays as large as it is
    /// then: it would not be sure which instances go.
    pub async fn replace(
        &self,
        old: &[String],
        batch: usize,
        size: Size,
    ) -> Result<(), ModuleError> {
        let batch = batch.clamp(1, old.len().max(1));
        if old.is_empty() {
            return Ok(());
        }
        let mut gone = Vec::new();
        let outcome = self.roll(old, batch, size, &mut gone).await;
        outcome.map_err(|error| {
            error.with("replaced_instances", &gone).with(
                "done",
                format!(
                    "{} of {} instances are replaced; {} holds up to {batch} more than it should",
                    gone.len(),
                    old.len(),
                    self.name
                ),
            )
        })
    }

    async fn roll(
        &self,
        old: &[String],
        batch: usize,
        size: Size,
        gone: &mut Vec<String>,
    ) -> Result<(), ModuleError> {
        let grown = size.grown(i64::try_from(batch).unwrap_or(i64::MAX));
        self.resize("make room for new instances", size, grown).await?;
        self.until_ready(gone, grown.desired_capacity).await?;
        let (renewed, surplus) = old.split_at(old.len() - batch);
        for some in renewed.chunks(batch) {
            self.terminate(some, false).await?;
            gone.extend_from_slice(some);
            self.until_ready(gone, grown.desired_capacity).await?;
        }
        let least = Size { min_size: size.min_size, ..grown };
        self.resize("let it shrink again", grown, least).await?;
        self.terminate(surplus, true).await?;
        gone.extend_from_slice(surplus);
        self.until_ready(gone, size.desired_capacity).await?;
        let shrunk = Size { desired_capacity: size.desired_capacity, ..least };
        self.resize("give it its size again", shrunk, size).await
    }

    /// Lets instances go on as instances of nobody. Without `shrinks` the group makes others in their place.
    ///
    /// # Errors
    /// What the service says.
    pub async fn detach(&self, ids: &[String], shrinks: bool) -> Result<(), ModuleError> {
        // The service takes no more at a time.
        for some in ids.chunks(20) {
            let params = json!({
                "AutoScalingGroupName": self.name,
                "InstanceIds": some,
                "ShouldDecrementDesiredCapacity": shrinks,
            });
            let edit = Edit::new("detach instances", self.name).from(some).to(json!([]));
            self.make(edit, "DetachInstances", params).await?;
        }
        Ok(())
    }

    async fn resize(&self, what: &str, from: Size, to: Size) -> Result<(), ModuleError> {
        let mut params = json!(to);
        params["AutoScalingGroupName"] = json!(self.name);
        let edit = Edit::new(what, self.name).from(from).to(to);
        self.make(edit, "UpdateAutoScalingGroup", params).await
    }

    /// Terminates those that are still there. With `shrinks` no others come in their place.
    async fn terminate(&self, ids: &[String], shrinks: bool) -> Result<(), ModuleError> {
        let there = match autoscaling::group(self.aws, self.name).await? {
            Some(group) => members(&group),
            None => return Err(ModuleError::failed(format!("{} went away", self.name))),
        };
        for id in ids.iter().filter(|it| there.contains(it)) {
            let params = json!({"InstanceId": id, "ShouldDecrementDesiredCapacity": shrinks});
            let edit = Edit::new("terminate the old instance", id).from(id);
            self.make(edit, "TerminateInstanceInAutoScalingGroup", params).await?;
        }
        Ok(())
    }

    async fn until_ready(&self, gone: &[String], count: i64) -> Result<(), ModuleError> {
        if self.control.is_check() {
            return Ok(());
        }
        self.control.tell(&format!("waiting for {count} instances of {}", self.name));
        let wanted =
            autoscaling::Wanted { leaving: gone, least: usize::try_from(count).unwrap_or(0) };
        autoscaling::until_in_service(self.aws, self.name, wanted, self.patience).await
    }

    async fn make(&self, edit: Edit, operation: &str, params: Json) -> Result<(), ModuleError> {
        let act = async || self.aws.call("autoscaling", operation, params).await.map(drop);
        self.control.change(edit, act).await.map(drop)
    }
}

/// The ids of the instances of a group that are not on their way out.
#[must_use]
pub fn members(group: &Value) -> Vec<String> {
    let stays = |it: &&Value| {
        let state = parts::text(it, "LifecycleState");
        !state.starts_with("Terminat") && !state.starts_with("Detach")
    };
    let ids = parts::list(group, "Instances").iter().filter(stays);
    ids.map(|it| parts::text(it, "InstanceId").to_owned()).collect()
}

/// What a group makes instances from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A launch configuration, by name.
    Configuration(String),
    /// A launch template, by id, and the number of its version.
    Template(String, String),
}

impl Source {
    /// What these settings of a group say; the version of a template that they name `$Latest` or `$Default` by
    /// its number.
    ///
    /// # Errors
    /// When EC2 cannot be asked.
    pub async fn of(aws: &Aws, settings: &Json) -> Result<Option<Self>, ModuleError> {
        if let Some(name) = settings["LaunchConfigurationName"].as_str() {
            return Ok(Some(Self::Configuration(name.to_owned())));
        }
        let within = &settings["MixedInstancesPolicy"]["LaunchTemplate"];
        let alone = Some(&settings["LaunchTemplate"]).filter(|it| !it.is_null());
        let template = alone.unwrap_or(&within["LaunchTemplateSpecification"]);
        let Some(id) = template["LaunchTemplateId"].as_str() else { return Ok(None) };
        let version = template["Version"].as_str().unwrap_or("$Default");
        let number = match version {
            "$Latest" => "LatestVersionNumber",
            "$Default" => "DefaultVersionNumber",
            version => return Ok(Some(Self::Template(id.to_owned(), version.to_owned()))),
        };
        let params = json!({"LaunchTemplateIds": [id]});
        let found = aws.call("ec2", "DescribeLaunchTemplates", params).await?;
        let first = parts::items(&found, "LaunchTemplates").first();
        let number = first.and_then(|it| it.get(number)).and_then(Value::as_int).unwrap_or(0);
        Ok(Some(Self::Template(id.to_owned(), number.to_string())))
    }

    /// Whether an instance of a group was made from this.
    #[must_use]
    pub fn made(&self, instance: &Value) -> bool {
        match self {
            Self::Configuration(name) => parts::text(instance, "LaunchConfigurationName") == name,
            Self::Template(id, version) => {
                let said = |name| instance.at(&["LaunchTemplate", name]).and_then(Value::as_str);
                said("LaunchTemplateId") == Some(id) && said("Version") == Some(version)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_of_the_configuration_or_the_version_that_made_it() {
        let template = |version: &str| Source::Template("lt-1".to_owned(), version.to_owned());
        let instance: Value =
            json!({"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}}).into();
        assert!(template("2").made(&instance) && !template("3").made(&instance));
        assert!(!Source::Template("lt-2".to_owned(), "2".to_owned()).made(&instance));
        let configuration = Source::Configuration("web-2".to_owned());
        assert!(!configuration.made(&instance));
        assert!(configuration.made(&json!({"LaunchConfigurationName": "web-2"}).into()));
        assert!(!template("2").made(&json!({"LaunchConfigurationName": "web-2"}).into()));
    }

    #[test]
    fn a_group_grows_beyond_what_it_may_hold() {
        let size = Size { min_size: 1, max_size: 3, desired_capacity: 3 };
        let grown = Size { min_size: 3, max_size: 5, desired_capacity: 5 };
        assert_eq!(size.grown(2), grown);
    }

    #[test]
    fn who_is_on_the_way_out_is_no_member() {
        let instance = |id: &str, state: &str| json!({"InstanceId": id, "LifecycleState": state});
        let group = json!({"Instances": [
            instance("i-1", "InService"), instance("i-2", "Terminating:Wait"),
            instance("i-3", "Detaching"), instance("i-4", "Standby"), instance("i-5", "Terminated"),
        ]});
        assert_eq!(members(&group.into()), ["i-1", "i-4"]);
    }
}
