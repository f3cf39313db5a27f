//! What a new database instance of RDS is made from: the arguments for it, and the operation that does it.

use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// What a new instance is made from, or nothing: flatten it into a module's arguments.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct DatabaseSource {
    /// What a new instance is made from.
    #[serde(default)]
    pub creation_source: Option<Source>,
    /// The snapshot that a new instance is made from, by name or ARN.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["snapshot_identifier", "snapshot_id"]))]
    pub db_snapshot_identifier: Option<String>,
    /// Make a read replica, or with `false` an instance of its own from one.
    #[serde(default)]
    pub read_replica: Option<bool>,
    /// The time whose state is restored, in UTC: `2009-09-07T23:45:00Z`.
    #[serde(default)]
    pub restore_time: Option<String>,
    /// The bucket with the backups that a new instance is made from.
    #[serde(default)]
    pub s3_bucket_name: Option<String>,
    /// The role that may read it.
    #[serde(default)]
    pub s3_ingestion_role_arn: Option<String>,
    /// What the names of their files begin with.
    #[serde(default)]
    pub s3_prefix: Option<String>,
    /// The instance that is restored or replicated. One of another region by its ARN.
    #[serde(default)]
    pub source_db_instance_identifier: Option<String>,
    /// The engine that the backups are of.
    #[serde(default)]
    #[schemars(extend("x-choices" = ["mysql"]))]
    pub source_engine: Option<String>,
    /// Its version.
    #[serde(default)]
    pub source_engine_version: Option<String>,
    /// The region of the instance that is replicated. Without it, that of its ARN.
    #[serde(default)]
    pub source_region: Option<String>,
    /// Restore the latest state that can be restored.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["restore_from_latest"]))]
    pub use_latest_restorable_time: Option<bool>,
}

/// What a new instance is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A snapshot.
    Snapshot,
    /// Backups in S3.
    S3,
    /// An instance, as it was at some time.
    Instance,
}

impl DatabaseSource {
    /// The operation that makes a new instance, and what it is told of where it comes from.
    ///
    /// # Errors
    /// When it does not say enough.
    pub fn operation(&self, id: &str) -> Result<(&'static str, Json), ModuleError> {
        let needs = |what: &str| Err(ModuleError::failed(what.to_owned()));
        if self.read_replica == Some(true) {
            if self.creation_source.is_some_and(|it| it != Source::Instance) {
                return needs("a read replica is made from an instance");
            }
            let Some(source) = &self.source_db_instance_identifier else {
                return needs("making a read replica takes source_db_instance_identifier");
            };
            return Ok((
                "CreateDBInstanceReadReplica",
                json!({"SourceDBInstanceIdentifier": source}),
            ));
        }
        Ok(match self.creation_source {
            None => ("CreateDBInstance", json!({})),
            Some(Source::Snapshot) => (
                "RestoreDBInstanceFromDBSnapshot",
                json!({"DBSnapshotIdentifier": self.db_snapshot_identifier}),
            ),
            Some(Source::S3) => (
                "RestoreDBInstanceFromS3",
                json!({
                    "S3BucketName": self.s3_bucket_name,
                    "S3IngestionRoleArn": self.s3_ingestion_role_arn,
                    "S3Prefix": self.s3_prefix,
                    "SourceEngine": self.source_engine,
                    "SourceEngineVersion": self.source_engine_version,
                }),
            ),
            Some(Source::Instance) => {
                let is_timed =
                    self.restore_time.is_some() || self.use_latest_restorable_time == Some(true);
                if self.source_db_instance_identifier.is_none() || !is_timed {
                    return needs(
                        "restoring an instance takes source_db_instance_identifier, and restore_time or \
                         use_latest_restorable_time",
                    );
                }
                let params = json!({
                    "SourceDBInstanceIdentifier": self.source_db_instance_identifier,
                    "TargetDBInstanceIdentifier": id,
                    "RestoreTime": self.restore_time,
                    "UseLatestRestorableTime": self.use_latest_restorable_time,
                });
                ("RestoreDBInstanceToPointInTime", params)
            }
        })
    }

    /// The other region that a replica is made from.
    #[must_use]
    pub fn region(&self, own: Option<&str>) -> Option<&str> {
        let arn = self.source_db_instance_identifier.as_deref();
        let of_arn = arn.filter(|it| it.starts_with("arn:")).and_then(|it| it.split(':').nth(3));
        let region = self.source_region.as_deref().or(of_arn)?;
        Some(region).filter(|it| Some(*it) != own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_of_an_instance_elsewhere_knows_its_region() {
        let region = |id: &str, said: Option<&str>| {
            let source = DatabaseSource {
                source_db_instance_identifier: Some(id.to_owned()),
                source_region: said.map(str::to_owned),
                ..DatabaseSource::default()
            };
            source.region(Some("eu-west-1")).map(str::to_owned)
        };
        assert_eq!(region("shop", None), None);
        assert_eq!(region("arn:aws:rds:eu-west-1:1:db:shop", None), None);
        let far = Some("us-east-1".to_owned());
        assert_eq!(region("arn:aws:rds:us-east-1:1:db:shop", None), far);
        assert_eq!(region("shop", Some("us-east-1")), far);
    }

    #[test]
    fn each_source_has_its_operation() {
        let of = |source: Json| {
            let source: DatabaseSource = serde_json::from_value(source).unwrap();
            source.operation("shop").map_err(|error| error.message())
        };
        assert_eq!(of(json!({})), Ok(("CreateDBInstance", json!({}))));
        let (operation, params) = of(json!({
            "creation_source": "s3", "s3_bucket_name": "b", "s3_ingestion_role_arn": "r", "source_engine": "mysql",
            "source_engine_version": "8.0.36",
        }))
        .unwrap();
        let expect = json!({
            "S3BucketName": "b", "S3IngestionRoleArn": "r", "S3Prefix": null, "SourceEngine": "mysql",
            "SourceEngineVersion": "8.0.36",
        });
        assert_eq!((operation, params), ("RestoreDBInstanceFromS3", expect));
        let (operation, params) = of(json!({
            "creation_source": "instance", "source_db_instance_identifier": "a", "use_latest_restorable_time": true,
        }))
        .unwrap();
        assert_eq!(operation, "RestoreDBInstanceToPointInTime");
        assert_eq!(params["TargetDBInstanceIdentifier"], "shop");
        let (operation, _) =
            of(json!({"read_replica": true, "source_db_instance_identifier": "a"})).unwrap();
        assert_eq!(operation, "CreateDBInstanceReadReplica");
        let of_snapshot = json!({"read_replica": true, "creation_source": "snapshot"});
        assert_eq!(of(of_snapshot).unwrap_err(), "a read replica is made from an instance");
    }
}
