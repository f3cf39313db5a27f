//! `amazon.aws.ec2_launch_template`: templates that instances are launched from, and their versions.

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::launch_template::{self, LaunchData};
use crate::aws::login::Login;
use crate::aws::names;
use crate::aws::parts::list;
use crate::aws::tags::{TagArgs, Tags};

/// Keep a launch template: what instances are launched with, in versions.
///
/// A version never changes. Where the latest one does not have all that is asked for, a new one is made, which has
/// everything else from `source_version`.
///
/// ```yaml
/// - amazon.aws.ec2_launch_template:
///     name: web
///     image_id: "{{ image.image_id }}"
///     instance_type: t3.micro
///     iam_instance_profile: web
///     tag_specifications: [{resource_type: instance, tags: {Service: web}}]
/// - name: Back to the first version
///   amazon.aws.ec2_launch_template:
///     name: web
///     default_version: 1
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Its id.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["id"]))]
    template_id: Option<String>,
    /// Its name.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["name"]))]
    template_name: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    /// The version that a launch takes which names none: a number, or `latest`.
    #[serde(default = "latest")]
    default_version: String,
    /// The version that a new one has from what the task does not say: a number, or `latest`.
    #[serde(default = "latest")]
    source_version: String,
    /// What is said of a new version.
    #[serde(default)]
    version_description: String,
    /// With `state: absent`, delete these versions and not the template.
    #[serde(default)]
    versions_to_delete: Option<Vec<i64>>,
    #[serde(flatten)]
    data: LaunchData,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

fn latest() -> String {
    "latest".to_owned()
}

/// So many versions are deleted by one call.
const BATCH: usize = 200;

/// `amazon.aws.ec2_launch_template`.
pub(crate) struct Ec2LaunchTemplate;

impl Module for Ec2LaunchTemplate {
    const NAME: &'static str = "amazon.aws.ec2_launch_template";
    const FORMER_NAMES: &'static [&'static str] = &["community.aws.ec2_launch_template"];
    const RULES: Rules =
        Rules { required_one_of: &[&["template_id", "template_name"]], ..Rules::NONE };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let default = number("default_version", &args.default_version)?;
        let source = number("source_version", &args.source_version)?;
        let ec2 = Ec2::new(control, &args.login)?;
        let task = Task { ec2: &ec2, args: &args, default, source };
        let outcome = match args.state {
            State::Present => task.keep().await,
            State::Absent => task.delete().await,
        };
        ec2.close(outcome)
    }
}

/// The number of a version; nothing for the latest one.
fn number(of: &str, said: &str) -> Result<Option<i64>, ModuleError> {
    match said.trim() {
        "latest" => Ok(None),
        other => other.parse().map(Some).map_err(|_| {
            ModuleError::failed(format!("{of} is {other:?}, which is neither latest nor a number"))
        }),
    }
}

/// One task: what it wants, and what it acts with.
struct Task<'a> {
    ec2: &'a Ec2<'a>,
    args: &'a Args,
    /// The version that is to be the default one; the latest one without it.
    default: Option<i64>,
    source: Option<i64>,
}

impl Task<'_> {
    async fn keep(&self) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let (id, template, predicted) = match (self.find().await?, &args.template_name) {
            (Some(template), _) => {
                let id = text(&template, "LaunchTemplateId").to_owned();
                let predicted = self.keep_data(&id, &template).await?;
                (id, Some(template), predicted)
            }
            (None, Some(name)) if args.template_id.is_none() => match self.create(name).await? {
                Some(id) => (id, None, 1),
                None => {
                    return Ok(
                        Outcome::new().with("template", json!({"launch_template_name": name}))
                    );
                }
            },
            (None, _) => {
                let id = args.template_id.as_deref().unwrap_or_default();
                return Err(ModuleError::failed(format!("there is no launch template {id}")));
            }
        };
        if let Some(template) = &template {
            let current = ec2::tags(template);
            self.ec2.tag(&id, &current, &args.tags.change(&current)).await?;
        }
        let now = template.as_ref().and_then(|it| int(it, "DefaultVersionNumber")).unwrap_or(1);
        self.keep_default(&id, now, self.default.unwrap_or(predicted)).await?;
        self.told(&id).await
    }

    /// The template; its name may be of one that is not there.
    async fn find(&self) -> Result<Option<Value>, ModuleError> {
        let (operation, key) = ("DescribeLaunchTemplates", "LaunchTemplates");
        let params = match (&self.args.template_id, &self.args.template_name) {
            (Some(id), _) => json!({"LaunchTemplateIds": [id]}),
            (None, name) => ec2::by(&json!({"launch-template-name": name})),
        };
        Ok(self.ec2.list(operation, key, params).await?.into_iter().next())
    }

    /// Makes it, with its tags. Nothing comes back in check mode.
    async fn create(&self, name: &str) -> Result<Option<String>, ModuleError> {
        let data = self.args.data.request();
        let edit = Edit::new("create the launch template", name).to(launch_template::shown(&data));
        let params = json!({
            "LaunchTemplateName": name,
            "LaunchTemplateData": data,
            "VersionDescription": self.args.version_description,
        });
        let tags: Tags = self.args.tags.tags.clone().unwrap_or_default();
        let params = ec2::with_tags(params, "launch-template", &tags);
        let id = &["LaunchTemplate", "LaunchTemplateId"];
        let made = self.ec2.create(edit, "CreateLaunchTemplate", params, id).await?;
        Ok(made.map(|(id, _)| id))
    }

    /// Makes a new version where the latest one is not as it should be; the number of the latest one then.
    async fn keep_data(&self, id: &str, template: &Value) -> Result<i64, ModuleError> {
        let last = int(template, "LatestVersionNumber").unwrap_or(1);
        let latest = self.version(id, last).await?;
        let from = self.source.unwrap_or(last);
        let source = if from == last { latest.clone() } else { self.version(id, from).await? };
        let asked = self.args.data.request();
        // A version that is only made the default one is not to be made anew.
        let is_asked = asked.as_object().is_some_and(|it| !it.is_empty()) || self.source.is_some();
        if !is_asked || launch_template::is_same(&latest, &source, &asked) {
            return Ok(last);
        }
        let edit = Edit::new("create a version of the launch template", id)
            .from(launch_template::shown(&latest))
            .to(launch_template::shown(&asked));
        let params = json!({
            "LaunchTemplateId": id,
            "SourceVersion": from.to_string(),
            "VersionDescription": self.args.version_description,
            "LaunchTemplateData": asked,
        });
        let made = self.ec2.change(edit, "CreateLaunchTemplateVersion", params).await?;
        let made = made.map(Value::Map);
        let number = made.as_ref().and_then(|it| it.get("LaunchTemplateVersion"));
        Ok(number.and_then(|it| int(it, "VersionNumber")).unwrap_or(last + 1))
    }

    /// The data of a version.
    async fn version(&self, id: &str, number: i64) -> Result<Json, ModuleError> {
        let params = json!({"LaunchTemplateId": id, "Versions": [number.to_string()]});
        let found = self.ec2.call("DescribeLaunchTemplateVersions", params).await?;
        let found = Value::Map(found);
        let data = list(&found, "LaunchTemplateVersions").first();
        let data = data.and_then(|it| it.get("LaunchTemplateData"));
        Ok(data.map(Value::to_json).unwrap_or_default())
    }

    async fn keep_default(&self, id: &str, now: i64, wanted: i64) -> Result<(), ModuleError> {
        if now == wanted {
            return Ok(());
        }
        let edit = Edit::new("set the default version", id).from(now).to(wanted);
        let params = json!({"LaunchTemplateId": id, "DefaultVersion": wanted.to_string()});
        self.ec2.change(edit, "ModifyLaunchTemplate", params).await.map(drop)
    }

    async fn versions(&self, id: &str) -> Result<Vec<Value>, ModuleError> {
        let params = json!({"LaunchTemplateId": id});
        let key = "LaunchTemplateVersions";
        self.ec2.list("DescribeLaunchTemplateVersions", key, params).await
    }

    /// The template as it is, with all of its versions.
    async fn told(&self, id: &str) -> Result<Outcome, ModuleError> {
        let params = json!({"LaunchTemplateIds": [id]});
        let template = self.ec2.seen("DescribeLaunchTemplates", "LaunchTemplates", params).await?;
        let versions: Vec<Json> = self.versions(id).await?.iter().map(ec2::names_of).collect();
        let numbered = |name: &str| {
            let number = int(&template, name);
            let found = versions.iter().find(|it| it["version_number"].as_i64() == number);
            (number, found.cloned())
        };
        let (default, default_template) = numbered("DefaultVersionNumber");
        let (latest, latest_template) = numbered("LatestVersionNumber");
        Ok(Outcome::new()
            .with("template", ec2::shown(&template))
            .with("default_template", default_template)
            .with("default_version", default)
            .with("latest_template", latest_template)
            .with("latest_version", latest)
            .with("versions", versions))
    }

    async fn delete(&self) -> Result<Outcome, ModuleError> {
        let Some(template) = self.find().await? else { return Ok(Outcome::new()) };
        let id = text(&template, "LaunchTemplateId");
        let there = self.versions(id).await?;
        let Some(named) = &self.args.versions_to_delete else {
            let edit = Edit::new("delete the launch template", id).from(ec2::shown(&template));
            let params = json!({"LaunchTemplateId": id});
            self.ec2.change(edit, "DeleteLaunchTemplate", params).await?;
            let outcome = Outcome::new().with("deleted_template", ec2::shown(&template));
            return Ok(outcome.with("deleted_versions", deleted(&there)));
        };
        let is_named = |it: &Value| int(it, "VersionNumber").is_some_and(|it| named.contains(&it));
        let (gone, kept): (Vec<Value>, Vec<Value>) = there.into_iter().partition(is_named);
        let outcome = Outcome::new().with("deleted_versions", deleted(&gone));
        if gone.is_empty() {
            return Ok(outcome);
        }
        let now = int(&template, "DefaultVersionNumber").unwrap_or(1);
        let last = kept.iter().filter_map(|it| int(it, "VersionNumber")).max();
        let Some(wanted) = self.default.or(last) else {
            return Err(ModuleError::failed(format!(
                "these are all versions of the launch template {id}: it is deleted without versions_to_delete"
            )));
        };
        self.keep_default(id, now, wanted).await?;
        let numbers: Vec<String> = gone
            .iter()
            .filter_map(|it| int(it, "VersionNumber"))
            .map(|it| it.to_string())
            .collect();
        for some in numbers.chunks(BATCH) {
            let edit = Edit::new("delete versions of the launch template", id).from(some);
            let params = json!({"LaunchTemplateId": id, "Versions": some});
            let said = self.ec2.change(edit, "DeleteLaunchTemplateVersions", params).await?;
            let said = said.map(Value::Map).unwrap_or(Value::Null);
            if let [first, ..] = list(&said, "UnsuccessfullyDeletedLaunchTemplateVersions") {
                let message = first.at(&["ResponseError", "Message"]).and_then(Value::as_str);
                let text =
                    format!("not all versions were deleted: {}", message.unwrap_or_default());
                return Err(
                    ModuleError::failed(text).with("answer", names::snake_all(said.to_json(), &[]))
                );
            }
        }
        Ok(outcome)
    }
}

/// Versions that were deleted, as results show them.
fn deleted(versions: &[Value]) -> Vec<Json> {
    let shown = |it: &Value| {
        json!({
            "launch_template_id": text(it, "LaunchTemplateId"),
            "launch_template_name": text(it, "LaunchTemplateName"),
            "version_number": int(it, "VersionNumber"),
        })
    };
    versions.iter().map(shown).collect()
}

fn int(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_int)
}
