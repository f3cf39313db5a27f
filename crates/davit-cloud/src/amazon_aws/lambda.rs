//! `amazon.aws.lambda`: a function of Lambda.
//!
//! Whether its code is what it should be is told by a checksum: of the archive, or of what lies in S3 as a dry
//! run of the update says it. Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/lambda_module.html>

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use davit_aws::checksum::Algorithm;
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{TagArgs, Tags, tags_of_any};

/// Make, change and delete functions of Lambda.
///
/// What has no default here stays as it is where a task does not name it. New code is published as a version. The
/// result has `configuration`, `code` and `tags`: of the version that was published, with its ARN, of `$LATEST` where
/// other settings changed, else those under the ARN without a version. Names in the environment are in small letters
/// there: `fooBar` is `foo_bar`.
///
/// ```yaml
/// - amazon.aws.lambda:
///     name: cleaner
///     runtime: python3.12
///     handler: cleaner.run
///     role: cleaner
///     zip_file: "{{ playbook_dir }}/cleaner.zip"
///     environment_variables: {DEPTH: 2}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The function's name.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What runs it: `python3.12`, `nodejs22.x` ...
    #[serde(default)]
    runtime: Option<String>,
    /// The role that it acts in: its ARN, or its name in this account.
    #[serde(default)]
    role: Option<String>,
    /// What of its code is called.
    #[serde(default)]
    handler: Option<String>,
    /// An archive with its code, on the controller.
    #[serde(default)]
    #[schemars(extend("x-type" = "path", "x-aliases" = ["src"]))]
    zip_file: Option<PathBuf>,
    /// The bucket in which such an archive lies.
    #[serde(default)]
    s3_bucket: Option<String>,
    /// Where it lies in the bucket.
    #[serde(default)]
    s3_key: Option<String>,
    /// Which version of it.
    #[serde(default)]
    s3_object_version: Option<String>,
    /// An image in ECR, in place of an archive.
    #[serde(default)]
    image_uri: Option<String>,
    /// The processor that its code is for.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["architectures"]))]
    architecture: Option<Architecture>,
    /// What it is about, for people.
    #[serde(default)]
    description: String,
    /// For how many seconds it may run.
    #[serde(default = "timeout")]
    timeout: i64,
    /// How much memory it has, in MB.
    #[serde(default = "memory")]
    memory_size: i64,
    /// Its environment.
    #[serde(default, deserialize_with = "tags_of_any")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    environment_variables: Option<Tags>,
    /// The ARN of the key that encrypts its environment.
    #[serde(default)]
    kms_key_arn: Option<String>,
    /// The queue or topic that hears of events which it could not handle.
    #[serde(default)]
    dead_letter_arn: Option<String>,
    /// Whether X-Ray traces all calls, or those that are traced already.
    #[serde(default)]
    tracing_mode: Option<Tracing>,
    /// The subnets that it runs in; none with `[]`.
    #[serde(default)]
    vpc_subnet_ids: Option<Vec<String>>,
    /// The security groups that it is in there.
    #[serde(default)]
    vpc_security_group_ids: Option<Vec<String>>,
    /// The layers beneath its code.
    #[serde(default)]
    layers: Option<Vec<Layer>>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// A processor.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Architecture {
    /// Intel's and AMD's.
    #[serde(rename = "x86_64")]
    X86,
    /// ARM's.
    Arm64,
}

/// What is traced.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
enum Tracing {
    /// All calls.
    Active,
    /// Those that are traced already.
    PassThrough,
}

/// A layer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Layer {
    /// Its name or ARN; `version` says which one.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["layer_arn"]))]
    layer_name: Option<String>,
    /// The ARN of one version of it.
    #[serde(default)]
    layer_version_arn: Option<String>,
    /// Its version.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["layer_version"]))]
    version: Option<i64>,
}

const fn timeout() -> i64 {
    3
}

const fn memory() -> i64 {
    128
}

/// With this, Lambda says that there is no such function.
const MISSING: &[&str] = &["ResourceNotFoundException"];
/// Names in these are the user's.
const KEPT: &[&str] = &["Tags"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("lambda").shaped(None);
/// How long it may take until a function that was made or changed can be used.
const READY: Duration = Duration::from_secs(300);
/// How often a function is made anew whose role is too new to be used, and how soon.
const TRIES: (u32, Duration) = (15, Duration::from_secs(2));

/// `amazon.aws.lambda`.
pub(crate) struct Lambda;

impl Module for Lambda {
    const NAME: &'static str = "amazon.aws.lambda";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.lambda"];
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[
            &["zip_file", "s3_bucket", "image_uri"],
            &["zip_file", "s3_key", "image_uri"],
            &["zip_file", "s3_object_version", "image_uri"],
        ],
        required_together: &[
            &["s3_key", "s3_bucket"],
            &["vpc_subnet_ids", "vpc_security_group_ids"],
        ],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let task = Task { control, aws: &aws, args: &args };
        let found = task.find(None).await?;
        let outcome = match (args.state, found) {
            (State::Present, found) => task.present(found).await?,
            (State::Absent, None) => Outcome::new(),
            (State::Absent, Some(function)) => {
                let of = json!({"FunctionName": args.name});
                let edit = Edit::new("delete the function", arn(&function));
                let edit = edit.from(&function["Configuration"]);
                let act = async || aws.find("lambda", "DeleteFunction", of, MISSING).await;
                control.change(edit, act).await?;
                Outcome::new()
            }
        };
        Ok(aws.tell(outcome))
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Task<'_> {
    async fn present(&self, found: Option<Json>) -> Result<Outcome, ModuleError> {
        let code = self.code().await?;
        let wanted = self.wanted().await?;
        let version = match &found {
            None => self.create(code, &wanted).await?,
            Some(function) => {
                if is_busy(&function["Configuration"]) {
                    self.ready().await?;
                }
                let latest = self.keep_settings(function, &wanted).await?;
                let published = self.keep_code(function, code).await?;
                self.keep_tags(function).await?;
                published.or(latest)
            }
        };
        let told = if self.control.is_changed() && !self.control.is_check() {
            self.find(version.as_deref()).await?
        } else {
            found
        };
        Ok(Outcome::new().with_all(snake_all(told.unwrap_or_default(), KEPT)))
    }

    /// The function, or a version of it.
    async fn find(&self, version: Option<&str>) -> Result<Option<Json>, ModuleError> {
        let of = json!({"FunctionName": self.args.name, "Qualifier": version});
        let found = self.aws.find("lambda", "GetFunction", of, MISSING).await?;
        Ok(found.map(|it| Value::Map(it).to_json()))
    }

    /// Waits until the function can be used and changed.
    async fn ready(&self) -> Result<(), ModuleError> {
        let of = || json!({"FunctionName": self.args.name});
        self.control.tell(&format!("waiting for the function {}", self.args.name));
        self.aws.wait("lambda", "function_active_v2", of(), READY).await?;
        self.aws.wait("lambda", "function_updated_v2", of(), READY).await
    }

    /// Makes the function, and says which version that published.
    async fn create(
        &self,
        code: Option<Map>,
        wanted: &[Setting],
    ) -> Result<Option<String>, ModuleError> {
        let args = self.args;
        let is_image = args.image_uri.is_some();
        let missing = [
            (code.is_none(), "zip_file, s3_bucket or image_uri"),
            (args.role.is_none(), "role"),
            (args.runtime.is_none() && !is_image, "runtime"),
            (args.handler.is_none() && !is_image, "handler"),
        ];
        let missing: Vec<_> = missing.iter().filter(|(it, _)| *it).map(|(_, it)| *it).collect();
        if !missing.is_empty() {
            return Err(ModuleError::failed(format!(
                "there is no function {}: making it takes {}",
                args.name,
                missing.join(", ")
            )));
        }
        let mut request = json!({
            "FunctionName": args.name,
            "Publish": true,
            "PackageType": if is_image { "Image" } else { "Zip" },
            "Architectures": args.architecture.map(|it| [it]),
            "Tags": args.tags.tags,
        });
        for (name, value) in wanted {
            request[*name] = value.clone();
        }
        let edit = Edit::new("create the function", &args.name).to(&request);
        let mut request = into_map(request);
        request.insert("Code".to_owned(), Value::Map(code.unwrap_or_default()));
        let act = async || {
            let (tries, pause) = TRIES;
            for _ in 0..tries {
                let made =
                    self.aws.attempt("lambda", "CreateFunction", Value::Map(request.clone()));
                match made.await {
                    // What IAM says of a new role takes a while to get around.
                    Err(error) if error.chain().contains("cannot be assumed by Lambda") => {
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(failure(Some(("lambda", "CreateFunction")), &error)),
                    Ok(made) => return Ok(made),
                }
            }
            self.aws.call("lambda", "CreateFunction", Value::Map(request.clone())).await
        };
        let place = |made: &Map| made.get("FunctionArn")?.as_str().map(str::to_owned);
        let made = self.control.create(edit, act, place).await?;
        self.done(made).await
    }

    /// Waits for what was done, if anything was, and says which version came of it.
    async fn done(&self, told: Option<Map>) -> Result<Option<String>, ModuleError> {
        let Some(told) = told else { return Ok(None) };
        self.ready().await?;
        Ok(told.get("Version").and_then(Value::as_str).map(str::to_owned))
    }

    async fn keep_settings(
        &self,
        function: &Json,
        wanted: &[Setting],
    ) -> Result<Option<String>, ModuleError> {
        let current = &function["Configuration"];
        let differs = |(name, value): &&Setting| !is_same(name, value, &current[*name]);
        let change: Vec<&Setting> = wanted.iter().filter(differs).collect();
        if change.is_empty() {
            return Ok(None);
        }
        let before: Json =
            change.iter().map(|(name, _)| ((*name).to_owned(), current[*name].clone())).collect();
        let after: Json =
            change.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect();
        let mut request = after.clone();
        request["FunctionName"] = self.args.name.as_str().into();
        let edit = Edit::new("change the function", arn(function)).from(before).to(after);
        let act = async || self.aws.call("lambda", "UpdateFunctionConfiguration", request).await;
        let told = self.control.change(edit, act).await?;
        self.done(told).await
    }

    async fn keep_code(
        &self,
        function: &Json,
        code: Option<Map>,
    ) -> Result<Option<String>, ModuleError> {
        let args = self.args;
        let current = &function["Configuration"];
        let architecture = args.architecture.map(|it| json!([it]));
        let other = architecture.as_ref().is_some_and(|it| current["Architectures"] != *it);
        let Some(code) = code else {
            if other {
                return Err(ModuleError::failed(
                    "another architecture takes zip_file, s3_bucket or image_uri",
                ));
            }
            return Ok(None);
        };
        let sha256 = &current["CodeSha256"];
        let mut request = code;
        request.insert("FunctionName".to_owned(), args.name.as_str().into());
        if let Some(architecture) = architecture {
            request.insert("Architectures".to_owned(), architecture.into());
        }
        let (before, after) = if let Some(Value::Blob(bytes)) = request.get("ZipFile") {
            (sha256.clone(), json!(Algorithm::Sha256.of_bytes(bytes)))
        } else if let Some(image) = &args.image_uri {
            (function["Code"]["ImageUri"].clone(), json!(image))
        } else {
            let mut request = request.clone();
            request.insert("DryRun".to_owned(), Value::Bool(true));
            let told = self.aws.call("lambda", "UpdateFunctionCode", Value::Map(request)).await?;
            (sha256.clone(), told.get("CodeSha256").map(Value::to_json).unwrap_or_default())
        };
        if before == after && !other {
            return Ok(None);
        }
        request.insert("Publish".to_owned(), Value::Bool(true));
        let edit = Edit::new("change the function's code", arn(function)).from(before).to(after);
        let act = async || self.aws.call("lambda", "UpdateFunctionCode", Value::Map(request)).await;
        let told = self.control.change(edit, act).await?;
        self.done(told).await
    }

    async fn keep_tags(&self, function: &Json) -> Result<(), ModuleError> {
        let current: Tags = serde_json::from_value(function["Tags"].clone()).unwrap_or_default();
        let (control, aws, path) = (self.control, self.aws, arn(function));
        let of = json!({"Resource": path});
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        tagged.bring(&current, &self.args.tags.change(&current)).await.map(drop)
    }

    /// Where the code is, as operations take it.
    async fn code(&self) -> Result<Option<Map>, ModuleError> {
        let args = self.args;
        if let Some(path) = &args.zip_file {
            let bytes = tokio::fs::read(path).await;
            let bytes = bytes.map_err(|source| ModuleError::io("read", path, source))?;
            return Ok(Some(Map::from_iter([("ZipFile".to_owned(), Value::Blob(bytes.into()))])));
        }
        if args.s3_bucket.is_none() && args.image_uri.is_none() {
            return Ok(None);
        }
        Ok(Some(into_map(json!({
            "S3Bucket": args.s3_bucket,
            "S3Key": args.s3_key,
            "S3ObjectVersion": args.s3_object_version,
            "ImageUri": args.image_uri,
        }))))
    }

    /// The settings that the task names, as operations take them.
    async fn wanted(&self) -> Result<Vec<Setting>, ModuleError> {
        let args = self.args;
        let vpc = args.vpc_subnet_ids.as_ref().map(|subnets| {
            json!({"SubnetIds": subnets, "SecurityGroupIds": args.vpc_security_group_ids})
        });
        let all = [
            ("Runtime", json!(args.runtime)),
            ("Role", json!(self.role().await?)),
            ("Handler", json!(args.handler)),
            ("Description", json!(args.description)),
            ("Timeout", json!(args.timeout)),
            ("MemorySize", json!(args.memory_size)),
            (
                "Environment",
                json!(args.environment_variables.as_ref().map(|it| json!({"Variables": it}))),
            ),
            ("KMSKeyArn", json!(args.kms_key_arn)),
            (
                "DeadLetterConfig",
                json!(args.dead_letter_arn.as_ref().map(|it| json!({"TargetArn": it}))),
            ),
            ("TracingConfig", json!(args.tracing_mode.map(|it| json!({"Mode": it})))),
            ("VpcConfig", json!(vpc)),
            ("Layers", json!(self.layers().await?)),
        ];
        Ok(all.into_iter().filter(|(_, it)| !it.is_null()).collect())
    }

    /// The role's ARN.
    async fn role(&self) -> Result<Option<String>, ModuleError> {
        let Some(role) = &self.args.role else { return Ok(None) };
        if role.starts_with("arn:") {
            return Ok(Some(role.clone()));
        }
        let caller = self.aws.call("sts", "GetCallerIdentity", Map::new()).await?;
        let text = |name| caller.get(name).and_then(Value::as_str).unwrap_or_default();
        let partition = text("Arn").split(':').nth(1).unwrap_or("aws");
        Ok(Some(format!("arn:{partition}:iam::{}:role/{role}", text("Account"))))
    }

    /// The ARNs of the layers' versions.
    async fn layers(&self) -> Result<Option<Vec<String>>, ModuleError> {
        let Some(layers) = &self.args.layers else { return Ok(None) };
        let mut arns = Vec::new();
        for layer in layers {
            let arn = match (&layer.layer_version_arn, &layer.layer_name, layer.version) {
                (Some(arn), None, _) => arn.clone(),
                (None, Some(name), Some(version)) => {
                    let of = json!({"LayerName": name, "VersionNumber": version});
                    let found = self.aws.call("lambda", "GetLayerVersion", of).await?;
                    let arn = found.get("LayerVersionArn").and_then(Value::as_str);
                    arn.unwrap_or_default().to_owned()
                }
                _ => {
                    return Err(ModuleError::failed(
                        "a layer has either layer_version_arn, or layer_name and version",
                    ));
                }
            };
            arns.push(arn);
        }
        Ok(Some(arns))
    }
}

/// A setting by the name that AWS has for it.
type Setting = (&'static str, Json);

/// Whether a function has a setting already.
fn is_same(name: &str, wanted: &Json, current: &Json) -> bool {
    let set = |value: &Json| -> BTreeSet<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    match name {
        "VpcConfig" => ["SubnetIds", "SecurityGroupIds"]
            .iter()
            .all(|part| set(&wanted[*part]) == set(&current[*part])),
        "Layers" => {
            let arns = current.as_array().into_iter().flatten().map(|it| &it["Arn"]);
            wanted.as_array().into_iter().flatten().eq(arns)
        }
        "Environment" => {
            let none = json!({});
            let of = |it: &Json| it.get("Variables").unwrap_or(&none).clone();
            of(wanted) == of(current)
        }
        "DeadLetterConfig" => {
            wanted["TargetArn"].as_str() == Some(current["TargetArn"].as_str().unwrap_or_default())
        }
        "TracingConfig" => wanted["Mode"] == current["Mode"].as_str().unwrap_or("PassThrough"),
        "KMSKeyArn" | "Description" => {
            wanted.as_str() == Some(current.as_str().unwrap_or_default())
        }
        _ => wanted == current,
    }
}

/// Whether something is being done to a function.
fn is_busy(configuration: &Json) -> bool {
    configuration["State"] == "Pending" || configuration["LastUpdateStatus"] == "InProgress"
}

fn arn(function: &Json) -> &str {
    function["Configuration"]["FunctionArn"].as_str().unwrap_or_default()
}

fn into_map(json: Json) -> Map {
    match Value::from(json) {
        Value::Map(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_the_same_in_any_shape() {
        for (name, wanted, current, expect) in [
            ("Timeout", json!(3), json!(3), true),
            ("Timeout", json!(3), json!(4), false),
            ("Description", json!(""), json!(null), true),
            ("KMSKeyArn", json!("a"), json!(null), false),
            ("TracingConfig", json!({"Mode": "PassThrough"}), json!(null), true),
            ("DeadLetterConfig", json!({"TargetArn": ""}), json!(null), true),
            ("DeadLetterConfig", json!({"TargetArn": "q"}), json!({"TargetArn": "r"}), false),
            ("Environment", json!({"Variables": {}}), json!(null), true),
            ("Environment", json!({"Variables": {"A": "1"}}), json!({"Variables": {}}), false),
            ("Layers", json!(["a", "b"]), json!([{"Arn": "a"}, {"Arn": "b"}]), true),
            ("Layers", json!(["b", "a"]), json!([{"Arn": "a"}, {"Arn": "b"}]), false),
            ("Layers", json!([]), json!(null), true),
            (
                "VpcConfig",
                json!({"SubnetIds": ["a", "b"], "SecurityGroupIds": ["g"]}),
                json!({"SubnetIds": ["b", "a"], "SecurityGroupIds": ["g"], "VpcId": "v"}),
                true,
            ),
            ("VpcConfig", json!({"SubnetIds": [], "SecurityGroupIds": []}), json!(null), true),
        ] {
            assert_eq!(is_same(name, &wanted, &current), expect, "{name} {wanted} {current}");
        }
    }
}
