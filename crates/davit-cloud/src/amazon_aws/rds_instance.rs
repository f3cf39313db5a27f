//! `amazon.aws.rds_instance`: makes, changes, starts, stops, reboots and deletes database instances of RDS.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/amazon/aws/rds_instance_module.html>

use std::collections::BTreeSet;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::args::yes;
use crate::aws::database::{self, Rds, USABLE};
use crate::aws::database_settings::{self, DatabaseSettings, Difference, Purge, SECRETS};
use crate::aws::database_source::DatabaseSource;
use crate::aws::login::Login;
use crate::aws::parts::{list, text};
use crate::aws::shapes::said;
use crate::aws::tags::{Shape, TagArgs};

/// Keep a database instance of RDS.
///
/// A new one is empty, or made from a snapshot, from backups in S3, from another instance as it was at some time, or
/// as a read replica of another instance. What cannot be said when it is made like that is changed afterwards.
///
/// Of an instance that is there, what is said and differs is changed, but for what can be chosen only once: the
/// engine, zone, encryption, master and such. Changes that need a restart wait for the maintenance window, and such
/// that wait already count as made, unless `apply_immediately` is on. Passwords are told by no result.
///
/// ```yaml
/// - name: The shop's database
///   amazon.aws.rds_instance:
///     id: shop
///     engine: postgres
///     engine_version: "16"
///     instance_type: db.t4g.medium
///     allocated_storage: 50
///     max_allocated_storage: 200
///     storage_type: gp3
///     username: shop
///     password: "{{ shop_password }}"
///     subnet_group: inner
///     vpc_security_group_ids: ["{{ database.group_id }}"]
///     tags: {team: shop}
/// - name: No database at the weekend
///   amazon.aws.rds_instance: {id: shop, state: stopped}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Allow a new major version of the engine.
    #[serde(default)]
    allow_major_version_upgrade: Option<bool>,
    /// Make changes now, and those that wait for the maintenance window too.
    #[serde(default)]
    apply_immediately: bool,
    /// Its name.
    #[schemars(extend("x-aliases" = ["instance_id", "id"]))]
    db_instance_identifier: String,
    /// The snapshot that is made before it is deleted.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["final_snapshot_identifier"]))]
    final_db_snapshot_identifier: Option<String>,
    /// Reboot by a failover to the other zone.
    #[serde(default)]
    force_failover: Option<bool>,
    /// Set the master's password, whatever it is.
    #[serde(default)]
    force_update_password: bool,
    /// The roles of IAM that it can take on, each for one feature.
    #[serde(default)]
    iam_roles: Option<Vec<Role>>,
    /// Its new name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["new_instance_id", "new_id"]))]
    new_db_instance_identifier: Option<String>,
    /// Turn off the logs that `enable_cloudwatch_logs_exports` does not name.
    #[serde(default = "yes")]
    purge_cloudwatch_logs_exports: bool,
    /// Take from it the roles that `iam_roles` does not name.
    #[serde(default)]
    purge_iam_roles: bool,
    /// Take it out of the security groups that are not named.
    #[serde(default = "yes")]
    purge_security_groups: bool,
    /// Delete it without a snapshot.
    #[serde(default)]
    skip_final_snapshot: bool,
    /// What becomes of it.
    #[serde(default)]
    state: State,
    /// Wait after each step until it is done, for half an hour at most. Without it, what cannot be done to a new
    /// instance yet is left to a later run.
    #[serde(default = "yes")]
    wait: bool,
    #[serde(flatten)]
    source: DatabaseSource,
    #[serde(flatten)]
    settings: DatabaseSettings,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// A role of an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Role {
    /// What it is for: `s3Import`, `s3Export`, `Lambda` ...
    feature_name: String,
    /// The role.
    role_arn: String,
}

/// What becomes of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is there. A new one runs; one that is there keeps running or stopped.
    #[default]
    Present,
    /// It is gone.
    Absent,
    /// The same.
    Terminated,
    /// It runs.
    Running,
    /// The same.
    Started,
    /// It is stopped.
    Stopped,
    /// It is rebooted, each time, and runs.
    Rebooted,
    /// The same.
    Restarted,
}

/// `amazon.aws.rds_instance`.
pub(crate) struct RdsInstance;

impl Module for RdsInstance {
    const NAME: &'static str = "amazon.aws.rds_instance";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.rds_instance"];
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["s3_bucket_name", "source_db_instance_identifier", "db_snapshot_identifier"],
            &["use_latest_restorable_time", "restore_time"],
            &["availability_zone", "multi_az"],
        ],
        required_if: &[
            Requirement {
                key: "creation_source",
                value: "snapshot",
                needs: &["db_snapshot_identifier", "engine"],
                any: false,
            },
            Requirement {
                key: "creation_source",
                value: "s3",
                needs: &[
                    "s3_bucket_name",
                    "engine",
                    "master_username",
                    "master_user_password",
                    "source_engine",
                    "source_engine_version",
                    "s3_ingestion_role_arn",
                ],
                any: false,
            },
            Requirement {
                key: "storage_type",
                value: "io1",
                needs: &["iops", "allocated_storage"],
                any: false,
            },
        ],
        ..Rules::NONE
    };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let rds = Rds::new(control, &args.login)?;
        let id = args.db_instance_identifier.to_lowercase();
        let new_id = args.new_db_instance_identifier.as_ref().map(|it| it.to_lowercase());
        let work = Work { rds: &rds, args: &args, id, new_id };
        let found = work.find().await?;
        match args.state {
            State::Absent | State::Terminated => match found {
                Some(instance) => work.delete(&instance).await,
                None => Ok(rds.told(Outcome::new(), None)),
            },
            _ => work.keep(found).await,
        }
    }
}

/// A call of this module.
struct Work<'a> {
    rds: &'a Rds<'a>,
    args: &'a Args,
    id: String,
    new_id: Option<String>,
}

impl Work<'_> {
    /// The instance, which an earlier run may have renamed already.
    async fn find(&self) -> Result<Option<Value>, ModuleError> {
        let found = self.rds.instance(&self.id).await?;
        match &self.new_id {
            Some(new) if found.is_none() => self.rds.instance(new).await,
            _ => Ok(found),
        }
    }

    /// Whether there is something to wait for.
    fn waits(&self) -> bool {
        self.args.wait && !self.rds.control.is_check()
    }

    async fn delete(&self, instance: &Value) -> Result<Outcome, ModuleError> {
        let (args, id) = (self.args, text(instance, "DBInstanceIdentifier"));
        if args.final_db_snapshot_identifier.is_none() && !args.skip_final_snapshot {
            let text =
                "deleting an instance takes final_db_snapshot_identifier, or skip_final_snapshot";
            return Err(ModuleError::failed(text));
        }
        let snapshot =
            args.final_db_snapshot_identifier.as_ref().filter(|_| !args.skip_final_snapshot);
        if text(instance, "DBInstanceStatus") != "deleting" {
            let edit = Edit::new("delete the instance", text(instance, "DBInstanceArn"));
            let params = said(json!({
                "DBInstanceIdentifier": id,
                "SkipFinalSnapshot": args.skip_final_snapshot,
                "FinalDBSnapshotIdentifier": snapshot,
            }));
            let edit = edit.from(database::shown(instance));
            self.rds.change(edit, "DeleteDBInstance", params).await?;
        }
        if self.rds.control.is_check() {
            return Ok(self.rds.told(Outcome::new(), Some(instance)));
        }
        if args.wait {
            self.rds.until_gone(id).await?;
        }
        let mut outcome = Outcome::new();
        if let Some(snapshot) = snapshot
            && let Some(snapshot) = self.rds.snapshot(snapshot).await?
        {
            outcome.set("final_snapshot", database::shown(&snapshot));
        }
        let left = if args.wait { None } else { self.rds.instance(id).await? };
        Ok(self.rds.told(outcome, left.as_ref()))
    }

    async fn keep(&self, found: Option<Value>) -> Result<Outcome, ModuleError> {
        let (rds, args) = (self.rds, self.args);
        let found = self.settled(found).await?;
        let is_new = found.is_none();
        let mut instance = match found {
            Some(instance) => instance,
            None => match self.create().await? {
                Some(instance) => instance,
                None => return Ok(rds.told(Outcome::new(), None)),
            },
        };
        let is_usable = USABLE.contains(&text(&instance, "DBInstanceStatus"));
        // Nothing can be done to one that is being made.
        if is_new && !is_usable {
            return Ok(rds.told(Outcome::new(), Some(&instance)));
        }
        let boots = matches!(args.state, State::Rebooted | State::Restarted);
        if boots || matches!(args.state, State::Running | State::Started) {
            instance = rds.start(instance, args.wait).await?;
        }
        if !is_new {
            let is_own = args.source.read_replica == Some(false);
            if is_own {
                instance = rds.promote(instance, &args.settings, args.wait).await?;
            }
        }
        if !is_new || self.source()?.0 != "CreateDBInstance" {
            instance = self.update(instance, is_new).await?;
        }
        let arn = text(&instance, "DBInstanceArn");
        rds.tag(arn, &database::tags(&instance), &args.tags).await?;
        self.keep_roles(&instance).await?;
        if args.state == State::Stopped {
            rds.stop(&instance, args.wait).await?;
        } else if boots && !is_new {
            rds.reboot(&instance, args.force_failover, args.wait).await?;
        }
        let now = if rds.control.is_check() { None } else { self.find().await? };
        Ok(rds.told(Outcome::new(), Some(&now.unwrap_or(instance))))
    }

    /// The instance once nothing is done to it any more, where the task waits.
    async fn settled(&self, found: Option<Value>) -> Result<Option<Value>, ModuleError> {
        let Some(instance) = found else { return Ok(None) };
        let (id, state) =
            (text(&instance, "DBInstanceIdentifier"), text(&instance, "DBInstanceStatus"));
        if state == "deleting" {
            if !self.args.wait {
                return Err(ModuleError::failed(format!("{id} is being deleted")));
            }
            if self.waits() {
                self.rds.until_gone(id).await?;
            }
            return Ok(None);
        }
        let is_at_rest = USABLE.contains(&state) || state == "stopped";
        let is_worked_at = state.ends_with("ing") || state.starts_with("configuring-");
        if is_at_rest || !is_worked_at || !self.waits() {
            return Ok(Some(instance));
        }
        self.rds.until(id, &[USABLE, &["stopped"]].concat()).await.map(Some)
    }

    /// The operation that makes a new instance, and what it is told of where it comes from.
    fn source(&self) -> Result<(&'static str, Json), ModuleError> {
        self.args.source.operation(&self.id)
    }

    /// The settings that the task speaks of, by the names of `CreateDBInstance`.
    fn wanted(&self) -> Map<String, Json> {
        match said(json!(self.args.settings)) {
            Json::Object(wanted) => wanted,
            _ => Map::new(),
        }
    }

    /// Makes it. Nothing comes back in check mode.
    async fn create(&self) -> Result<Option<Value>, ModuleError> {
        let (args, settings) = (self.args, &self.args.settings);
        let (operation, source) = self.source()?;
        let is_told = settings.engine.is_some() && settings.db_instance_class.is_some();
        if operation == "CreateDBInstance" && !is_told {
            let text = format!(
                "there is no instance {}: making one takes engine, db_instance_class",
                self.id
            );
            return Err(ModuleError::failed(text));
        }
        let mut params = self.wanted();
        let has_default_processors = params.get("ProcessorFeatures") == Some(&json!([]));
        params.retain(|_, it| *it != json!([]));
        if has_default_processors {
            params.insert("UseDefaultProcessorFeatures".to_owned(), true.into());
        }
        params.insert("DBInstanceIdentifier".to_owned(), json!(self.id));
        if let Some(tags) = args.tags.tags.as_ref().filter(|it| !it.is_empty()) {
            params.insert("Tags".to_owned(), Shape::USUAL.list(tags).to_json());
        }
        if let Json::Object(source) = said(source) {
            params.extend(source);
        }
        let mut params = self.rds.taken(operation, params)?;
        let mut shown = params.clone();
        shown.retain(|name, _| !SECRETS.contains(&&**name));
        if operation == "CreateDBInstanceReadReplica"
            && let Some(region) = args.source.region(self.rds.aws.region())
        {
            params.insert("SourceRegion".to_owned(), region.into());
        }
        let edit = Edit::new("make the instance", format!("rds:db/{}", self.id)).to(shown);
        let Some(made) = self.rds.change(edit, operation, Json::Object(params)).await? else {
            return Ok(None);
        };
        if args.wait {
            return self.rds.until(&self.id, USABLE).await.map(Some);
        }
        Ok(made.get("DBInstance").cloned())
    }

    async fn update(&self, instance: Value, is_new: bool) -> Result<Value, ModuleError> {
        let args = self.args;
        let id = text(&instance, "DBInstanceIdentifier");
        let state = text(&instance, "DBInstanceStatus");
        let due = self.due(&instance, is_new).await?;
        if due.params.is_empty() {
            return Ok(instance);
        }
        let renamed = due.params.get("NewDBInstanceIdentifier").and_then(Json::as_str);
        let renamed = renamed.filter(|_| args.apply_immediately).map(str::to_owned);
        let what = match (due.params.contains_key(SECRETS[0]), due.after.is_empty()) {
            (true, true) => "set the master's password",
            (true, false) => "change the instance, and set the master's password",
            _ => "change the instance",
        };
        let mut edit = Edit::new(what, text(&instance, "DBInstanceArn"));
        if !due.after.is_empty() {
            edit = edit.from(due.before).to(due.after);
        }
        let mut params = due.params;
        params.insert("DBInstanceIdentifier".to_owned(), id.into());
        params.insert("ApplyImmediately".to_owned(), args.apply_immediately.into());
        let made = self.rds.change(edit, "ModifyDBInstance", Json::Object(params)).await?;
        let Some(made) = made else { return Ok(instance) };
        if !args.wait {
            return Ok(made.get("DBInstance").cloned().unwrap_or(instance));
        }
        if args.apply_immediately {
            self.rds.until_begun(id).await?;
        }
        let mut states = USABLE.to_vec();
        states.extend((state == "stopped").then_some("stopped"));
        self.rds.until(renamed.as_deref().unwrap_or(id), &states).await
    }

    /// What has to be changed of an instance that is there.
    async fn due(&self, instance: &Value, is_new: bool) -> Result<Difference, ModuleError> {
        let (args, id) = (self.args, text(instance, "DBInstanceIdentifier"));
        let mut wanted = self.wanted();
        if let Some(key) = wanted.get("PerformanceInsightsKMSKeyId").and_then(Json::as_str)
            && key.contains("alias/")
        {
            let found = self.rds.aws.call("kms", "DescribeKey", json!({"KeyId": key})).await?;
            let arn = found.get("KeyMetadata").map(|it| text(it, "Arn").to_owned());
            wanted.insert("PerformanceInsightsKMSKeyId".to_owned(), json!(arn));
        }
        let is_usable = USABLE.contains(&text(instance, "DBInstanceStatus"));
        let counts_pending = !args.apply_immediately || !is_usable;
        let current = database_settings::current(instance, counts_pending);
        let purge =
            Purge { logs: args.purge_cloudwatch_logs_exports, groups: args.purge_security_groups };
        let mut due = database_settings::difference(&current, &wanted, purge);
        let pending = instance.get("PendingModifiedValues").filter(|_| counts_pending);
        let coming = pending.map(|it| text(it, "DBInstanceIdentifier")).unwrap_or_default();
        if let Some(new) = self.new_id.as_ref().filter(|it| *it != id && *it != coming) {
            due.before.insert("DBInstanceIdentifier".to_owned(), id.into());
            due.after.insert("DBInstanceIdentifier".to_owned(), json!(new));
            due.params.insert("NewDBInstanceIdentifier".to_owned(), json!(new));
        }
        if due.params.contains_key("EngineVersion")
            && let Some(allows) = args.allow_major_version_upgrade
        {
            due.params.insert("AllowMajorVersionUpgrade".to_owned(), allows.into());
        }
        // A restored instance has the password of what it was restored from.
        let sets_password = args.force_update_password
            && !(is_new && self.source()?.0 == "RestoreDBInstanceFromS3");
        if let Some(password) = wanted.get(SECRETS[0]).filter(|_| sets_password) {
            due.params.insert(SECRETS[0].to_owned(), password.clone());
        }
        Ok(due)
    }

    async fn keep_roles(&self, instance: &Value) -> Result<(), ModuleError> {
        let args = self.args;
        if args.iam_roles.is_none() && !args.purge_iam_roles {
            return Ok(());
        }
        let role = |it: &Value| Role {
            feature_name: text(it, "FeatureName").to_owned(),
            role_arn: text(it, "RoleArn").to_owned(),
        };
        let current: BTreeSet<Role> = list(instance, "AssociatedRoles").iter().map(role).collect();
        let wanted: BTreeSet<Role> = args.iam_roles.iter().flatten().cloned().collect();
        // A feature has one role at a time, so the others go first.
        let strange: Vec<&Role> =
            current.difference(&wanted).filter(|_| args.purge_iam_roles).collect();
        for (operation, roles) in [
            ("RemoveRoleFromDBInstance", strange),
            ("AddRoleToDBInstance", wanted.difference(&current).collect()),
        ] {
            for role in &roles {
                let id = text(instance, "DBInstanceIdentifier");
                let arn = text(instance, "DBInstanceArn");
                let mut params = json!(role);
                params["DBInstanceIdentifier"] = id.into();
                let edit = if operation.starts_with("Add") {
                    Edit::new("give it a role", arn).to(role)
                } else {
                    Edit::new("take a role from it", arn).from(role)
                };
                self.rds.change(edit, operation, params).await?;
                if self.waits() {
                    self.rds.until_roles_are_set(id).await?;
                }
            }
        }
        Ok(())
    }
}
