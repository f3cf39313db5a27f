//! YAML with places: PyYAML's reading of a file, and its writing.
//!
//! [`parse`] gives [`Node`]s, each with its place and tag; [`Convert`] turns them into values as
//! PyYAML's safe loader does it (YAML 1.1: `yes` is a boolean, `0644` an octal, `1:30` ninety),
//! with the tags of playbooks (`!vault`, `!unsafe`). [`dump`] writes what `yaml.dump` would.
//!
//! ```
//! use std::sync::Arc;
//! let file: Arc<str> = Arc::from("site.yml");
//! let value = davit_yaml::load("mode: 0644\n", &file, &davit_yaml::Convert::default())?;
//! assert_eq!(value.get("mode").and_then(|mode| mode.as_int()), Some(0o644));
//! # Ok::<(), davit_yaml::Error>(())
//! ```
//!
//! **Invariant:** nothing here opens a file, decrypts anything or knows what a playbook is.

mod construct;
mod convert;
mod dump;
mod error;
mod hint;
mod node;
mod quiet;
mod scalar;

pub use crate::convert::{Convert, Duplicates, Origins, Warned, Warning, load, load_all};
pub use crate::dump::{DumpError, DumpOptions, FlowStyle, dump, dump_all};
pub use crate::error::{Details, Error};
pub use crate::node::{Kind, Node, Place, Style, parse, parse_all};
