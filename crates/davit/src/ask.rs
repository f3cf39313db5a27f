//! Lookups and inventory plugins that ask an API: those of `davit-cloud`, handed to templates and
//! inventories. It does not know what they ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use davit_cloud::inventories::{self, INVENTORIES};
use davit_cloud::lookups;
use davit_cloud::reader::Reader;
use davit_inventory::{Evaluate, FoundHost, Plugin, Refusal, Source};
use davit_module::control::Shared;
use davit_template::{AskLookup, Asked, Engine, Settings};
use davit_value::Value;
use serde_json::{Map, Value as Json};

use crate::bridge::Bridge;

/// What they are asked with: clients are kept as long as this is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    bridge: Arc<Bridge>,
    shared: Shared,
}

/// The settings of templates that know these lookups.
pub(crate) fn template_settings() -> Settings {
    Settings { lookups: lookups::names(), ..Settings::default() }
}

/// An engine that knows everything a template may name, for who only looks at names.
pub(crate) fn engine() -> Engine {
    Engine::new(template_settings())
}

/// What was told while something was asked; those who are to hear it stand on another thread.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<(bool, String)>>>);

impl Told {
    fn hearer(&self, is_secret: bool) -> Arc<dyn Fn(&str) + Send + Sync> {
        let told = Arc::clone(&self.0);
        Arc::new(move |text: &str| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push((is_secret, text.to_owned()));
        })
    }

    /// Passes on what was told, secrets first: nothing that is said may have one in it.
    fn pass_on(&self, mut secret: impl FnMut(&str), mut warn: impl FnMut(&str)) {
        let told = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        told.iter().filter(|it| it.0).for_each(|it| secret(&it.1));
        told.iter().filter(|it| !it.0).for_each(|it| warn(&it.1));
    }
}

impl Ask {
    fn reader(&self, environment: &Arc<BTreeMap<String, String>>, told: &Told) -> Reader {
        Reader {
            environment: Arc::clone(environment),
            shared: self.shared.clone(),
            warn: told.hearer(false),
            secret: told.hearer(true),
        }
    }

    /// Who answers lookups.
    pub(crate) fn lookups(&self) -> Arc<AskLookup> {
        let ask = self.clone();
        Arc::new(move |asked: &Asked<'_>| ask.lookup(asked))
    }

    fn lookup(&self, asked: &Asked<'_>) -> Result<Vec<Value>, String> {
        let Some(entry) = lookups::find(asked.name) else {
            return Err(format!("there is no lookup '{}'", asked.name));
        };
        let told = Told::default();
        let reader = self.reader(&asked.outside.environment, &told);
        let terms = asked.terms.to_vec();
        let options: Map<String, Json> =
            asked.options.iter().map(|(name, value)| (name.to_text(), value.to_json())).collect();
        entry.spec().secrets(&options).iter().for_each(|it| asked.outside.secret(it));
        let answer = self.bridge.wait(async move { entry.call(&reader, &terms, options).await });
        told.pass_on(|it| asked.outside.secret(it), |it| asked.outside.warn(it));
        answer?.map_err(|error| error.message())
    }

    /// The inventory plugins, which see `environment`.
    pub(crate) fn inventories(
        &self,
        environment: &Arc<BTreeMap<String, String>>,
    ) -> Vec<Arc<dyn Plugin>> {
        let plugin = |entry: &'static inventories::Entry| -> Arc<dyn Plugin> {
            Arc::new(CloudPlugin { entry, ask: self.clone(), environment: Arc::clone(environment) })
        };
        INVENTORIES.iter().map(plugin).collect()
    }
}

/// An inventory plugin of `davit-cloud`.
struct CloudPlugin {
    entry: &'static inventories::Entry,
    ask: Ask,
    environment: Arc<BTreeMap<String, String>>,
}

impl Plugin for CloudPlugin {
    fn name(&self) -> &str {
        self.entry.name
    }

    fn file_endings(&self) -> &[&str] {
        self.entry.file_endings
    }

    fn open(&self, options: Map<String, Json>) -> Result<Box<dyn Source>, Refusal> {
        let inventory = self.entry.open(options);
        let inventory =
            inventory.map_err(|it| Refusal { message: it.message, option: it.option })?;
        let told = Told::default();
        let reader = self.ask.reader(&self.environment, &told);
        let bridge = Arc::clone(&self.ask.bridge);
        Ok(Box::new(CloudSource { inventory: inventory.into(), bridge, reader, told }))
    }
}

/// One file of options for one.
struct CloudSource {
    inventory: Arc<dyn inventories::Inventory>,
    bridge: Arc<Bridge>,
    reader: Reader,
    told: Told,
}

fn refusal(message: String) -> Refusal {
    Refusal { message, option: None }
}

impl Source for CloudSource {
    fn cache_key(&self) -> String {
        self.inventory.cache_key(&self.reader)
    }

    fn fetch(&self, warn: &mut dyn FnMut(String)) -> Result<Json, Refusal> {
        let (inventory, reader) = (Arc::clone(&self.inventory), self.reader.clone());
        let answer = self.bridge.wait(async move { inventory.fetch(&reader).await });
        // Inventories are read before there is anything to keep secrets from; no answer has keys in it.
        self.told.pass_on(|_| {}, |it| warn(it.to_owned()));
        answer.map_err(refusal)?.map_err(|error| refusal(error.message()))
    }

    fn hosts(&self, fetched: &Json, evaluate: &Evaluate<'_>) -> Result<Vec<FoundHost>, Refusal> {
        let found = self.inventory.hosts(fetched, evaluate);
        let found = found.map_err(|error| refusal(error.message()))?.into_iter();
        Ok(found.map(|it| FoundHost { names: it.names, vars: it.vars }).collect())
    }

    fn keeps_dashes(&self) -> bool {
        self.inventory.keeps_dashes()
    }
}
