//! Control modules, lookups and inventory plugins: what talks to an API from the controller.
//!
//! One folder per Ansible collection, one file per module, one line per module in its table. Work
//! that the modules of several files share goes down into a folder named for the API: [`aws`],
//! [`azure`], [`gcp`].
//!
//! A module is an argument struct, whose doc comments are the manual, and a future. It asks
//! [`Control::change`](davit_module::control::Control::change) for each change:
//!
//! ```
//! use davit_module::control::{Control, Edit, Module};
//! use davit_module::{ModuleError, Outcome};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// Keep a lamp on or off.
//! #[derive(Deserialize, JsonSchema)]
//! struct Args {
//!     /// Which lamp.
//!     name: String,
//!     /// Whether it is lit.
//!     #[serde(default)]
//!     lit: bool,
//! }
//!
//! struct Lamp;
//!
//! impl Module for Lamp {
//!     const NAME: &'static str = "example.house.lamp";
//!     type Args = Args;
//!
//!     async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
//!         let house = control.shared().get("house", House::default);
//!         let lit = house.is_lit(&args.name).await?;
//!         if lit != args.lit {
//!             let edit = Edit::new("switch it", &args.name).from(lit).to(args.lit);
//!             control.change(edit, async || house.switch(&args.name, args.lit).await).await?;
//!         }
//!         Ok(Outcome::new().with("lit", args.lit))
//!     }
//! }
//! # #[derive(Default)]
//! # struct House;
//! # impl House {
//! #     async fn is_lit(&self, _: &str) -> Result<bool, ModuleError> { Ok(false) }
//! #     async fn switch(&self, _: &str, _: bool) -> Result<(), ModuleError> { Ok(()) }
//! # }
//! # const TABLE: &[davit_module::control::Entry] = &[davit_module::control::Entry::of::<Lamp>()];
//! ```
//!
//! [`lookups`] has what templates ask, [`inventories`] what inventories come from: each a struct of
//! options and a future too, which see a [`Reader`](reader::Reader) and only read.
//!
//! **Invariant:** a module sees its arguments and its [`Control`](davit_module::control::Control):
//! no inventory, play, template or host.
//!
//! **Invariant:** nothing here reads the environment or blocks the thread.

pub mod amazon_aws;
pub mod args;
pub mod aws;
pub mod azure;
pub mod community_aws;
pub mod davit_aws;
pub mod davit_azure;
pub mod davit_gcp;
pub mod gcp;
pub mod inventories;
pub mod lookups;
pub mod reader;
pub mod web;

use davit_module::control::Entry;

/// The tables of this crate.
pub const TABLES: &[&[Entry]] = &[
    amazon_aws::MODULES,
    community_aws::MODULES,
    davit_aws::MODULES,
    davit_azure::MODULES,
    davit_gcp::MODULES,
];
