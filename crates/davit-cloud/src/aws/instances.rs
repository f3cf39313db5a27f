//! Instances of EC2: found, started, stopped and terminated, each through the gate, and waited for.

use std::time::Duration;

use davit_aws::value::{Map, Value};
use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde_json::json;

use super::client::Aws;
use super::parts;

/// The instances that filters and ids find, of all pages. `filters` is what
/// [`filters::list`](super::filters::list) gives.
///
/// # Errors
/// What EC2 says, as of ids that it does not know.
pub async fn find(aws: &Aws, ids: &[String], filters: Value) -> Result<Vec<Value>, ModuleError> {
    let mut params = Map::new();
    if !ids.is_empty() {
        params.insert("InstanceIds".to_owned(), ids.iter().map(String::as_str).collect());
    }
    if !filters.items().is_empty() {
        params.insert("Filters".to_owned(), filters);
    }
    let found = aws.all("ec2", "DescribeInstances", params).await?;
    let reservations = parts::items(&found, "Reservations");
    Ok(reservations.iter().flat_map(|it| parts::list(it, "Instances")).cloned().collect())
}

/// `i-0123456789abcdef0`.
#[must_use]
pub fn id(instance: &Value) -> &str {
    parts::text(instance, "InstanceId")
}

/// `pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`.
#[must_use]
pub fn state(instance: &Value) -> &str {
    instance.at(&["State", "Name"]).and_then(Value::as_str).unwrap_or_default()
}

/// The ids of the instances that are in one of these states.
#[must_use]
pub fn those_in(instances: &[Value], states: &[&str]) -> Vec<String> {
    let found = instances.iter().filter(|it| states.contains(&state(it)));
    found.map(|it| id(it).to_owned()).collect()
}

/// Starts, stops and terminates, and waits for what comes of it for as long as the task says.
#[derive(Clone, Copy)]
pub struct Power<'a> {
    /// The gate.
    pub control: &'a Control,
    /// Who calls.
    pub aws: &'a Aws,
    /// For how long to wait at most; `None` = it is not waited for the end.
    pub wait: Option<Duration>,
}

/// What is waited for on the way where the task does not say for how long.
const ON_THE_WAY: Duration = Duration::from_secs(600);

impl Power<'_> {
    /// Starts those that are not running; which ones it were. Those that are about to stop are
    /// waited for first.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn start(&self, instances: &[Value]) -> Result<Vec<String>, ModuleError> {
        let stopping = those_in(instances, &["stopping"]);
        let ids = those_in(instances, &["stopping", "stopped"]);
        let edit = edit("start", &ids, "stopped", "running");
        self.switch(&ids, edit, "StartInstances", ("instance_stopped", &stopping)).await?;
        let all = those_in(instances, &["pending", "running", "stopping", "stopped"]);
        self.until("instance_running", &all).await?;
        Ok(ids)
    }

    /// Stops those that are running; which ones it were. Those that are about to run are waited
    /// for first, as EC2 does not stop those.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn stop(&self, instances: &[Value]) -> Result<Vec<String>, ModuleError> {
        let pending = those_in(instances, &["pending"]);
        let ids = those_in(instances, &["pending", "running"]);
        let edit = edit("stop", &ids, "running", "stopped");
        self.switch(&ids, edit, "StopInstances", ("instance_running", &pending)).await?;
        let all = those_in(instances, &["pending", "running", "stopping", "stopped"]);
        self.until("instance_stopped", &all).await?;
        Ok(ids)
    }

    /// Stops and starts those that are there; which ones it were.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn restart(&self, instances: &[Value]) -> Result<Vec<String>, ModuleError> {
        let ids = those_in(instances, &["pending", "running", "stopping", "stopped"]);
        self.patient().stop(instances).await?;
        let edit = edit("start", &ids, "stopped", "running");
        self.switch(&ids, edit, "StartInstances", ("instance_stopped", &[])).await?;
        self.until("instance_running", &ids).await?;
        Ok(ids)
    }

    /// Terminates those that are not yet; which ones it were.
    ///
    /// # Errors
    /// What EC2 says, as of those that are protected, or that it took too long.
    pub async fn terminate(&self, instances: &[Value]) -> Result<Vec<String>, ModuleError> {
        let ids = those_in(instances, &["pending", "running", "stopping", "stopped"]);
        let edit = edit("terminate", &ids, "there", "terminated");
        self.switch(&ids, edit, "TerminateInstances", ("instance_terminated", &[])).await?;
        self.until("instance_terminated", &ids).await?;
        Ok(ids)
    }

    /// Stops one that is running, for a change that EC2 makes only then; whether it was running.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn rest(&self, instance: &Value) -> Result<bool, ModuleError> {
        let one = std::slice::from_ref(instance);
        let was_running = !self.patient().stop(one).await?.is_empty();
        Ok(was_running)
    }

    /// Starts one that was stopped for a change.
    ///
    /// # Errors
    /// What EC2 says, or that it took too long.
    pub async fn wake(&self, id: &str) -> Result<(), ModuleError> {
        let ids = [id.to_owned()];
        let edit = edit("start", &ids, "stopped", "running");
        self.switch(&ids, edit, "StartInstances", ("instance_stopped", &[])).await?;
        self.until("instance_running", &ids).await
    }

    /// The same where it has to be waited whatever the task says.
    fn patient(&self) -> Self {
        Self { wait: Some(self.wait.unwrap_or(ON_THE_WAY)), ..*self }
    }

    /// Waits by a waiter, where the task waits and nothing is only predicted.
    ///
    /// # Errors
    /// When it does not come about in time.
    pub async fn until(&self, waiter: &str, ids: &[String]) -> Result<(), ModuleError> {
        let Some(time) = self.wait.filter(|_| !ids.is_empty() && !self.control.is_check()) else {
            return Ok(());
        };
        self.control.tell(&format!("waiting for {waiter}: {}", ids.join(", ")));
        let waited = self.aws.wait("ec2", waiter, json!({"InstanceIds": ids}), time).await;
        waited.map_err(|error| error.with("instance_ids", ids))
    }

    async fn switch(
        &self,
        ids: &[String],
        edit: Edit,
        operation: &str,
        (first, of): (&str, &[String]),
    ) -> Result<(), ModuleError> {
        if ids.is_empty() {
            return Ok(());
        }
        let act = async || {
            if !of.is_empty() {
                let time = self.wait.unwrap_or(ON_THE_WAY);
                self.aws.wait("ec2", first, json!({"InstanceIds": of}), time).await?;
            }
            self.aws.call("ec2", operation, json!({"InstanceIds": ids})).await.map(drop)
        };
        self.control.change(edit, act).await.map(drop)
    }
}

fn edit(what: &str, ids: &[String], before: &str, after: &str) -> Edit {
    Edit::new(what, ids.join(", ")).from(json!({"state": before})).to(json!({"state": after}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_chosen_by_their_state() {
        let one = |id: &str, state: &str| {
            Value::from(json!({"InstanceId": id, "State": {"Name": state}}))
        };
        let all = [one("a", "running"), one("b", "stopped"), json!({"InstanceId": "c"}).into()];
        assert_eq!(those_in(&all, &["stopped", "stopping"]), ["b"]);
        assert_eq!(those_in(&all, &["running", "stopped"]), ["a", "b"]);
    }
}
