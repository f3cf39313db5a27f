//! `davit.aws.call`: any operation of any service of AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use davit_aws::Client;
use davit_aws::client::{Call, Options};
use davit_aws::credentials::Credentials;
use davit_aws::model::{Operation, Service, Store};
use davit_aws::paginate::Paginator;
use davit_aws::query::Query;
use davit_aws::session::model_folders;
use davit_aws::validate::Wrong;
use davit_aws::value::{Map, Value};
use davit_module::control::{Control, Edit, Look, Module, Odd};
use davit_module::{ModuleError, Outcome, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::aws::args::yes;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::sensitive;

/// Call any operation of any service of AWS.
///
/// Services and operations have the names that boto3 and the AWS CLI have for them, and parameters are those of
/// the service's documentation. They are held against the service's model before anything is sent.
///
/// An operation that only reads is called in check mode too and changes nothing; any other is taken for a
/// change, and not called in check mode. `changed_when` says otherwise.
///
/// What the service's model calls sensitive is not shown in anything that a run tells; a registered result
/// holds it.
///
/// ```yaml
/// - name: Which volumes are attached to nothing?
///   davit.aws.call:
///     service: ec2
///     operation: describe_volumes
///     parameters:
///       Filters: [{Name: status, Values: [available]}]
///     query: Volumes[].VolumeId
///   register: loose
/// - name: Make a cluster, and wait until it is there
///   davit.aws.call:
///     service: eks
///     operation: CreateCluster
///     parameters: "{{ cluster }}"
///     wait: {for: cluster_active, parameters: {name: "{{ cluster.name }}"}, timeout: 1800}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The service: `ec2`, `s3`, `secretsmanager` ...
    service: String,
    /// The operation: `DescribeInstances`, `describe_instances` or `describe-instances`.
    operation: String,
    /// What the operation is given. Texts stand for bytes and times where the operation takes those.
    #[serde(default)]
    parameters: Option<serde_json::Map<String, serde_json::Value>>,
    /// An expression of JMESPath: what it finds in the answer is `result`.
    #[serde(default)]
    query: Option<String>,
    /// Ask for all pages, where the answer comes in pages.
    #[serde(default = "yes")]
    paginate: bool,
    /// What to wait for afterwards.
    #[serde(default)]
    wait: Option<Wait>,
    #[serde(flatten)]
    login: Login,
}

/// What to wait for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Wait {
    /// A waiter of the service: `instance_running`.
    #[serde(rename = "for")]
    waiter: String,
    /// What it is given; the operation's parameters without it.
    #[serde(default)]
    parameters: Option<serde_json::Map<String, serde_json::Value>>,
    /// For how many seconds to wait at most.
    #[serde(default = "ten_minutes")]
    timeout: u64,
}

const fn ten_minutes() -> u64 {
    600
}

/// `davit.aws.call`.
pub(crate) struct AwsCall;

impl Module for AwsCall {
    const NAME: &'static str = "davit.aws.call";
    const LOOK: Option<Look> = Some(look);
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let query = args.query.as_deref().map(Query::read).transpose();
        let query = query.map_err(|error| ModuleError::failed(format!("query: {error}")))?;
        let aws = Aws::new(control, &args.login)?;
        let not_there = |error: &davit_aws::Error| failure(None, error);
        let service = aws.client().service(&args.service).map_err(|it| not_there(&it))?;
        let operation = Client::operation(service, &args.operation).map_err(|it| not_there(&it))?;
        let params = given(args.parameters.as_ref());
        let checked = aws.client().check(Call::new(service.name, operation.name, params.clone()));
        checked.map_err(|it| not_there(&it))?;
        let cover = |text: &str| control.secret(text);
        sensitive::texts(service, operation.input, &params, &cover);
        let answer = if only_reads(operation) {
            Some(ask(&aws, service, operation, &params, args.paginate).await?)
        } else {
            let path = format!("{}:{}", service.name, operation.name);
            let edit = Edit::new(format!("call {}", operation.name), path);
            let act = async || ask(&aws, service, operation, &params, args.paginate).await;
            control.change(edit, act).await?
        };
        let Some(answer) = answer else { return Ok(aws.tell(Outcome::new())) };
        sensitive::texts(service, operation.output, &answer, &cover);
        if let Some(wait) = &args.wait {
            let of = wait.parameters.as_ref().map_or_else(|| params.clone(), |it| given(Some(it)));
            control.tell(&format!("waiting for {}", wait.waiter));
            aws.wait(service.name, &wait.waiter, of, Duration::from_secs(wait.timeout)).await?;
        }
        let answer = Value::Map(answer);
        let result = match &query {
            Some(query) => query
                .search(&answer)
                .map_err(|error| ModuleError::failed(format!("query: {error}")))?,
            None => answer,
        };
        Ok(aws.tell(Outcome::new().with("result", result.to_json())))
    }
}

fn given(params: Option<&serde_json::Map<String, serde_json::Value>>) -> Map {
    let params = params.cloned().unwrap_or_default();
    params.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// A client that calls nobody and knows the built-in models and those in `folders`. Models are kept for as long as
/// the program runs: there is one for the same folders.
fn reader(folders: Vec<PathBuf>) -> Client {
    static KNOWN: Mutex<Vec<(Vec<PathBuf>, Client)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, client)) = known.iter().find(|(of, _)| *of == folders) {
        return client.clone();
    }
    let nobody = Credentials {
        access_key_id: String::new(),
        secret_access_key: String::new(),
        session_token: None,
        expires: None,
        account_id: None,
        source: String::new(),
    };
    let mut options = Options::new(Arc::new(nobody));
    options.endpoint.region = Some("us-east-1".to_owned());
    options.store = Arc::new(Store::new(folders.clone()));
    let client = Client::new(options);
    known.push((folders, client.clone()));
    client
}

/// What the models know nothing of, the user's own included. What is missing is not said: it may come at run time.
fn look(args: &Reply, environment: &BTreeMap<String, String>) -> Vec<Odd> {
    let home = environment.get("HOME").map(PathBuf::from);
    let environment = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let client = reader(model_folders(&environment.collect(), home.as_ref()));
    let text = |name: &str| args.get(name).and_then(serde_json::Value::as_str);
    let mut odd = Vec::new();
    if let Some(Err(error)) = text("query").map(Query::read) {
        odd.push(Odd::new("query", error));
    }
    let Some(name) = text("service") else { return odd };
    let service = match client.service(name) {
        Ok(service) => service,
        Err(error) => {
            odd.push(Odd::new("service", error));
            return odd;
        }
    };
    let Some(name) = text("operation") else { return odd };
    let operation = match Client::operation(service, name) {
        Ok(operation) => operation,
        Err(error) => {
            odd.push(Odd::new("operation", error));
            return odd;
        }
    };
    let params = given(args.get("parameters").and_then(serde_json::Value::as_object));
    if let Err(davit_aws::Error::Invalid(invalid)) =
        client.check(Call::new(service.name, operation.name, params))
    {
        // What is only known at run time is null here.
        let unknown = Value::Null.kind();
        let said = invalid.problems.iter().filter(|it| match it.wrong {
            Wrong::Unknown { .. } => true,
            Wrong::Type { given, .. } => given != unknown,
            _ => false,
        });
        odd.extend(said.map(|it| Odd::new(format!("parameters.{}", it.path), it)));
    }
    odd
}

/// Whether an operation changes nothing: the model says so of some, and the names of the others do.
fn only_reads(operation: &Operation) -> bool {
    const READING: &[&str] = &[
        "BatchGet", "Describe", "Estimate", "Get", "Head", "List", "Lookup", "Preview", "Query",
        "Scan", "Search", "Select", "Simulate", "Validate", "View",
    ];
    // These begin like that and hand something out that is new or gone afterwards.
    const NOT: &[&str] = &["GetSessionToken", "GetFederationToken", "GetRoleCredentials"];
    operation.read_only
        || READING.iter().any(|it| names::begins(operation.name, it))
            && !NOT.contains(&operation.name)
}

async fn ask(
    aws: &Aws,
    service: &'static Service,
    operation: &'static Operation,
    params: &Map,
    paginate: bool,
) -> Result<Map, ModuleError> {
    let has_pages = Paginator::of(service, operation).is_ok_and(|it| it.is_some());
    if paginate && has_pages {
        return aws.all(service.name, operation.name, params.clone()).await;
    }
    let call = Call::new(service.name, operation.name, params.clone());
    let output = aws.output(call).await;
    let output = output.map_err(|it| failure(Some((service.name, operation.name)), &it))?;
    Ok(output.values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_seen_before_anything_runs() {
        let seen = |args: serde_json::Value| -> Vec<(String, String)> {
            let odd = look(args.as_object().unwrap(), &BTreeMap::new());
            odd.into_iter().map(|it| (it.argument, it.message)).collect()
        };
        for (args, argument, part) in [
            (json!({"service": "ec3", "operation": "describe_vpcs"}), "service", "ec2"),
            (json!({"service": "ec2", "operation": "DescribeVpc"}), "operation", "DescribeVpcs"),
            (json!({"service": "ec2", "operation": "DescribeVpcs", "query": "Vpcs["}), "query", ""),
            (
                json!({"service": "ec2", "operation": "describe_vpcs", "parameters": {"Filter": []}}),
                "parameters.Filter",
                "Filters",
            ),
            (
                json!({"service": "ec2", "operation": "DescribeVpcs", "parameters": {"VpcIds": "vpc-1"}}),
                "parameters.VpcIds",
                "list",
            ),
        ] {
            let found = seen(args);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].0 == argument && found[0].1.contains(part), "{found:?}");
        }
        for args in [
            json!({"service": null, "operation": "DescribeVpc"}),
            json!({"service": "ec2", "operation": null, "parameters": {"a": 1}}),
            json!({"service": "ec2", "operation": "DescribeVpcs", "parameters": null}),
            json!({"service": "ec2", "operation": "DescribeVpcs", "parameters": {"VpcIds": null}}),
            json!({"service": "ec2", "operation": "DescribeVpcs", "parameters": {"VpcIds": [null]}}),
            json!({"service": "s3", "operation": "PutObject", "parameters": {"Bucket": null}}),
        ] {
            assert_eq!(seen(args.clone()), [], "{args}");
        }
    }

    #[test]
    fn models_of_the_users_own_are_known() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".aws/models/lamps/2020-01-01");
        std::fs::create_dir_all(&folder).unwrap();
        let model = json!({
            "version": "2.0",
            "metadata": {"apiVersion": "2020-01-01", "endpointPrefix": "lamps", "protocol": "rest-json",
                "serviceFullName": "Lamps", "serviceId": "Lamps", "signatureVersion": "v4", "uid": "lamps"},
            "operations": {"LightLamp": {"name": "LightLamp", "http": {"method": "POST", "requestUri": "/"},
                "input": {"shape": "In"}}},
            "shapes": {"In": {"type": "structure", "members": {"Name": {"shape": "Text"}}},
                "Text": {"type": "string"}},
        });
        std::fs::write(folder.join("service-2.json"), model.to_string()).unwrap();
        let environment: BTreeMap<String, String> =
            [("HOME".to_owned(), home.path().display().to_string())].into();
        let seen =
            |args: serde_json::Value, environment: &BTreeMap<String, String>| -> Vec<String> {
                let odd = look(args.as_object().unwrap(), environment);
                odd.into_iter().map(|it| it.argument).collect()
            };
        let right =
            json!({"service": "lamps", "operation": "light_lamp", "parameters": {"Name": "hall"}});
        assert_eq!(seen(right.clone(), &environment), [""; 0]);
        assert_eq!(seen(right, &BTreeMap::new()), ["service"]);
        let wrong =
            json!({"service": "lamps", "operation": "light_lamp", "parameters": {"Nam": "hall"}});
        assert_eq!(seen(wrong, &environment), ["parameters.Nam"]);
        let wrong = json!({"service": "ec2", "operation": "light_lamp"});
        assert_eq!(seen(wrong, &environment), ["operation"]);
    }
}
