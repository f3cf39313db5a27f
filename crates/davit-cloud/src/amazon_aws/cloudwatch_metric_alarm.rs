//! `amazon.aws.cloudwatch_metric_alarm`: an alarm of CloudWatch that watches a metric.
//!
//! Source:
//! <https://docs.ansible.com/ansible/latest/collections/amazon/aws/cloudwatch_metric_alarm_module.html>

use std::collections::BTreeMap;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::shapes::said;

/// Make, change and delete alarms that watch a metric of CloudWatch, or an expression over several.
///
/// What an alarm has and the task does not speak of stays as it is. An alarm is set anew as a whole, so one that
/// watched a metric can watch an expression afterwards.
///
/// ```yaml
/// - name: Tell somebody when the server is busy for ten minutes
///   amazon.aws.cloudwatch_metric_alarm:
///     name: web-busy
///     namespace: AWS/EC2
///     metric_name: CPUUtilization
///     dimensions: {InstanceId: "{{ web.instance_ids[0] }}"}
///     statistic: Average
///     period: 300
///     evaluation_periods: 2
///     comparison: GreaterThanThreshold
///     threshold: 80
///     alarm_actions: ["{{ topic.sns_arn }}"]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The alarm's name.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What the alarm is about, for people.
    #[serde(default)]
    description: Option<String>,
    /// The metric.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["metric"]))]
    metric_name: Option<String>,
    /// Whose metric it is: `AWS/EC2`, `AWS/ApplicationELB` ...
    #[serde(default)]
    namespace: Option<String>,
    /// Which of those of that name: `InstanceId: i-...`.
    #[serde(default)]
    dimensions: Option<Map<String, Json>>,
    /// What is made of the values of a period. Not together with `extended_statistic`.
    #[serde(default)]
    statistic: Option<Statistic>,
    /// A percentile: `p99`, `p95.45`.
    #[serde(default)]
    extended_statistic: Option<String>,
    /// How many seconds a period has.
    #[serde(default)]
    period: Option<i64>,
    /// The unit of the values.
    #[serde(default)]
    #[schemars(extend("x-choices" = [
        "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes",
        "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
        "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second",
        "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second",
        "Terabits/Second", "Count/Second", "None"
    ]))]
    unit: Option<String>,
    /// Metrics and expressions over them, in place of one metric; the one with `return_data` is watched.
    #[serde(default)]
    metrics: Vec<Query>,
    /// How a value is held against `threshold`.
    #[serde(default)]
    comparison: Option<Comparison>,
    /// What values are held against.
    #[serde(default)]
    threshold: Option<f64>,
    /// Over how many periods.
    #[serde(default)]
    evaluation_periods: Option<i64>,
    /// In how many of them it has to be so.
    #[serde(default)]
    datapoints_to_alarm: Option<i64>,
    /// What a period without values is taken for.
    #[serde(default)]
    treat_missing_data: NoValues,
    /// What is done with a percentile where there are few values.
    #[serde(default)]
    evaluate_low_sample_count_percentile: Option<FewSamples>,
    /// The ARNs of what is called when the alarm goes off.
    #[serde(default)]
    alarm_actions: Vec<String>,
    /// The same, when all is well again.
    #[serde(default)]
    ok_actions: Vec<String>,
    /// The same, when there are too few values to tell.
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    #[serde(flatten)]
    login: Login,
}

/// What is made of the values of a period.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
enum Statistic {
    /// How many there are.
    SampleCount,
    /// Their average.
    Average,
    /// Their sum.
    Sum,
    /// The smallest.
    Minimum,
    /// The greatest.
    Maximum,
}

/// How a value is held against the threshold.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[expect(clippy::enum_variant_names, reason = "the names are those of AWS")]
enum Comparison {
    /// At least as great.
    GreaterThanOrEqualToThreshold,
    /// Greater.
    GreaterThanThreshold,
    /// Smaller.
    LessThanThreshold,
    /// At most as great.
    LessThanOrEqualToThreshold,
}

/// What a period without values is taken for.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
enum NoValues {
    /// A bad one.
    Breaching,
    /// A good one.
    NotBreaching,
    /// Nothing: the alarm stays as it is.
    Ignore,
    /// A missing one: the alarm does not know.
    #[default]
    Missing,
}

/// What is done with a percentile where there are few values.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum FewSamples {
    /// The alarm stays as it is.
    Ignore,
    /// It is worked out all the same.
    Evaluate,
}

/// A metric, or an expression over others.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Query {
    /// What expressions call it.
    id: String,
    /// The metric.
    #[serde(default)]
    metric_stat: Option<MetricStat>,
    /// The expression.
    #[serde(default)]
    expression: Option<String>,
    /// What people call it.
    #[serde(default)]
    label: Option<String>,
    /// Whether this is what the alarm watches.
    #[serde(default)]
    return_data: Option<bool>,
    /// How many seconds a period has.
    #[serde(default)]
    period: Option<i64>,
    /// The account whose metric it is.
    #[serde(default)]
    account_id: Option<String>,
}

/// A metric, and what is made of it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "PascalCase"))]
struct MetricStat {
    /// The metric.
    #[serde(default)]
    metric: Option<Metric>,
    /// How many seconds a period has.
    period: i64,
    /// A statistic or a percentile.
    stat: String,
    /// The unit of the values.
    #[serde(default)]
    unit: Option<String>,
}

/// A metric.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Metric {
    /// Whose metric it is.
    #[serde(default)]
    namespace: Option<String>,
    /// Its name.
    metric_name: String,
    /// Which of those of that name.
    #[serde(default)]
    dimensions: Option<Vec<Dimension>>,
}

/// Part of what tells metrics of one name from each other.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "PascalCase"))]
struct Dimension {
    /// What: `InstanceId`.
    name: String,
    /// Which.
    value: String,
}

/// What only an alarm on one metric has.
const OF_ONE_METRIC: &[&str] =
    &["MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"];
/// What the result says, and what AWS calls it.
const RESULT: &[(&str, &str)] = &[
    ("actions_enabled", "ActionsEnabled"),
    ("alarm_actions", "AlarmActions"),
    ("alarm_arn", "AlarmArn"),
    ("comparison", "ComparisonOperator"),
    ("datapoints_to_alarm", "DatapointsToAlarm"),
    ("description", "AlarmDescription"),
    ("dimensions", "Dimensions"),
    ("evaluate_low_sample_count_percentile", "EvaluateLowSampleCountPercentile"),
    ("evaluation_periods", "EvaluationPeriods"),
    ("extended_statistic", "ExtendedStatistic"),
    ("insufficient_data_actions", "InsufficientDataActions"),
    ("last_updated", "AlarmConfigurationUpdatedTimestamp"),
    ("metric", "MetricName"),
    ("metric_name", "MetricName"),
    ("name", "AlarmName"),
    ("namespace", "Namespace"),
    ("ok_actions", "OKActions"),
    ("period", "Period"),
    ("state_reason", "StateReason"),
    ("state_value", "StateValue"),
    ("statistic", "Statistic"),
    ("threshold", "Threshold"),
    ("treat_missing_data", "TreatMissingData"),
    ("unit", "Unit"),
];

/// `amazon.aws.cloudwatch_metric_alarm`.
pub(crate) struct CloudwatchMetricAlarm;

impl Module for CloudwatchMetricAlarm {
    const NAME: &'static str = "amazon.aws.cloudwatch_metric_alarm";
    const FORMER_NAMES: &'static [&'static str] = &[
        "amazon.aws.ec2_metric_alarm",
        "community.aws.cloudwatch_metric_alarm",
        "community.aws.ec2_metric_alarm",
    ];
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["metric_name", "metrics"], &["statistic", "extended_statistic"]],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let aws = Aws::new(control, &args.login)?;
        let mut found = find(&aws, &args.name).await?;
        let path =
            found.as_ref().and_then(|it| it["AlarmArn"].as_str()).unwrap_or(&args.name).to_owned();
        let mut outcome = Outcome::new();
        if args.state == State::Absent {
            if let Some(alarm) = &found {
                let edit = Edit::new("delete the alarm", path).from(alarm);
                let names = json!({"AlarmNames": [args.name]});
                let act = async || aws.call("cloudwatch", "DeleteAlarms", names).await;
                control.change(edit, act).await?;
            }
        } else {
            let current = found.as_ref().map(settings);
            let wanted = wanted(&args, current.as_ref());
            if current.as_ref().map(ordered) != Some(ordered(&wanted)) {
                let what = if current.is_some() { "change the alarm" } else { "create the alarm" };
                let edit = Edit::new(what, path).from(current).to(&wanted);
                let act = async || aws.call("cloudwatch", "PutMetricAlarm", wanted.clone()).await;
                if control.change(edit, act).await?.is_some() {
                    found = find(&aws, &args.name).await?;
                }
            }
            let alarm = found.unwrap_or_default();
            for (name, of) in RESULT {
                outcome.set(name, &alarm[*of]);
            }
            outcome.set("metrics", snake_all(alarm["Metrics"].clone(), &[]));
        }
        Ok(aws.tell(outcome))
    }
}

async fn find(aws: &Aws, name: &str) -> Result<Option<Json>, ModuleError> {
    let params = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm"]});
    let found = Value::Map(aws.call("cloudwatch", "DescribeAlarms", params).await?).to_json();
    let Some(alarm) = found["MetricAlarms"].get(0) else { return Ok(None) };
    let mut alarm = alarm.clone();
    // Not every answer has the lists that are empty.
    for name in ["AlarmActions", "OKActions", "InsufficientDataActions", "Dimensions", "Metrics"] {
        if alarm[name].is_null() {
            alarm[name] = json!([]);
        }
    }
    Ok(Some(alarm))
}

/// What of an alarm can be set.
fn settings(alarm: &Json) -> Json {
    const OTHERS: &[&str] = &[
        "AlarmName",
        "AlarmDescription",
        "ActionsEnabled",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "EvaluateLowSampleCountPercentile",
        "Metrics",
        "ThresholdMetricId",
    ];
    let names = OTHERS.iter().chain(OF_ONE_METRIC);
    let there = names.filter(|it| !alarm[**it].is_null() && alarm[**it] != json!([]));
    there.map(|it| ((*it).to_owned(), alarm[*it].clone())).collect::<Map<_, _>>().into()
}

/// The request that makes the alarm as the task wants it; what it does not speak of stays.
fn wanted(args: &Args, current: Option<&Json>) -> Json {
    let mut wanted = match current {
        Some(Json::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    if !args.metrics.is_empty() {
        wanted.retain(|name, _| !OF_ONE_METRIC.contains(&name.as_str()));
    }
    if args.metric_name.is_some() {
        wanted.remove("Metrics");
        wanted.remove("ThresholdMetricId");
    }
    if args.statistic.is_some() {
        wanted.remove("ExtendedStatistic");
    }
    if args.extended_statistic.is_some() {
        wanted.remove("Statistic");
    }
    let texts = |map: &Map<String, Json>| {
        let text = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        map.iter().map(|(name, it)| json!({"Name": name, "Value": text(it)})).collect::<Vec<_>>()
    };
    for (name, value) in [
        ("AlarmName", json!(args.name)),
        ("AlarmDescription", json!(args.description)),
        ("MetricName", json!(args.metric_name)),
        ("Namespace", json!(args.namespace)),
        ("Dimensions", json!(args.dimensions.as_ref().map(texts))),
        ("Statistic", json!(args.statistic)),
        ("ExtendedStatistic", json!(args.extended_statistic)),
        ("Period", json!(args.period)),
        ("Unit", json!(args.unit)),
        ("ComparisonOperator", json!(args.comparison)),
        ("Threshold", json!(args.threshold)),
        ("EvaluationPeriods", json!(args.evaluation_periods)),
        ("DatapointsToAlarm", json!(args.datapoints_to_alarm)),
        ("TreatMissingData", json!(args.treat_missing_data)),
        ("EvaluateLowSampleCountPercentile", json!(args.evaluate_low_sample_count_percentile)),
        ("AlarmActions", json!(args.alarm_actions)),
        ("OKActions", json!(args.ok_actions)),
        ("InsufficientDataActions", json!(args.insufficient_data_actions)),
    ] {
        let value = said(value);
        if value == json!([]) {
            wanted.remove(name);
        } else if !value.is_null() {
            wanted.insert(name.to_owned(), value);
        }
    }
    if !args.metrics.is_empty() {
        wanted.insert("Metrics".to_owned(), said(json!(args.metrics)));
    }
    wanted.into()
}

/// Settings in one shape for all that mean the same: lists in one order, numbers of one kind, and
/// nothing said that goes without saying.
fn ordered(settings: &Json) -> BTreeMap<String, Json> {
    fn order(value: &Json) -> Json {
        match value {
            Json::Array(items) => {
                let mut items: Vec<Json> = items.iter().map(order).collect();
                items.sort_by_key(Json::to_string);
                items.into()
            }
            Json::Object(map) => {
                let usual = |name: &str, it: &Json| name == "ReturnData" && *it == json!(true);
                let there = map.iter().filter(|(name, it)| !usual(name, it) && **it != json!([]));
                there
                    .map(|(name, it)| (name.clone(), order(it)))
                    .collect::<BTreeMap<_, _>>()
                    .into_iter()
                    .collect::<Map<_, _>>()
                    .into()
            }
            Json::Number(number) => json!(number.as_f64()),
            other => other.clone(),
        }
    }
    let map = settings.as_object().into_iter().flatten();
    map.filter(|(name, it)| name.as_str() != "ActionsEnabled" || **it == json!(false))
        .filter(|(name, it)| name.as_str() != "TreatMissingData" || **it != json!("missing"))
        .map(|(name, it)| (name.clone(), order(it)))
        .collect()
}
