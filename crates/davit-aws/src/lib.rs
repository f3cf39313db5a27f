//! A client for every service of AWS, driven by the service models: the page of the crate, which
//! follows. Knows no command line and no module of davit.
#![doc = include_str!("../README.md")]

pub mod checksum;
pub mod client;
pub mod command;
pub mod config;
pub mod connection;
pub mod credentials;
mod customise;
pub mod endpoint;
pub mod error;
pub mod event_stream;
pub mod http;
pub mod model;
pub mod paginate;
pub mod parse;
pub mod query;
pub mod retry;
pub mod serialize;
pub mod session;
pub mod sign;
pub mod time;
pub mod transfer;
pub mod validate;
pub mod value;
pub mod wait;

use base64::Engine as _;

pub use self::{client::Client, error::Error, value::Value};

/// Bytes as text.
fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
