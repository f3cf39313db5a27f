//! A client for every API of Google that has a discovery document, driven by those documents.
//!
//! ```text
//! discovery documents ──pack──▶ apis.bin ──Store──▶ Api, Method
//! Login + environment + gcloud's files ──▶ Caller ──▶ Tokens
//! Method + parameters + body ──check, request──▶ Request ──Gcp──▶ answer, Pages, Operation, media
//! ```
//!
//! It reads no environment: what modules see of it is handed in. It knows no module.

pub mod check;
pub mod client;
pub mod configuration;
pub mod document;
pub mod error;
mod http;
pub mod login;
pub mod media;
pub mod operation;
mod pack;
pub mod page;
pub mod request;
mod retry;
pub mod store;
mod token;
mod tree;

pub use self::error::Error;
pub use self::pack::{methods_of, pack, strings_of};
