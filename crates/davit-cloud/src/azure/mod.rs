//! What modules for Azure share: who calls, tokens, resources and their operations, blobs, vaults.

pub mod arm;
pub mod blobs;
pub mod client;
pub mod clouds;
pub mod compare;
pub mod error;
pub mod http;
pub mod ids;
pub mod login;
pub mod operation;
pub mod secrets;
pub mod tokens;
pub mod vault;
