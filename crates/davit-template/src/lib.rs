//! Jinja2 with Python's values: templates, filters, tests, lookups.
//!
//! The engine is our own and not minijinja: minijinja's values cannot carry Python's semantics (operators that are errors on undefined
//! values and say which, Python's type errors, `%` formatting, tuples, 128-bit integers). Nor can they carry variables that are rendered only
//! when they are used, with marks of trust, vault and origin, which is what ansible-core 2.19's behaviour rests on.
//!
//! # How it is used
//!
//! An [`Engine`] holds compiled templates and lives as long as the program. An [`Env`] borrows it with a [`Scope`] (where names come from) and
//! an [`Outside`] (what templates may reach), and evaluates:
//!
//! ```
//! use davit_template::{Engine, Env, Outside, Settings};
//! use davit_value::{Map, Str, Value};
//!
//! let engine = Engine::new(Settings::default());
//! let mut scope = Map::new();
//! scope.insert("greeting", Value::Str(Str::trusted("Hello {{ who }}", None)));
//! scope.insert("who", Value::from("davit"));
//! let outside = Outside::none();
//! let env = Env::new(&engine, &scope, &outside);
//!
//! let text = env.render_text("{{ greeting }}!", None).expect("it is well formed");
//! assert_eq!(text.to_str(), "Hello davit!");
//! assert!(env.expression("who == 'davit' and who | length > 3", None).expect("it is well formed") == Value::Bool(true));
//! ```
//!
//! **Invariant:** a string is rendered only where its mark says that it is trusted, and what rendering gives is never rendered again.
//!
//! **Invariant:** this crate knows neither plays nor hosts nor modules, prints nothing, and reaches files, the environment and programs only in
//! lookups, and there through [`Outside`].

mod access;
mod ast;
mod call;
pub mod delta;
mod engine;
mod env;
mod error;
mod eval;
mod file;
pub mod filters;
mod format;
mod globals;
mod inspect;
mod lexer;
mod limits;
pub mod lookups;
mod methods;
mod objects;
mod ops;
mod outside;
mod parser;
mod percent;
mod scope;
pub mod tests;

pub use crate::call::{Call, Function};
pub use crate::engine::{Engine, Settings};
pub use crate::env::Env;
pub use crate::error::{Error, ErrorKind};
pub use crate::file::FileOptions;
pub use crate::inspect::{LookupUse, NameUse, Template};
pub use crate::outside::{
    AskLookup, Asked, Decrypt, Fetch, Outside, ReadSetting, SelectHosts, Tell,
};
pub use crate::scope::{Layers, Overlay, Scope};
