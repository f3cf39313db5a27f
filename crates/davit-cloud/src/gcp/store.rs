//! Where the descriptions of APIs come from: those that were built in, and discovery documents in files. Reads no
//! environment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use davit_aws::validate::nearest;
use serde_json::Value;

use super::document::Api;
use super::error::Error;
use super::pack::pack;
use super::tree::{Reader, Table};

/// The APIs that were built in: see [`Pack`].
static BUNDLED: &[u8] = include_bytes!("apis.bin");

/// What a pack begins with.
pub const MAGIC: &[u8] = b"davit-gcp apis 1\n";

/// Nothing that all documents share is larger than this.
const LARGEST: usize = 4 << 20;

/// An API that was built in, as the index describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// `compute`.
    pub name: &'static str,
    /// `v1`.
    pub version: &'static str,
    /// How many methods it has.
    pub methods: usize,
}

/// A file as it was when it was read.
type Known = ((PathBuf, Option<SystemTime>), Arc<Api>);

/// APIs by name and version. Each is read when it is first asked for.
#[derive(Debug, Default)]
pub struct Store {
    found: Mutex<HashMap<(&'static str, &'static str), Arc<Api>>>,
    files: Mutex<Vec<Known>>,
}

impl Store {
    /// The store of this process.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Store> = OnceLock::new();
        SHARED.get_or_init(Self::default)
    }

    /// All APIs that were built in, by name and version.
    pub fn bundled() -> impl ExactSizeIterator<Item = Listed> {
        Pack::bundled().index.iter().map(|it| it.listed)
    }

    /// The release of google-api-python-client whose documents were built in.
    #[must_use]
    pub fn release() -> &'static str {
        Pack::bundled().release
    }

    /// An API. Without a version it is the newest one that is stable and complete: one that has less than three
    /// quarters of the methods of another is an addition to it.
    ///
    /// # Errors
    /// When there is no such API or version, or the API has no version that stands for it.
    pub fn api(&self, name: &str, version: Option<&str>) -> Result<Arc<Api>, Error> {
        let pack = Pack::bundled();
        let of_name: Vec<&Indexed> =
            pack.index.iter().filter(|it| it.listed.name == name).collect();
        let versions = || of_name.iter().map(|it| it.listed.version.to_owned()).collect::<Vec<_>>();
        if of_name.is_empty() {
            let nearest = nearest(name, pack.index.iter().map(|it| it.listed.name));
            return Err(Error::Api { name: name.to_owned(), nearest: nearest.map(str::to_owned) });
        }
        let version = match version {
            Some(version) => Some(version),
            None => newest(&of_name.iter().map(|it| it.listed).collect::<Vec<_>>()),
        };
        let found = of_name.iter().find(|it| Some(it.listed.version) == version);
        let Some(found) = found else {
            return Err(Error::Version {
                name: name.to_owned(),
                version: version.map(str::to_owned),
                known: versions(),
            });
        };
        let key = (found.listed.name, found.listed.version);
        let mut kept = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = kept.get(&key) {
            return Ok(Arc::clone(api));
        }
        let api = pack.api(found).expect("a pack that a test has read as a whole");
        let api = Arc::new(api);
        kept.insert(key, Arc::clone(&api));
        Ok(api)
    }

    /// The API of a discovery document in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or is no discovery document.
    pub fn file(&self, path: &Path) -> Result<Arc<Api>, Error> {
        let wrong = |reason: String| Error::Document { path: path.to_owned(), reason };
        let changed = std::fs::metadata(path).and_then(|it| it.modified()).ok();
        let key = (path.to_owned(), changed);
        let mut kept = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, api)) = kept.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(api));
        }
        let text = std::fs::read(path).map_err(|it| wrong(it.to_string()))?;
        let document: Value =
            serde_json::from_slice(&text).map_err(|it| wrong(format!("it is no JSON: {it}")))?;
        if document["rootUrl"].as_str().is_none() || document["servicePath"].as_str().is_none() {
            return Err(wrong("it is no discovery document: it has no rootUrl".to_owned()));
        }
        let api = Api::read(pack(&document, &[]), &Table::new(), &[]);
        let api = Arc::new(api.ok_or_else(|| wrong("it is no discovery document".to_owned()))?);
        kept.retain(|((known, _), _)| known != path);
        kept.push((key, Arc::clone(&api)));
        Ok(api)
    }
}

/// The version that is taken where none is said.
fn newest(of_name: &[Listed]) -> Option<&'static str> {
    let stable: Vec<(Vec<u32>, &Listed)> =
        of_name.iter().filter_map(|it| Some((numbers(it.version)?, it))).collect();
    let most = stable.iter().map(|(_, it)| it.methods).max();
    let complete = stable.into_iter().filter(|(_, it)| it.methods * 4 >= most.unwrap_or(0) * 3);
    let best = complete.max_by(|left, right| left.0.cmp(&right.0)).map(|(_, it)| it.version);
    // Versions with words in front, as those of `admin`, are APIs of their own.
    best.or(match of_name {
        [one] => Some(one.version),
        _ if of_name.iter().all(|it| it.version.starts_with('v')) => {
            of_name.iter().map(|it| it.version).max()
        }
        _ => None,
    })
}

/// The numbers of a stable version: `v1`, `v2.1`.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.strip_prefix('v')?.split('.').map(|it| it.parse().ok()).collect()
}

/// All APIs in one file: [`MAGIC`]; then, all numbers varints, the release's name; the sizes of the compressed
/// dictionary and of the compressed table of common strings; how many APIs, and for each its name, version, how many
/// methods, and the compressed and plain sizes of its frame; the dictionary; the strings; the frames.
struct Pack {
    release: &'static str,
    index: Vec<Indexed>,
    dictionary: Vec<u8>,
    common: Table,
    shared: Vec<u8>,
}

struct Indexed {
    listed: Listed,
    frame: &'static [u8],
    plain: usize,
}

impl Pack {
    fn bundled() -> &'static Self {
        static PACK: OnceLock<Pack> = OnceLock::new();
        PACK.get_or_init(|| Self::read(BUNDLED).expect("a pack that a test has read as a whole"))
    }

    fn read(bytes: &'static [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?);
        let release = reader.text()?;
        let dictionary = reader.size()?;
        let common = reader.size()?;
        let count = reader.size()?;
        let mut sizes = Vec::with_capacity(count);
        for _ in 0..count {
            let (name, version) = (reader.text()?, reader.text()?);
            let methods = usize::try_from(reader.number()?).ok()?;
            let packed = reader.size()?;
            let plain = usize::try_from(reader.number()?).ok()?;
            sizes.push((Listed { name, version, methods }, packed, plain));
        }
        let dictionary = zstd::bulk::decompress(reader.take(dictionary)?, LARGEST).ok()?;
        let shared = zstd::bulk::decompress(reader.take(common)?, LARGEST).ok()?;
        let common = Reader::new(&shared).table()?;
        let mut index = Vec::with_capacity(count);
        for (listed, size, plain) in sizes {
            index.push(Indexed { listed, frame: reader.take(size)?, plain });
        }
        Some(Self { release, index, dictionary, common, shared })
    }

    fn api(&'static self, found: &Indexed) -> Option<Api> {
        let mut decoder = zstd::bulk::Decompressor::with_dictionary(&self.dictionary).ok()?;
        let plain = decoder.decompress(found.frame, found.plain).ok()?;
        Api::read(plain, &self.common, &self.shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_can_be_read_as_a_whole() {
        let pack = Pack::bundled();
        assert_eq!(Store::release(), "2.202.0");
        let (mut apis, mut methods) = (0, 0);
        for indexed in &pack.index {
            let api = pack.api(indexed).unwrap();
            assert_eq!((api.name(), api.version()), (indexed.listed.name, indexed.listed.version));
            let names: Vec<&str> = api.methods().collect();
            assert_eq!(names.len(), indexed.listed.methods, "{}", api.name());
            for name in names {
                let method = api.method(name).unwrap();
                for schema in [&method.request, &method.response].into_iter().flatten() {
                    if let Some(name) = schema["$ref"].as_str() {
                        assert!(api.schema(name).is_some(), "{} {name}", api.name());
                    }
                }
            }
            methods += indexed.listed.methods;
            apis += 1;
        }
        assert!(apis > 600 && methods > 27_900, "{apis} {methods}");
    }

    #[test]
    fn versions_that_are_not_said_are_the_newest_that_are_whole() {
        let store = Store::default();
        for (name, version) in [
            ("compute", Some("v1")),
            ("iam", Some("v1")),
            ("run", Some("v2")),
            ("cloudresourcemanager", Some("v3")),
            ("dns", Some("v1")),
            ("content", Some("v2.1")),
            ("admin", None),
        ] {
            let api = store.api(name, None);
            assert_eq!(api.as_ref().ok().map(|it| it.version()), version, "{name}");
        }
        let text = store.api("admin", None).unwrap_err().to_string();
        assert!(text.contains("directory_v1") && text.contains("version"), "{text}");
        let text = store.api("compute", Some("v9")).unwrap_err().to_string();
        assert!(text.contains("v1") && text.contains("beta"), "{text}");
        let text = store.api("computer", None).unwrap_err().to_string();
        assert!(text.contains("did you mean compute?"), "{text}");
    }
}
