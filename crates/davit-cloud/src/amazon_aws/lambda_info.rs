//! `amazon.aws.lambda_info`: what is known of functions of Lambda.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/lambda_info_module.html>

use davit_aws::value::Value;
use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;

/// Find out about functions of Lambda.
///
/// `functions` of the result is a list, and `function` has the same by name: the configuration always, and what
/// `query` asks for. Both are empty where there is no
/// function of the name that was asked for.
///
/// ```yaml
/// - amazon.aws.lambda_info:
///     name: cleaner
///     query: versions
///   register: cleaner
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The function's name. Without it, all functions.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["function", "name"]))]
    function_name: Option<String>,
    /// What to find out: `all` of one function, or `config` of all, where nothing is said.
    #[serde(default)]
    query: Option<Query>,
    /// Only the mappings from this stream, queue or table.
    #[serde(default)]
    event_source_arn: Option<String>,
    #[serde(flatten)]
    login: Login,
}

/// What to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Query {
    /// Its aliases.
    Aliases,
    /// All that there is to know.
    All,
    /// Its configuration, and nothing besides.
    Config,
    /// What it gets its events from.
    Mappings,
    /// Who may call it.
    Policy,
    /// Its versions.
    Versions,
    /// Its tags.
    Tags,
}

/// With this, Lambda says that there is no such function or policy.
const MISSING: &[&str] = &["ResourceNotFoundException"];
/// Names in these are the user's, but for versions and tags, where the original too writes them in small letters.
const KEPT: &[&str] = &["Variables", "AdditionalVersionWeights"];

/// `amazon.aws.lambda_info`.
pub(crate) struct LambdaInfo;

impl Module for LambdaInfo {
    const NAME: &'static str = "amazon.aws.lambda_info";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.lambda_info"];
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let found = match &args.function_name {
            Some(name) => {
                let of = json!({"FunctionName": name});
                let found = aws.find("lambda", "GetFunctionConfiguration", of, MISSING).await?;
                found.into_iter().map(|it| Value::Map(it).to_json()).collect()
            }
            None => list(&aws, "ListFunctions", json!({}), "Functions").await?,
        };
        let usual = if args.function_name.is_some() { Query::All } else { Query::Config };
        let query = args.query.unwrap_or(usual);
        let mut functions = Vec::new();
        let mut by_name = Map::new();
        for configuration in found {
            let name = configuration["FunctionName"].as_str().unwrap_or_default().to_owned();
            let told = told(&aws, &args, query, configuration).await?;
            by_name.insert(name, told.clone());
            functions.push(told);
        }
        let outcome = Outcome::new().with("functions", functions).with("function", by_name);
        Ok(aws.tell(outcome))
    }
}

async fn told(
    aws: &Aws,
    args: &Args,
    query: Query,
    configuration: Json,
) -> Result<Json, ModuleError> {
    let name = configuration["FunctionName"].clone();
    let arn = configuration["FunctionArn"].clone();
    let wants = |it| query == Query::All || query == it;
    let mut out = snake_all(configuration, KEPT);
    let of = json!({"FunctionName": name});
    if wants(Query::Aliases) {
        let found = list(aws, "ListAliases", of.clone(), "Aliases").await?;
        out["aliases"] = snake_all(found.into(), KEPT);
    }
    if wants(Query::Mappings) {
        let of = json!({"FunctionName": name, "EventSourceArn": args.event_source_arn});
        let found = list(aws, "ListEventSourceMappings", of, "EventSourceMappings").await?;
        out["mappings"] = snake_all(found.into(), &[]);
    }
    if wants(Query::Policy) {
        let found = aws.find("lambda", "GetPolicy", of.clone(), MISSING).await?;
        let text = found.as_ref().and_then(|it| it.get("Policy")).and_then(Value::as_str);
        let policy = text.and_then(|it| serde_json::from_str::<Json>(it).ok());
        out["policy"] = policy.unwrap_or_else(|| json!({}));
    }
    if wants(Query::Versions) {
        let found = list(aws, "ListVersionsByFunction", of, "Versions").await?;
        out["versions"] = snake_all(found.into(), &[]);
    }
    if wants(Query::Tags) {
        let found = aws.call("lambda", "ListTags", json!({"Resource": arn})).await?;
        let tags = found.get("Tags").map_or_else(|| json!({}), Value::to_json);
        out["tags"] = snake_all(tags, &[]);
    }
    Ok(out)
}

/// All that an operation lists.
async fn list(
    aws: &Aws,
    operation: &str,
    params: Json,
    key: &str,
) -> Result<Vec<Json>, ModuleError> {
    let found = aws.all("lambda", operation, params).await?;
    Ok(found.get(key).into_iter().flat_map(Value::items).map(Value::to_json).collect())
}
