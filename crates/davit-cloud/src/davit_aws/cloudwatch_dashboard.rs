//! `davit.aws.cloudwatch_dashboard`: a dashboard of CloudWatch.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Requirement, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::args::State;
use crate::aws::client::{Aws, failure};
use crate::aws::login::Login;

/// Make, change and delete dashboards of CloudWatch.
///
/// A dashboard is changed where its body means something else, however it is written. What CloudWatch finds
/// odd about a body that it takes is a warning.
///
/// ```yaml
/// - name: Show the load
///   davit.aws.cloudwatch_dashboard:
///     name: shop
///     body:
///       widgets:
///         - {type: text, x: 0, y: 0, width: 24, height: 1, properties: {markdown: '# Shop'}}
///         - type: metric
///           x: 0
///           y: 1
///           width: 12
///           height: 6
///           properties:
///             title: CPU
///             region: eu-central-1
///             metrics: [[AWS/EC2, CPUUtilization, InstanceId, i-0123456789abcdef0]]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The dashboard's name.
    #[schemars(extend("x-aliases" = ["dashboard_name"]))]
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// What it shows: a map, or text of JSON, with `widgets` as CloudWatch describes them.
    #[serde(default)]
    #[schemars(extend("x-type" = "json"))]
    body: Option<String>,
    #[serde(flatten)]
    login: Login,
}

/// With these, CloudWatch says that there is no such dashboard.
const MISSING: &[&str] = &["ResourceNotFound", "DashboardNotFoundError"];

/// `davit.aws.cloudwatch_dashboard`.
pub(crate) struct CloudwatchDashboard;

impl Module for CloudwatchDashboard {
    const NAME: &'static str = "davit.aws.cloudwatch_dashboard";
    type Args = Args;
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "state",
            value: "present",
            needs: &["body"],
            any: false,
        }],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let body = args.body.as_deref().map(serde_json::from_str::<Json>).transpose();
        let body =
            body.map_err(|error| ModuleError::failed(format!("body is no JSON: {error}")))?;
        if body.as_ref().is_some_and(|it| !it.is_object()) {
            return Err(ModuleError::failed("body is no map"));
        }
        let aws = Aws::new(control, &args.login)?;
        let found = find(&aws, &args.name).await?;
        let arn = found.as_ref().and_then(|it| it["DashboardArn"].as_str()).map(str::to_owned);
        let path = arn.clone().unwrap_or_else(|| args.name.clone());
        let text = found.as_ref().and_then(|it| it["DashboardBody"].as_str());
        let current = text.map(|it| serde_json::from_str(it).unwrap_or_else(|_| Json::from(it)));
        let mut outcome = Outcome::new().with("name", &args.name);
        match (args.state, body) {
            (State::Present, Some(body)) => {
                let mut arn = arn;
                if current.as_ref().map(plain) != Some(plain(&body)) {
                    let what = if current.is_some() { "change" } else { "create" };
                    let edit = Edit::new(format!("{what} the dashboard"), path);
                    let edit = edit.from(current).to(&body);
                    let act = async || put(control, &aws, &args.name, &body).await;
                    if control.change(edit, act).await?.is_some() && arn.is_none() {
                        let made = find(&aws, &args.name).await?;
                        arn = made.and_then(|it| it["DashboardArn"].as_str().map(str::to_owned));
                    }
                }
                outcome = outcome.with("arn", arn).with("body", body);
            }
            _ if found.is_some() => {
                let names = json!({"DashboardNames": [args.name]});
                let edit = Edit::new("delete the dashboard", path).from(current);
                let act =
                    async || match aws.find("cloudwatch", "DeleteDashboards", names, MISSING).await
                    {
                        // Somebody else was quicker.
                        Ok(_) => Ok(()),
                        Err(error) => Err(error),
                    };
                control.change(edit, act).await?;
            }
            _ => {}
        }
        Ok(aws.tell(outcome))
    }
}

async fn find(aws: &Aws, name: &str) -> Result<Option<Json>, ModuleError> {
    let found = aws.find("cloudwatch", "GetDashboard", json!({"DashboardName": name}), MISSING);
    Ok(found.await?.map(|it| Value::Map(it).to_json()))
}

/// Sets the body, and says what is wrong with it: place by place where it is not taken.
async fn put(control: &Control, aws: &Aws, name: &str, body: &Json) -> Result<(), ModuleError> {
    let params = json!({"DashboardName": name, "DashboardBody": body.to_string()});
    let messages = |list: &Value| {
        let text =
            |it: &Value, name| it.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let line = |it: &Value| format!("{}: {}", text(it, "DataPath"), text(it, "Message"));
        list.items().iter().map(line).collect::<Vec<_>>()
    };
    match aws.attempt("cloudwatch", "PutDashboard", params).await {
        Ok(answer) => {
            for message in
                answer.get("DashboardValidationMessages").map(messages).unwrap_or_default()
            {
                control.warn(format!("dashboard {name}: {message}"));
            }
            Ok(())
        }
        Err(error) => {
            let failed = failure(Some(("cloudwatch", "PutDashboard")), &error);
            let list = error.service().and_then(|it| it.fields.get("dashboardValidationMessages"));
            let told = list.map(messages).unwrap_or_default();
            if told.is_empty() {
                return Err(failed);
            }
            Err(ModuleError::failed(format!("{}\n{}", failed.message(), told.join("\n"))))
        }
    }
}

/// The body in one shape for all that mean the same: whether `6` or `6.0` is written does not count.
fn plain(body: &Json) -> Json {
    match body {
        Json::Object(map) => map.iter().map(|(name, it)| (name.clone(), plain(it))).collect(),
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_compared_by_what_they_mean() {
        let one: Json = serde_json::from_str(r#"{"a": [{"x": 1, "y": "2"}], "b": true}"#).unwrap();
        let two: Json =
            serde_json::from_str(r#"{"b": true, "a": [{"y": "2", "x": 1.0}]}"#).unwrap();
        assert_eq!(plain(&one), plain(&two));
        for other in [json!({"a": [{"x": 1, "y": 2}], "b": true}), json!({"a": [], "b": true})] {
            assert_ne!(plain(&one), plain(&other));
        }
    }
}
