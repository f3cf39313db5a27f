//! Starts, stops and reboots instances of RDS, and makes instances of their own from read replicas.

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Edit;
use serde_json::json;

use super::database::{Rds, USABLE};
use super::database_settings::DatabaseSettings;
use super::parts::text;
use super::shapes::said;

impl Rds<'_> {
    /// Starts an instance that is stopped: the instance afterwards.
    ///
    /// # Errors
    /// What RDS says, or with `wait` that it does not get available.
    pub async fn start(&self, instance: Value, wait: bool) -> Result<Value, ModuleError> {
        let (id, state) =
            (text(&instance, "DBInstanceIdentifier"), text(&instance, "DBInstanceStatus"));
        if !matches!(state, "stopped" | "stopping") {
            return Ok(instance);
        }
        let edit = Edit::new("start the instance", text(&instance, "DBInstanceArn")).from(state);
        let params = json!({"DBInstanceIdentifier": id});
        self.change(edit.to("available"), "StartDBInstance", params).await?;
        if wait && !self.control.is_check() { self.until(id, USABLE).await } else { Ok(instance) }
    }

    /// Stops an instance that is not stopped.
    ///
    /// # Errors
    /// What RDS says, or with `wait` that it does not get stopped.
    pub async fn stop(&self, instance: &Value, wait: bool) -> Result<(), ModuleError> {
        let (id, state) =
            (text(instance, "DBInstanceIdentifier"), text(instance, "DBInstanceStatus"));
        if !matches!(state, "stopped" | "stopping") {
            let edit = Edit::new("stop the instance", text(instance, "DBInstanceArn")).from(state);
            let params = json!({"DBInstanceIdentifier": id});
            self.change(edit.to("stopped"), "StopDBInstance", params).await?;
        }
        if wait && !self.control.is_check() {
            self.until(id, &["stopped"]).await?;
        }
        Ok(())
    }

    /// Reboots an instance, by a failover to the other zone where that is said.
    ///
    /// # Errors
    /// What RDS says, or with `wait` that it does not get available again.
    pub async fn reboot(
        &self,
        instance: &Value,
        failover: Option<bool>,
        wait: bool,
    ) -> Result<(), ModuleError> {
        let id = text(instance, "DBInstanceIdentifier");
        let edit = Edit::new("reboot the instance", text(instance, "DBInstanceArn"));
        let params = said(json!({"DBInstanceIdentifier": id, "ForceFailover": failover}));
        self.change(edit, "RebootDBInstance", params).await?;
        if wait && !self.control.is_check() {
            self.until(id, USABLE).await?;
        }
        Ok(())
    }

    /// Makes an instance of its own from a read replica: the instance afterwards.
    ///
    /// # Errors
    /// What RDS says, or with `wait` that it does not get available again.
    pub async fn promote(
        &self,
        instance: Value,
        settings: &DatabaseSettings,
        wait: bool,
    ) -> Result<Value, ModuleError> {
        let source = text(&instance, "ReadReplicaSourceDBInstanceIdentifier");
        if source.is_empty() {
            return Ok(instance);
        }
        let id = text(&instance, "DBInstanceIdentifier");
        let edit = Edit::new("promote the read replica", text(&instance, "DBInstanceArn"));
        let params = said(json!({
            "DBInstanceIdentifier": id,
            "BackupRetentionPeriod": settings.backup_retention_period,
            "PreferredBackupWindow": settings.preferred_backup_window,
        }));
        let edit = edit.from(json!({"replica_of": source})).to(json!({"replica_of": null}));
        self.change(edit, "PromoteReadReplica", params).await?;
        if !wait || self.control.is_check() {
            return Ok(instance);
        }
        self.until_begun(id).await?;
        self.until(id, USABLE).await
    }
}
