//! `davit.azure.blob_info`: what there is in Azure's storage.

use davit_module::control::{Control, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::azure::blobs::account::AccountArgs;
use crate::azure::blobs::{Blobs, shown};
use crate::azure::client::Azure;
use crate::azure::error::failure;
use crate::azure::login::Login;

/// List the containers of an account of Azure's storage or the blobs of a container, or look at one blob.
///
/// The result has `containers` or `blobs`, with what the service tells of each; nothing stands there for what
/// is not there.
///
/// ```yaml
/// - davit.azure.blob_info: {account: shop, container: site, prefix: img/}
///   register: images
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The container. All containers are listed without it.
    #[serde(default)]
    container: Option<String>,
    /// The blob. All blobs of the container are listed without it.
    #[serde(default)]
    blob: Option<String>,
    /// List only what has a name that begins so.
    #[serde(default)]
    prefix: String,
    #[serde(flatten)]
    account: AccountArgs,
    #[serde(flatten)]
    login: Login,
}

/// `davit.azure.blob_info`.
pub(crate) struct BlobInfo;

impl Module for BlobInfo {
    const NAME: &'static str = "davit.azure.blob_info";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let azure = Azure::new(control, &args.login)?;
        let account = args.account.account(control, &azure.cloud);
        let account = account.map_err(|error| failure("cannot tell which account", &error))?;
        let blobs = Blobs::new(azure, account);
        let container = args.container.as_deref().unwrap_or_default();
        if let Some(blob) = args.blob.as_deref() {
            if container.is_empty() || blob.is_empty() {
                return Err(ModuleError::failed("blob needs a name, and container"));
            }
            let found = blobs.head(container, blob).await;
            let url = blobs.url(container, blob);
            let found = found.map_err(|error| failure(&format!("cannot look at {url}"), &error))?;
            let found: Vec<_> = found.iter().map(|it| shown(it, blob, false)).collect();
            return Ok(Outcome::new().with("blobs", found));
        }
        let listed = blobs.list(container, &args.prefix).await;
        let url = blobs.url(container, "");
        let listed = listed.map_err(|error| failure(&format!("cannot list {url}"), &error))?;
        let key = if container.is_empty() { "containers" } else { "blobs" };
        Ok(Outcome::new().with(key, listed.unwrap_or_default()))
    }
}
