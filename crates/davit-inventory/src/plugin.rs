//! Inventory plugins that are handed in: what they are asked, and how their hosts come into the inventory.
//! Knows no API.

use std::sync::Arc;

use davit_template::Env;
use davit_value::{Map, Str, Value};
use davit_yaml::Node;

use crate::constructed::{Settings, construct};
use crate::error::{Error, Place, Warning};
use crate::files::place_of;
use crate::model::Inventory;
use crate::options::LoadOptions;

/// An inventory plugin that is handed in: from a file of options to hosts.
pub trait Plugin: Send + Sync {
    /// The full name, `amazon.aws.aws_ec2`. Its last part is a name too, and the group that all its
    /// hosts are put in.
    fn name(&self) -> &str;

    /// How the names of files end that may configure it: `aws_ec2.yml`.
    fn file_endings(&self) -> &[&str];

    /// Checks the options of a file: all that it says, with `plugin` and what is for groups and the cache.
    ///
    /// # Errors
    /// For options that do not fit.
    fn open(
        &self,
        options: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Box<dyn Source>, Refusal>;
}

/// What a file of options comes to.
pub trait Source {
    /// What decides on the answer of [`Source::fetch`], and nothing secret.
    fn cache_key(&self) -> String;

    /// Asks. Waits until the answer is there.
    ///
    /// # Errors
    /// When there is no answer.
    fn fetch(&self, warn: &mut dyn FnMut(String)) -> Result<serde_json::Value, Refusal>;

    /// The hosts in such an answer, in their order.
    ///
    /// # Errors
    /// For an answer, or options, that cannot be made hosts of.
    fn hosts(
        &self,
        fetched: &serde_json::Value,
        evaluate: &Evaluate<'_>,
    ) -> Result<Vec<FoundHost>, Refusal>;

    /// Dashes stay as they are in names of groups that are made of variables.
    fn keeps_dashes(&self) -> bool {
        false
    }
}

/// The value of an expression over some names.
pub type Evaluate<'e> = dyn Fn(&str, &Map) -> Result<Value, String> + 'e;

/// A host that a plugin found.
#[derive(Clone, Debug, Default)]
pub struct FoundHost {
    /// Its names: it is there once under each.
    pub names: Vec<String>,
    /// Its variables: data, never templates.
    pub vars: Map,
}

/// Why a plugin gives no hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it says.
    pub message: String,
    /// The option that it is about.
    pub option: Option<String>,
}

/// Options whose templates are for each host.
const FOR_HOSTS: [&str; 3] = ["compose", "groups", "keyed_groups"];

/// The plugin of that name, full or short.
pub(crate) fn find<'o>(options: &'o LoadOptions, name: &str) -> Option<&'o Arc<dyn Plugin>> {
    options.plugins.iter().find(|it| it.name() == name || short(it.name()) == name)
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Asks the plugin for hosts and puts them into the inventory.
///
/// # Errors
/// What the plugin says, and what is wrong with the options for groups.
pub(crate) fn read(
    inventory: &mut Inventory,
    plugin: &dyn Plugin,
    config: &Map,
    (node, file): (Option<&Node>, &Arc<str>),
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let options = Arc::clone(inventory.options());
    if !plugin.file_endings().iter().any(|it| file.ends_with(it)) {
        return Err(Error::refused(format!(
            "inventory source '{file}' could not be verified by inventory plugin '{}': its name has to end with {}",
            plugin.name(),
            plugin.file_endings().join(" or ")
        )));
    }
    let refuse = |refusal: Refusal| {
        let entry = refusal.option.as_ref().and_then(|name| node?.entry(name));
        let place: Option<Place> = entry.map(|(key, _)| place_of(key, file));
        Error::Refused { message: refusal.message, beneath: None, place }
    };
    let config = rendered(&options, config).map_err(refuse)?;
    let source = plugin.open(json(&config)).map_err(refuse)?;
    let mut settings = Settings::new(&config, options.use_extra_vars)?;
    settings.keeps_dashes = source.keeps_dashes();
    let mut warn = |text: String| warnings.push(Warning::new(text));
    let fetched = options
        .cache
        .of(&config)
        .and_then(|cache| cache.fetch(plugin.name(), (file, &*source), &options, &mut warn))
        .map_err(refuse)?;
    let evaluate = |expression: &str, names: &Map| {
        let env = Env::new(&options.engine, names, &options.outside);
        let text = Str::trusted(expression, None);
        env.expression(&text, None).map_err(|error| error.to_string())
    };
    let hosts = source.hosts(&fetched, &evaluate).map_err(refuse)?;
    let group = inventory.ensure_group(short(plugin.name()), warnings)?;
    for host in hosts {
        let vars = Arc::new(host.vars);
        for name in &host.names {
            let id = inventory.ensure_host(name, None)?;
            inventory.join(group, id);
            inventory.set_host_vars(id, &vars)?;
            let known = inventory.host_mut(id)?;
            vars.keys().for_each(|name| known.vars.note(&name.to_text(), None));
            construct(inventory, &settings, id)?;
        }
    }
    Ok(())
}

/// The options with their templates rendered, but for those that are for each host.
fn rendered(options: &LoadOptions, config: &Map) -> Result<Map, Refusal> {
    let env = Env::new(&options.engine, &*options.extra_vars, &options.outside);
    let mut out = Map::new();
    for (name, value) in config {
        let text = name.to_text();
        let value = if FOR_HOSTS.contains(&text.as_str()) {
            value.clone()
        } else {
            env.resolve(value)
                .map_err(|error| Refusal { message: error.to_string(), option: Some(text) })?
        };
        out.insert(name.clone(), value);
    }
    Ok(out)
}

fn json(config: &Map) -> serde_json::Map<String, serde_json::Value> {
    config.iter().map(|(name, value)| (name.to_text(), value.to_json())).collect()
}
