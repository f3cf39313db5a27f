//! The arguments of `davit.azure.blob`, and which of them go together. Calls nothing.

use std::path::PathBuf;

use davit_module::ModuleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::azure::blobs::Metadata;
use crate::azure::blobs::account::AccountArgs;
use crate::azure::blobs::transfer::Settings;
use crate::azure::login::Login;

/// Make and delete containers of Azure's storage, put files and texts into blobs, and get blobs.
///
/// Files are those of the controller. What is large goes in pieces side by side. A blob is put or got where its MD5
/// is not that of the file. Properties and metadata that the task does not name stay as they are.
///
/// The result has `container` or `blob`, with what the service tells of it, and `url`.
///
/// ```yaml
/// - davit.azure.blob: {account: shop, container: site}
/// - davit.azure.blob:
///     account: shop
///     container: site
///     blob: index.html
///     src: dist/index.html
///     cache_control: no-cache
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The container. It has to be there where `blob` is named.
    pub(super) container: String,
    /// The blob; the container is meant without it.
    #[serde(default)]
    pub(super) blob: Option<String>,
    /// Whether it is there.
    #[serde(default)]
    pub(super) state: State,
    /// The file to put.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub(super) src: Option<PathBuf>,
    /// The text to put.
    #[serde(default)]
    pub(super) content: Option<String>,
    /// The file to get the blob into.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub(super) dest: Option<PathBuf>,
    /// The media type. Without it that of a new blob is told by the file's name.
    #[serde(default)]
    pub(super) content_type: Option<String>,
    /// How it is encoded: `gzip`.
    #[serde(default)]
    pub(super) content_encoding: Option<String>,
    /// Its language.
    #[serde(default)]
    pub(super) content_language: Option<String>,
    /// How browsers show it.
    #[serde(default)]
    pub(super) content_disposition: Option<String>,
    /// How long browsers keep it.
    #[serde(default)]
    pub(super) cache_control: Option<String>,
    /// All of its metadata. Names have no case.
    #[serde(default)]
    pub(super) metadata: Option<Map<String, Value>>,
    /// How it is kept.
    #[serde(default)]
    pub(super) tier: Option<Tier>,
    /// What everyone may read of the container.
    #[serde(default)]
    pub(super) public_access: Option<Access>,
    /// What is larger goes in pieces of so many bytes.
    #[serde(default = "piece")]
    pub(super) block_size: u64,
    /// How many pieces at a time.
    #[serde(default = "four")]
    pub(super) parallel: usize,
    #[serde(flatten)]
    pub(super) account: AccountArgs,
    #[serde(flatten)]
    pub(super) login: Login,
}

const fn piece() -> u64 {
    8 << 20
}

const fn four() -> usize {
    4
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It is.
    #[default]
    Present,
    /// It is not, and neither are its snapshots.
    Absent,
}

/// How a blob is kept.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub(super) enum Tier {
    /// To be read often.
    Hot,
    /// To be read now and then.
    Cool,
    /// To be read seldom.
    Cold,
    /// To be read hardly ever, and not at once.
    Archive,
}

/// What everyone may read.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    /// Nothing.
    Off,
    /// Blobs whose names they know.
    Blob,
    /// Blobs, and the list of them.
    Container,
}

impl Args {
    pub(super) fn check(&self) -> Result<(), ModuleError> {
        let no = |text: &str| Err(ModuleError::failed(text));
        let letters =
            |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-$".contains(it);
        let is_sized = (3..=63).contains(&self.container.len());
        if !is_sized || !self.container.chars().all(letters) {
            return no(
                "container: names of containers have 3 to 63 small letters, digits and hyphens",
            );
        }
        if self.blob.as_deref() == Some("") {
            return no("blob: the name is empty");
        }
        if self.state == State::Absent
            && (self.src.is_some() || self.content.is_some() || self.dest.is_some())
        {
            return no("src, content and dest need state present");
        }
        let has_own = self.tier.is_some() || !self.properties().is_empty();
        if self.blob.is_none() && has_own {
            return no("tier, content_type and the like are those of a blob: which one?");
        }
        if self.blob.is_some() && self.public_access.is_some() {
            return no("public_access is that of a container: leave out blob");
        }
        let letters = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let wrong = |it: &&String| it.is_empty() || !it.chars().all(letters);
        match self.metadata.iter().flat_map(Map::keys).find(wrong) {
            Some(name) => {
                no(&format!("metadata: {name:?} has more than letters, digits and underscores"))
            }
            None => Ok(()),
        }
    }

    /// The properties that the task names: the header that tells each, and its value.
    pub(super) fn properties(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("cache-control", &self.cache_control),
            ("content-disposition", &self.content_disposition),
            ("content-encoding", &self.content_encoding),
            ("content-language", &self.content_language),
            ("content-type", &self.content_type),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    pub(super) fn metadata(&self) -> Option<Metadata> {
        let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
        let all = self.metadata.as_ref()?;
        Some(
            all.iter()
                .map(|(name, value)| (name.to_lowercase(), text(value).trim().to_owned()))
                .collect(),
        )
    }

    pub(super) fn settings(&self) -> Settings {
        // What the service takes in one piece, in this version of its API.
        Settings {
            piece: self.block_size.clamp(1, 4000 << 20),
            parallel: self.parallel.clamp(1, 64),
        }
    }
}
