//! `davit.azure`: the table. One line per module, by name.

mod blob;
mod blob_info;
mod call;
mod keyvault_secret;
mod keyvault_secret_info;
mod resource;
mod resource_info;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<blob::Blob>(),
    Entry::of::<blob_info::BlobInfo>(),
    Entry::of::<call::AzureCall>(),
    Entry::of::<keyvault_secret::KeyvaultSecret>(),
    Entry::of::<keyvault_secret_info::KeyvaultSecretInfo>(),
    Entry::of::<resource::Resource>(),
    Entry::of::<resource_info::ResourceInfo>(),
];
