//! What can be set of an instance of RDS: the arguments for it, what an instance that is there has of them, and what
//! has to be changed.
//!
//! Settings have the names here that `CreateDBInstance` has for them. Which other operation takes which of them, the
//! service's model knows.

use std::collections::BTreeSet;
use std::fmt;

use davit_aws::value::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

use super::parts::{list, text};

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What can be set of an instance: flatten it into a module's arguments. Made into JSON it is what
/// `CreateDBInstance` takes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct DatabaseSettings {
    /// How large the storage is, in GiB. It can only grow; where RDS lets it grow by itself and it is larger by now,
    /// it stays as it is.
    #[serde(default, rename(serialize = "AllocatedStorage"))]
    pub allocated_storage: Option<i64>,
    /// Take new minor versions of the engine in the maintenance window.
    #[serde(default, rename(serialize = "AutoMinorVersionUpgrade"))]
    pub auto_minor_version_upgrade: Option<bool>,
    /// The availability zone of a new instance.
    #[serde(default, rename(serialize = "AvailabilityZone"))]
    #[schemars(extend("x-aliases" = ["az", "zone"]))]
    pub availability_zone: Option<String>,
    /// For how many days automated backups are kept; 0 = there are none.
    #[serde(default, rename(serialize = "BackupRetentionPeriod"))]
    pub backup_retention_period: Option<i64>,
    /// The authority that its certificate is of.
    #[serde(default, rename(serialize = "CACertificateIdentifier"))]
    pub ca_certificate_identifier: Option<String>,
    /// The character set of a new instance.
    #[serde(default, rename(serialize = "CharacterSetName"))]
    pub character_set_name: Option<String>,
    /// Give its tags to its snapshots.
    #[serde(default, rename(serialize = "CopyTagsToSnapshot"))]
    pub copy_tags_to_snapshot: Option<bool>,
    /// The Aurora cluster that a new instance belongs to.
    #[serde(default, rename(serialize = "DBClusterIdentifier"))]
    #[schemars(extend("x-aliases" = ["cluster_id"]))]
    pub db_cluster_identifier: Option<String>,
    /// How many processors and how much memory: `db.t4g.micro` ...
    #[serde(default, rename(serialize = "DBInstanceClass"))]
    #[schemars(extend("x-aliases" = ["class", "instance_type"]))]
    pub db_instance_class: Option<String>,
    /// The database that is made in a new instance. Without it there is none.
    #[serde(default, rename(serialize = "DBName"))]
    pub db_name: Option<String>,
    /// Its parameter group.
    #[serde(default, rename(serialize = "DBParameterGroupName"))]
    pub db_parameter_group_name: Option<String>,
    /// Its security groups of RDS, which only instances outside of any VPC have.
    #[serde(default, rename(serialize = "DBSecurityGroups"))]
    pub db_security_groups: Option<Vec<String>>,
    /// Its subnet group.
    #[serde(default, rename(serialize = "DBSubnetGroupName"))]
    #[schemars(extend("x-aliases" = ["subnet_group"]))]
    pub db_subnet_group_name: Option<String>,
    /// Protect it from being deleted.
    #[serde(default, rename(serialize = "DeletionProtection"))]
    pub deletion_protection: Option<bool>,
    /// The Active Directory that it joins.
    #[serde(default, rename(serialize = "Domain"))]
    pub domain: Option<String>,
    /// The role that talks to it.
    #[serde(default, rename(serialize = "DomainIAMRoleName"))]
    pub domain_iam_role_name: Option<String>,
    /// The logs that go to CloudWatch. An empty list = none.
    #[serde(default, rename(serialize = "EnableCloudwatchLogsExports"))]
    #[schemars(extend("x-aliases" = ["cloudwatch_log_exports"]))]
    pub enable_cloudwatch_logs_exports: Option<Vec<String>>,
    /// Let users and roles of IAM log in to the database.
    #[serde(default, rename(serialize = "EnableIAMDatabaseAuthentication"))]
    pub enable_iam_database_authentication: Option<bool>,
    /// Turn Performance Insights on or off.
    #[serde(default, rename(serialize = "EnablePerformanceInsights"))]
    pub enable_performance_insights: Option<bool>,
    /// The engine. A new instance needs it.
    #[serde(default, rename(serialize = "Engine"))]
    #[schemars(extend("x-choices" = [
        "aurora", "aurora-mysql", "aurora-postgresql", "mariadb", "mysql", "oracle-ee", "oracle-ee-cdb", "oracle-se2",
        "oracle-se2-cdb", "postgres", "sqlserver-ee", "sqlserver-se", "sqlserver-ex", "sqlserver-web",
    ]))]
    pub engine: Option<String>,
    /// Its version. `16` is satisfied by any `16.x`.
    #[serde(default, rename(serialize = "EngineVersion"))]
    pub engine_version: Option<String>,
    /// How many operations a second the storage has.
    #[serde(default, rename(serialize = "Iops"))]
    pub iops: Option<i64>,
    /// The key of KMS that a new instance is encrypted with.
    #[serde(default, rename(serialize = "KmsKeyId"))]
    pub kms_key_id: Option<String>,
    /// `license-included`, `bring-your-own-license` or `general-public-license`.
    #[serde(default, rename(serialize = "LicenseModel"))]
    pub license_model: Option<String>,
    /// The master's password: 8 to 41 characters. That of an instance that is there is changed with
    /// `force_update_password` only, as nobody can compare it.
    #[serde(default, rename(serialize = "MasterUserPassword"))]
    #[schemars(extend("x-aliases" = ["password"], "x-no-log" = true))]
    pub master_user_password: Option<Secret>,
    /// The master of a new instance.
    #[serde(default, rename(serialize = "MasterUsername"))]
    #[schemars(extend("x-aliases" = ["username"]))]
    pub master_username: Option<String>,
    /// How large the storage may grow by itself, in GiB. As much as it has = not at all.
    #[serde(default, rename(serialize = "MaxAllocatedStorage"))]
    pub max_allocated_storage: Option<i64>,
    /// The seconds between two measurements of Enhanced Monitoring; 0 = there is none.
    #[serde(default, rename(serialize = "MonitoringInterval"))]
    pub monitoring_interval: Option<i64>,
    /// The role that hands those to CloudWatch.
    #[serde(default, rename(serialize = "MonitoringRoleArn"))]
    pub monitoring_role_arn: Option<String>,
    /// Whether there is a standby in another zone.
    #[serde(default, rename(serialize = "MultiAZ"))]
    pub multi_az: Option<bool>,
    /// Whether a container database of Oracle has several tenants. It cannot be taken back.
    #[serde(default, rename(serialize = "MultiTenant"))]
    pub multi_tenant: Option<bool>,
    /// Its option group.
    #[serde(default, rename(serialize = "OptionGroupName"))]
    pub option_group_name: Option<String>,
    /// The key of KMS for Performance Insights: an ARN, id or alias.
    #[serde(default, rename(serialize = "PerformanceInsightsKMSKeyId"))]
    pub performance_insights_kms_key_id: Option<String>,
    /// For how many days those are kept.
    #[serde(default, rename(serialize = "PerformanceInsightsRetentionPeriod"))]
    pub performance_insights_retention_period: Option<i64>,
    /// Its port.
    #[serde(default, rename(serialize = "Port"))]
    pub port: Option<i64>,
    /// When backups are made: `hh:mm-hh:mm`, in UTC.
    #[serde(default, rename(serialize = "PreferredBackupWindow"))]
    #[schemars(extend("x-aliases" = ["backup_window"]))]
    pub preferred_backup_window: Option<String>,
    /// When it is maintained: `ddd:hh:mm-ddd:hh:mm`, in UTC.
    #[serde(default, rename(serialize = "PreferredMaintenanceWindow"))]
    #[schemars(extend("x-aliases" = ["maintenance_window"]))]
    pub preferred_maintenance_window: Option<String>,
    /// How many cores, and threads on each. An empty map = what the class has.
    #[serde(
        default,
        rename(serialize = "ProcessorFeatures"),
        serialize_with = "ProcessorFeatures::features"
    )]
    pub processor_features: Option<ProcessorFeatures>,
    /// The place in the order in which instances of a cluster take over.
    #[serde(default, rename(serialize = "PromotionTier"))]
    pub promotion_tier: Option<i64>,
    /// Whether it can be reached from the internet.
    #[serde(default, rename(serialize = "PubliclyAccessible"))]
    pub publicly_accessible: Option<bool>,
    /// Whether a new instance is encrypted.
    #[serde(default, rename(serialize = "StorageEncrypted"))]
    pub storage_encrypted: Option<bool>,
    /// The throughput of `gp3`, in MiB a second.
    #[serde(default, rename(serialize = "StorageThroughput"))]
    pub storage_throughput: Option<i64>,
    /// What storage it has.
    #[serde(default, rename(serialize = "StorageType"))]
    #[schemars(extend("x-choices" = ["standard", "gp2", "gp3", "io1"]))]
    pub storage_type: Option<String>,
    /// The key for Transparent Data Encryption.
    #[serde(default, rename(serialize = "TdeCredentialArn"))]
    #[schemars(extend("x-aliases" = ["transparent_data_encryption_arn"]))]
    pub tde_credential_arn: Option<String>,
    /// The password for it.
    #[serde(default, rename(serialize = "TdeCredentialPassword"))]
    #[schemars(extend("x-aliases" = ["transparent_data_encryption_password"], "x-no-log" = true))]
    pub tde_credential_password: Option<Secret>,
    /// The time zone of a new instance.
    #[serde(default, rename(serialize = "Timezone"))]
    pub timezone: Option<String>,
    /// Its security groups of EC2, by id.
    #[serde(default, rename(serialize = "VpcSecurityGroupIds"))]
    pub vpc_security_group_ids: Option<Vec<String>>,
}

/// Cores and threads.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessorFeatures {
    /// How many cores.
    #[serde(default)]
    core_count: Option<i64>,
    /// How many threads each has.
    #[serde(default)]
    threads_per_core: Option<i64>,
}

impl ProcessorFeatures {
    fn list(&self) -> Vec<Json> {
        let all = [("coreCount", self.core_count), ("threadsPerCore", self.threads_per_core)];
        let said = all.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        said.map(|(name, value)| json!({"Name": name, "Value": value.to_string()})).collect()
    }

    #[expect(clippy::ref_option, reason = "what serde asks for")]
    fn features<S: Serializer>(it: &Option<Self>, to: S) -> Result<S::Ok, S::Error> {
        it.as_ref().map(Self::list).serialize(to)
    }
}

/// What is secret of them.
pub const SECRETS: &[&str] = &["MasterUserPassword", "TdeCredentialPassword"];

/// What stands under the same name in what RDS says of an instance.
const SAME: &[&str] = &[
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DeletionProtection",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MaxAllocatedStorage",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "MultiAZ",
    "MultiTenant",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PromotionTier",
    "PubliclyAccessible",
    "StorageThroughput",
    "StorageType",
    "TdeCredentialArn",
];

/// What RDS takes only as a whole: where one of them changes, all that are said are sent.
const TOGETHER: &[&[&str]] = &[
    &["AllocatedStorage", "Iops", "StorageThroughput", "StorageType"],
    &["Domain", "DomainIAMRoleName"],
    &["MonitoringInterval", "MonitoringRoleArn"],
    &["TdeCredentialArn", "TdeCredentialPassword"],
    &[
        "EnablePerformanceInsights",
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
    ],
];

/// Which parts of lists go that are not wanted.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// Logs that go to CloudWatch.
    pub logs: bool,
    /// Security groups.
    pub groups: bool,
}

/// What has to be changed of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// What it has, by the names of `CreateDBInstance`.
    pub before: Map<String, Json>,
    /// What it will have.
    pub after: Map<String, Json>,
    /// What `ModifyDBInstance` is told.
    pub params: Map<String, Json>,
}

/// What an instance has of all that can be changed, and with `pending` what it will have.
#[must_use]
pub fn current(instance: &Value, pending: bool) -> Map<String, Json> {
    let json = instance.to_json();
    let mut out: Map<String, Json> =
        SAME.iter().map(|it| ((*it).to_owned(), json[it].clone())).collect();
    let names = |key: &str, name: &str| -> Json {
        list(instance, key).iter().map(|it| text(it, name)).collect()
    };
    let mut port = &json["Endpoint"]["Port"];
    if port.is_null() && json["DbInstancePort"] != 0 {
        port = &json["DbInstancePort"];
    }
    let more = json!({
        "DBParameterGroupName": json["DBParameterGroups"][0]["DBParameterGroupName"],
        "DBSecurityGroups": names("DBSecurityGroups", "DBSecurityGroupName"),
        "DBSubnetGroupName": json["DBSubnetGroup"]["DBSubnetGroupName"],
        "Domain": json["DomainMemberships"][0]["Domain"],
        "DomainIAMRoleName": json["DomainMemberships"][0]["IAMRoleName"],
        "EnableCloudwatchLogsExports": json["EnabledCloudwatchLogsExports"],
        "EnableIAMDatabaseAuthentication": json["IAMDatabaseAuthenticationEnabled"],
        "EnablePerformanceInsights": json["PerformanceInsightsEnabled"],
        "OptionGroupName": json["OptionGroupMemberships"][0]["OptionGroupName"],
        "Port": port,
        "ProcessorFeatures": json["ProcessorFeatures"],
        "VpcSecurityGroupIds": names("VpcSecurityGroups", "VpcSecurityGroupId"),
    });
    if let Json::Object(more) = more {
        out.extend(more);
    }
    // What a cluster stores, the cluster knows.
    if text(instance, "Engine").starts_with("aurora") {
        out.remove("AllocatedStorage");
    }
    if pending && let Json::Object(values) = &json["PendingModifiedValues"] {
        for (name, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "IAMDatabaseAuthenticationEnabled" => {
                    out.insert("EnableIAMDatabaseAuthentication".to_owned(), value.clone());
                }
                "PendingCloudwatchLogsExports" => {
                    let logs = set(&json["EnabledCloudwatchLogsExports"]);
                    let off = set(&value["LogTypesToDisable"]);
                    let on = set(&value["LogTypesToEnable"]);
                    let logs: BTreeSet<&str> = &(&logs | &on) - &off;
                    out.insert("EnableCloudwatchLogsExports".to_owned(), json!(logs));
                }
                name if out.contains_key(name) => {
                    out.insert(name.to_owned(), value.clone());
                }
                _ => {}
            }
        }
    }
    out
}

/// What has to be changed so that an instance with these settings has what is wanted.
#[must_use]
pub fn difference(
    current: &Map<String, Json>,
    wanted: &Map<String, Json>,
    purge: Purge,
) -> Difference {
    let mut out = Difference::default();
    for (name, is) in current {
        let Some(value) = wanted.get(name) else { continue };
        let value = whole(name, is, value, purge);
        if is_satisfied(name, current, &value) {
            continue;
        }
        out.before.insert(name.clone(), is.clone());
        out.after.insert(name.clone(), value);
    }
    for group in TOGETHER {
        if !group.iter().any(|it| out.after.contains_key(*it)) {
            continue;
        }
        for name in group.iter().filter(|it| wanted.contains_key(**it)) {
            let value = match current.get(*name) {
                // What has grown by itself cannot be taken back.
                Some(is) if *name == "AllocatedStorage" && !out.after.contains_key(*name) => is,
                _ => &wanted[*name],
            };
            out.params.insert((*name).to_owned(), value.clone());
        }
    }
    for (name, value) in &out.after {
        let (name, value) = match name.as_str() {
            "Port" => ("DBPortNumber", value.clone()),
            "ProcessorFeatures" if set_of(value).is_empty() => {
                ("UseDefaultProcessorFeatures", true.into())
            }
            "EnableCloudwatchLogsExports" => {
                let (is, value) = (set(&out.before[name]), set(value));
                let logs = json!({"EnableLogTypes": &value - &is, "DisableLogTypes": &is - &value});
                let said = logs.as_object().into_iter().flatten();
                let said = said.filter(|(_, it)| it.as_array().is_some_and(|it| !it.is_empty()));
                let said: Map<_, _> = said.map(|(key, it)| (key.clone(), it.clone())).collect();
                ("CloudwatchLogsExportConfiguration", Json::Object(said))
            }
            name => (name, value.clone()),
        };
        out.params.insert(name.to_owned(), value);
    }
    out
}

/// What a list will have: what is there stays unless it is purged.
fn whole(name: &str, is: &Json, wanted: &Json, purge: Purge) -> Json {
    let stays = match name {
        "DBSecurityGroups" | "VpcSecurityGroupIds" => !purge.groups,
        "EnableCloudwatchLogsExports" => !purge.logs,
        _ => return wanted.clone(),
    };
    let wanted = set(wanted);
    if stays { json!(&wanted | &set(is)) } else { json!(wanted) }
}

/// Whether an instance has what is wanted.
fn is_satisfied(name: &str, current: &Map<String, Json>, wanted: &Json) -> bool {
    let is = &current[name];
    let is_same_text = || match (is.as_str(), wanted.as_str()) {
        (Some(is), Some(wanted)) => is.eq_ignore_ascii_case(wanted),
        _ => is == wanted,
    };
    match name {
        "AllocatedStorage" => {
            let is_smaller =
                matches!((is.as_i64(), wanted.as_i64()), (Some(is), Some(wanted)) if wanted < is);
            is == wanted
                || is_smaller && current.get("MaxAllocatedStorage").is_some_and(|it| !it.is_null())
        }
        "MaxAllocatedStorage" if is.is_null() => current.get("AllocatedStorage") == Some(wanted),
        "EngineVersion" => {
            let rest = wanted.as_str().and_then(|it| is.as_str()?.strip_prefix(it));
            rest.is_some_and(|it| it.is_empty() || it.starts_with('.'))
        }
        "PerformanceInsightsKMSKeyId" => {
            let rest = wanted.as_str().and_then(|it| is.as_str()?.strip_suffix(it));
            rest.is_some_and(|it| it.is_empty() || it.ends_with('/'))
        }
        // Nobody is in no group.
        "DBSecurityGroups" | "VpcSecurityGroupIds" => {
            set(wanted).is_empty() || set(is) == set(wanted)
        }
        "EnableCloudwatchLogsExports" => set(is) == set(wanted),
        "ProcessorFeatures" => set_of(is) == set_of(wanted),
        _ if is.is_null() => [json!(false), json!(0), json!("")].contains(wanted),
        _ => is_same_text(),
    }
}

fn set(list: &Json) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn set_of(features: &Json) -> BTreeSet<(&str, &str)> {
    let features = features.as_array().into_iter().flatten();
    features.filter_map(|it| it["Name"].as_str().zip(it["Value"].as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Purge = Purge { logs: true, groups: true };

    fn instance() -> Value {
        json!({
            "AllocatedStorage": 40, "MaxAllocatedStorage": 100, "StorageType": "gp3", "Engine": "postgres",
            "EngineVersion": "16.4", "PreferredMaintenanceWindow": "sun:09:31-sun:10:01",
            "Endpoint": {"Port": 5432}, "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
            "EnabledCloudwatchLogsExports": ["upgrade"],
            "ProcessorFeatures": [{"Name": "coreCount", "Value": "2"}],
            "PendingModifiedValues": {
                "DBInstanceClass": "db.t4g.large",
                "PendingCloudwatchLogsExports": {"LogTypesToEnable": ["postgresql"]},
            },
        })
        .into()
    }

    fn due(wanted: Json, pending: bool, purge: Purge) -> Json {
        let wanted = wanted.as_object().unwrap().clone();
        Json::Object(difference(&current(&instance(), pending), &wanted, purge).params)
    }

    #[test]
    fn what_an_instance_has_is_not_changed() {
        let wanted = json!({
            "AllocatedStorage": 20, "EngineVersion": "16", "Port": 5432, "DeletionProtection": false,
            "PreferredMaintenanceWindow": "Sun:09:31-Sun:10:01", "VpcSecurityGroupIds": ["sg-1"],
            "ProcessorFeatures": [{"Name": "coreCount", "Value": "2"}], "Engine": "mysql",
        });
        assert_eq!(due(wanted, true, ALL), json!({}));
        assert_eq!(
            due(json!({"EngineVersion": "16.40"}), true, ALL),
            json!({"EngineVersion": "16.40"})
        );
    }

    #[test]
    fn what_is_pending_counts_unless_it_is_to_be_applied_now() {
        let wanted = json!({"DBInstanceClass": "db.t4g.large"});
        assert_eq!(due(wanted.clone(), true, ALL), json!({}));
        assert_eq!(due(wanted.clone(), false, ALL), wanted);
        let wanted = json!({"EnableCloudwatchLogsExports": ["postgresql"]});
        let off = json!({"CloudwatchLogsExportConfiguration": {"DisableLogTypes": ["upgrade"]}});
        assert_eq!(due(wanted.clone(), true, ALL), off);
        let kept = Purge { logs: false, groups: false };
        assert_eq!(due(wanted, true, kept), json!({}));
    }

    #[test]
    fn storage_is_told_as_a_whole_and_never_shrinks() {
        let wanted = json!({"AllocatedStorage": 20, "Iops": 4000, "StorageType": "gp3"});
        let expect = json!({"AllocatedStorage": 40, "Iops": 4000, "StorageType": "gp3"});
        assert_eq!(due(wanted, true, ALL), expect);
    }

    #[test]
    fn ports_and_processors_have_other_names_in_a_change() {
        let wanted = json!({"Port": 5433, "ProcessorFeatures": []});
        let expect = json!({"DBPortNumber": 5433, "UseDefaultProcessorFeatures": true});
        assert_eq!(due(wanted, true, ALL), expect);
    }

    #[test]
    fn groups_that_are_there_stay_where_they_are_not_purged() {
        let wanted = json!({"VpcSecurityGroupIds": ["sg-2"]});
        let kept = Purge { logs: true, groups: false };
        assert_eq!(
            due(wanted.clone(), true, kept),
            json!({"VpcSecurityGroupIds": ["sg-1", "sg-2"]})
        );
        assert_eq!(due(wanted.clone(), true, ALL), wanted);
    }

    #[test]
    fn passwords_are_not_in_debug() {
        let secret: Secret = serde_json::from_value(json!("hunter2hunter2")).unwrap();
        assert_eq!(format!("{secret:?}"), "***");
    }
}
