//! Inventories: hosts, groups, their variables, and the patterns that select hosts.
//!
//! [`Inventory::load`] reads sources exactly as ansible-core 2.19 does: INI, YAML, TOML and JSON files, host lists (`a,b,`), folders, executable
//! scripts, and the plugins `constructed`, `generator` and `advanced_host_list`; further plugins are handed in ([`Plugin`]). [`Inventory::host_vars`] merges a host's variables with
//! `group_vars/` and `host_vars/` in the original's order, [`Inventory::match_hosts`] answers patterns, [`Inventory::list`] and
//! [`Inventory::graph`] print what `ansible-inventory` prints, and [`convert`] writes inventories as INI, YAML and TOML.
//!
//! ```
//! use davit_inventory::{Inventory, LoadOptions};
//!
//! let mut warnings = Vec::new();
//! let inventory = Inventory::load(&["web1,web2:2222,".into()], &LoadOptions::default(), &mut warnings)?;
//! let hosts = inventory.match_hosts("all:!web1", None, &mut warnings)?;
//! assert_eq!(hosts.iter().map(|host| &**host).collect::<Vec<_>>(), ["web2"]);
//! # Ok::<(), davit_inventory::Error>(())
//! ```
//!
//! **Invariant:** nothing here prints or reads the environment: folders, settings and variables of the environment come with [`LoadOptions`].
//!
//! **Invariant:** this crate knows neither plays nor facts: it ends where a run begins, but for hosts and groups that a run adds.

mod address;
mod cache;
mod constructed;
pub mod convert;
mod error;
mod files;
mod generator;
mod ini;
mod json;
mod literal;
mod load;
mod model;
mod options;
mod pattern;
mod plugin;
mod python_json;
mod reserved;
mod run_time;
mod script;
mod show;
mod toml_source;
mod toml_text;
mod vars;
mod view;
mod words;
mod yaml;

pub use crate::cache::CacheOptions;
pub use crate::error::{Cause, Error, Place, Severity, Warning};
pub use crate::load::PLUGINS;
pub use crate::model::Inventory;
pub use crate::options::{Decrypt, GroupNames, HashBehaviour, Level, LoadOptions, PatternMismatch};
pub use crate::pattern::Order;
pub use crate::plugin::{Evaluate, FoundHost, Plugin, Refusal, Source};
pub use crate::reserved::{RUN_VARIABLES, is_reserved};
pub use crate::show::{Format, ListOptions};
pub use crate::view::{GroupView, HostView};
