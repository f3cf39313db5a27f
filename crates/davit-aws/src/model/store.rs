//! Where models come from: those that were built in, and folders laid beside them as boto3 allows.
//! Reads no environment: the folders are handed in.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use serde_json::Value;
use zstd::dict::DecoderDictionary;

use super::{
    pack::{Files, Packed, merge, pack},
    service::{Metadata, Piece, Pieces, Place, Service, Slot},
    tree::{Reader, Tree},
};

/// The models that were built in: see `Pack`.
static BUNDLED: &[u8] = include_bytes!("../../models/models.bin");

/// What a pack begins with.
pub const MAGIC: &[u8] = b"davit-aws models 2\n";

/// A service that a pack has, as its index describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// `secretsmanager`.
    pub name: &'static str,
    /// `Secrets Manager`.
    pub service_id: &'static str,
    /// `AWS Secrets Manager`.
    pub full_name: &'static str,
    /// `2017-10-17`.
    pub api_version: &'static str,
}

/// Models by the names of their services. Each is read when it is first asked for and is there for
/// the rest of the process.
#[derive(Debug, Default)]
pub struct Store {
    folders: Vec<PathBuf>,
    found: Mutex<HashMap<String, Option<&'static Service>>>,
}

/// A model that is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the model in {} cannot be read: {reason}", path.display())]
pub struct ModelError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Store {
    /// The models that were built in, and those in folders with the layout of botocore's data,
    /// `SERVICE/VERSION/service-2.json`. The newest version of a service is used; of equally new ones
    /// that of the first folder.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, found: Mutex::default() }
    }

    /// The model of a service, by botocore's name; nothing if no pack and no folder has it.
    ///
    /// # Errors
    ///
    /// When a folder has it and it cannot be read.
    pub fn service(&self, name: &str) -> Result<Option<&'static Service>, ModelError> {
        let mut found = self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(service) = found.get(name) {
            return Ok(*service);
        }
        let bundled = Pack::bundled();
        let service = match self.in_folders(name) {
            Some((version, path))
                if bundled.listed(name).is_none_or(|it| version.as_str() >= it.api_version) =>
            {
                let files = read_files(&path)?;
                let common = &bundled.shared().common;
                let wrong = |reason: String| ModelError { path: path.clone(), reason };
                Some(made_of(name, &files, common).map_err(wrong)?)
            }
            _ => bundled.service(name),
        };
        let service = service.map(|it| &*Box::leak(Box::new(it)));
        found.insert(name.to_owned(), service);
        Ok(service)
    }

    /// The names of all services, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            Pack::bundled().index().iter().map(|it| it.listed.name.to_owned()).collect();
        for folder in &self.folders {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if self.in_folders(&name).is_some() {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// The services that were built in, sorted by name.
    pub fn bundled() -> impl ExactSizeIterator<Item = Listed> {
        Pack::bundled().index().iter().map(|it| it.listed)
    }

    /// The partitions of AWS: `partitions.json`.
    #[must_use]
    pub fn partitions() -> &'static Tree {
        static PARTITIONS: OnceLock<Tree> = OnceLock::new();
        PARTITIONS.get_or_init(|| Pack::bundled().partitions().unwrap_or(Tree::Null))
    }

    /// The release of botocore that the built-in models are from.
    #[must_use]
    pub fn release() -> &'static str {
        Pack::bundled().release
    }

    fn in_folders(&self, name: &str) -> Option<(String, PathBuf)> {
        let mut best: Option<(String, PathBuf)> = None;
        for folder in &self.folders {
            for entry in fs::read_dir(folder.join(name)).into_iter().flatten().flatten() {
                let version = entry.file_name().to_string_lossy().into_owned();
                let newer = best.as_ref().is_none_or(|(best, _)| version > *best);
                if newer && file_of(&entry.path(), "service-2").is_some() {
                    best = Some((version, entry.path()));
                }
            }
        }
        best
    }
}

impl Service {
    /// A service out of the files of a model that is nowhere in a folder. What it names is kept for the
    /// rest of the process, so that this is nothing to be done again and again.
    ///
    /// # Errors
    ///
    /// When its metadata names no protocol that is known, or it refers to a shape that it does not have.
    ///
    /// ```
    /// use davit_aws::model::{Files, Service};
    ///
    /// let service = serde_json::json!({
    ///     "metadata": {"protocol": "json", "targetPrefix": "Example", "jsonVersion": "1.1"},
    ///     "operations": {"Ping": {"name": "Ping", "http": {"method": "POST", "requestUri": "/"}}},
    ///     "shapes": {},
    /// });
    /// let service = Service::from_files("example", &Files { service, ..Files::default() })?;
    /// assert!(service.operation("Ping").is_some());
    /// # Ok::<(), davit_aws::model::ModelError>(())
    /// ```
    pub fn from_files(name: &str, files: &Files) -> Result<Self, ModelError> {
        made_of(name, files, &[]).map_err(|reason| ModelError { path: name.into(), reason })
    }
}

/// The service of a model's files, or what is wrong with them.
fn made_of(name: &str, files: &Files, common: &[&'static str]) -> Result<Service, String> {
    if let Some(missing) = missing_shape(&files.service) {
        return Err(format!("it has no shape {missing:?}"));
    }
    let Packed { head, pieces } = pack(files, common);
    let pieces = pieces.into_iter().map(|bytes| {
        let size = bytes.len();
        (size, piece(move || bytes.clone()))
    });
    unpack(name, head, pieces.collect(), common)
        .ok_or_else(|| "it has no metadata with a protocol that is known".to_owned())
}

/// The first shape that something refers to and that is not there.
fn missing_shape(service: &Value) -> Option<String> {
    fn values(it: &Value) -> impl Iterator<Item = &Value> {
        it.as_object().into_iter().flat_map(serde_json::Map::values)
    }
    let of_operations = values(&service["operations"]).flat_map(|it| {
        let errors = it["errors"].as_array().into_iter().flatten();
        [&it["input"], &it["output"]].into_iter().chain(errors)
    });
    let of_shapes = values(&service["shapes"]).flat_map(|it| {
        [&it["member"], &it["key"], &it["value"]].into_iter().chain(values(&it["members"]))
    });
    let mut names = of_operations.chain(of_shapes).filter_map(|it| it["shape"].as_str());
    names.find(|it| service["shapes"].get(it).is_none()).map(str::to_owned)
}

/// The file of a name in a folder, packed or not.
fn file_of(folder: &Path, name: &str) -> Option<PathBuf> {
    [format!("{name}.json"), format!("{name}.json.gz")]
        .into_iter()
        .map(|file| folder.join(file))
        .find(|path| path.is_file())
}

/// The files of a model's folder, with what the `sdk-extras` add to them.
///
/// # Errors
///
/// When one of them cannot be read or is no JSON, or there is no `service-2.json`.
pub fn read_files(folder: &Path) -> Result<Files, ModelError> {
    let read = |name: &str| -> Result<Value, ModelError> {
        let Some(path) = file_of(folder, name) else { return Ok(Value::Null) };
        let wrong = |reason: String| ModelError { path: path.clone(), reason };
        let mut bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        if path.extension().is_some_and(|it| it == "gz") {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(bytes.as_slice())
                .read_to_end(&mut plain)
                .map_err(|error| wrong(error.to_string()))?;
            bytes = plain;
        }
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
    };
    let with_extras = |name: &str| -> Result<Value, ModelError> {
        let mut value = read(name)?;
        let extras = read(&format!("{name}.sdk-extras"))?;
        if let Some(extras) = extras.get("merge") {
            merge(&mut value, extras);
        }
        Ok(value)
    };
    let files = Files {
        service: with_extras("service-2")?,
        paginators: with_extras("paginators-1")?,
        waiters: with_extras("waiters-2")?,
        rules: with_extras("endpoint-rule-set-1")?,
    };
    if files.service.is_null() {
        let reason = "there is no service-2.json".to_owned();
        return Err(ModelError { path: folder.to_owned(), reason });
    }
    Ok(files)
}

/// All models in one file: `MAGIC`; then, all numbers varints, the release's name; the sizes of the
/// dictionary, of the frame of common strings and of the partitions' frame; how many services, and for each its name, id,
/// full name, version, the compressed and plain sizes of its head, how many pieces it has and the same of each; the
/// dictionary; the strings; the partitions; the frames.
struct Pack {
    release: &'static str,
    index: Vec<Indexed>,
    dictionary: &'static [u8],
    common: &'static [u8],
    partitions: &'static [u8],
    unpacked: OnceLock<Unpacked>,
}

struct Indexed {
    listed: Listed,
    head: Frame,
    pieces: Vec<Frame>,
}

/// Something compressed, and how large it is when it is not.
#[derive(Clone, Copy)]
struct Frame {
    bytes: &'static [u8],
    plain: usize,
}

/// What all frames share: the dictionary and the strings.
struct Unpacked {
    dictionary: DecoderDictionary<'static>,
    common: Vec<&'static str>,
}

impl Frame {
    fn unpack(self, shared: &Unpacked) -> Option<Vec<u8>> {
        let mut decoder =
            zstd::bulk::Decompressor::with_prepared_dictionary(&shared.dictionary).ok()?;
        decoder.decompress(self.bytes, self.plain).ok()
    }
}

impl Pack {
    fn bundled() -> &'static Self {
        static PACK: OnceLock<Pack> = OnceLock::new();
        PACK.get_or_init(|| Self::read(BUNDLED).expect("a pack that a test has read as a whole"))
    }

    fn read(bytes: &'static [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC)?, &[]);
        let text = |reader: &mut Reader| {
            let size = reader.size()?;
            std::str::from_utf8(reader.take(size)?).ok()
        };
        let release = text(&mut reader)?;
        let dictionary = reader.size()?;
        let common = reader.size()?;
        let partitions = reader.size()?;
        let count = reader.size()?;
        let mut sizes = Vec::new();
        for _ in 0..count {
            let listed = Listed {
                name: text(&mut reader)?,
                service_id: text(&mut reader)?,
                full_name: text(&mut reader)?,
                api_version: text(&mut reader)?,
            };
            let head = (reader.size()?, reader.size()?);
            let count = reader.size()?;
            let mut pieces = Vec::with_capacity(count.min(1 << 10));
            for _ in 0..count {
                pieces.push((reader.size()?, reader.size()?));
            }
            sizes.push((listed, head, pieces));
        }
        let dictionary = reader.take(dictionary)?;
        let common = reader.take(common)?;
        let partitions = reader.take(partitions)?;
        let mut index = Vec::with_capacity(sizes.len());
        let mut frame = |(size, plain)| Some(Frame { bytes: reader.take(size)?, plain });
        for (listed, head, pieces) in sizes {
            let head = frame(head)?;
            let pieces = pieces.into_iter().map(&mut frame).collect::<Option<_>>()?;
            index.push(Indexed { listed, head, pieces });
        }
        Some(Self { release, index, dictionary, common, partitions, unpacked: OnceLock::new() })
    }

    fn index(&self) -> &[Indexed] {
        &self.index
    }

    fn find(&self, name: &str) -> Option<&Indexed> {
        let place = self.index.binary_search_by(|it| it.listed.name.cmp(name)).ok()?;
        Some(&self.index[place])
    }

    fn listed(&self, name: &str) -> Option<Listed> {
        self.find(name).map(|it| it.listed)
    }

    fn service(&'static self, name: &str) -> Option<Service> {
        let found = self.find(name)?;
        let shared = self.shared();
        let head = found.head.unpack(shared)?;
        let pieces = found.pieces.iter().map(|&frame| {
            // A pack that a test has read as a whole: nothing of it cannot be unpacked.
            (frame.plain, piece(move || frame.unpack(shared).unwrap_or_default()))
        });
        unpack(found.listed.name, head, pieces.collect(), &shared.common)
    }

    fn shared(&self) -> &Unpacked {
        self.unpacked.get_or_init(|| {
            let common = zstd::bulk::decompress(self.common, 1 << 20).unwrap_or_default();
            let common = strings(common.leak(), &[]).map(|it| it.0.to_vec()).unwrap_or_default();
            Unpacked { dictionary: DecoderDictionary::copy(self.dictionary), common }
        })
    }

    fn partitions(&self) -> Option<Tree> {
        let plain = zstd::bulk::decompress(self.partitions, 1 << 20).ok()?;
        let (strings, mut reader) = strings(plain.leak(), &[])?;
        let size = reader.size()?;
        Reader::new(reader.take(size)?, strings).tree()
    }
}

/// The strings of a frame, the common ones first, and a reader of what follows its own.
fn strings(
    bytes: &'static [u8],
    common: &[&'static str],
) -> Option<(&'static [&'static str], Reader)> {
    let mut reader = Reader::new(bytes, &[]);
    let count = reader.size()?;
    let mut sizes = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        sizes.push(reader.size()?);
    }
    let mut strings = Vec::with_capacity(common.len() + sizes.len());
    strings.extend(common);
    // Looked at once as a whole, which is much quicker than one by one.
    let text = std::str::from_utf8(reader.take(sizes.iter().sum())?).ok()?;
    let mut at = 0;
    for size in sizes {
        strings.push(text.get(at..at + size)?);
        at += size;
    }
    let strings: &'static [&'static str] = strings.leak();
    Some((strings, reader.with_strings(strings)))
}

fn piece(unpack: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Piece {
    Piece { unpack: Box::new(unpack), bytes: OnceLock::new() }
}

/// Reads what `pack` made, as far as the places of operations and shapes. `pieces` come with their sizes; without
/// any the trees stand in the head.
fn unpack(
    name: &str,
    head: Vec<u8>,
    mut pieces: Vec<(usize, Piece)>,
    common: &[&'static str],
) -> Option<Service> {
    let (strings, mut reader) = strings(head.leak(), common)?;
    let side = |reader: &mut Reader| {
        let size = reader.size()?;
        Some(Reader::new(reader.take(size)?, strings))
    };
    let metadata = Metadata::read(side(&mut reader)?.tree()?)?;
    let client_context = side(&mut reader)?;
    let paginators = side(&mut reader)?;
    let waiters = side(&mut reader)?;
    let rules = side(&mut reader)?;
    let sizes: Vec<usize> = pieces.iter().map(|(size, _)| *size).collect();
    let mut place = Place { piece: 0, from: 0, size: 0 };
    let operations = slots(&mut reader, &sizes, &mut place)?;
    let shapes = slots(&mut reader, &sizes, &mut place)?;
    if pieces.is_empty() {
        let rest = reader.rest();
        pieces.push((rest.len(), Piece { unpack: Box::new(Vec::new), bytes: rest.into() }));
    }
    let pieces = pieces.into_iter().map(|(_, piece)| piece).collect();
    Some(Service {
        name: String::from(name).leak(),
        metadata,
        operations,
        shapes,
        pieces: Box::leak(Box::new(Pieces { strings, pieces })),
        paginators,
        waiters,
        rules,
        client_context,
        compiled_rules: OnceLock::new(),
    })
}

/// Names and places, which go on behind the last `place` and into the next piece where one has ended.
fn slots<T>(reader: &mut Reader, sizes: &[usize], place: &mut Place) -> Option<Vec<Slot<T>>> {
    let count = reader.size()?;
    let mut slots = Vec::with_capacity(count.min(1 << 16));
    for _ in 0..count {
        let name = reader.string()?;
        place.from = place.from.checked_add(place.size)?;
        place.size = reader.size()?;
        if sizes.get(place.piece).is_some_and(|it| place.from >= *it) {
            place.piece += 1;
            place.from = 0;
        }
        slots.push(Slot { name, place: *place, value: OnceLock::new() });
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::{Kind, Protocol};

    #[test]
    fn every_model_that_was_built_in_is_read_as_a_whole() {
        let store = Store::default();
        let mut operations = 0;
        for listed in Store::bundled() {
            let service = store.service(listed.name).expect("readable").expect("there");
            for name in service.operation_names() {
                let operation = service.operation(name).expect("listed");
                operations += 1;
                assert_eq!(operation.name, name);
                for shape in operation.input.into_iter().chain(operation.output) {
                    assert!(service.structure(shape).is_some(), "{}.{name}", listed.name);
                }
            }
            for shape in 0..service.shapes.len() {
                let id = super::super::service::ShapeId(shape.try_into().expect("small"));
                match &service.shape(id).kind {
                    Kind::Structure(it) => {
                        for member in &it.members {
                            assert!(!service.shape(member.shape).name.is_empty());
                        }
                    }
                    Kind::List { member, .. } => drop(service.shape(member.shape).name),
                    _ => {}
                }
            }
            assert!(matches!(service.endpoint_rules(), Tree::Map(_)), "{}", listed.name);
        }
        assert!(operations > 19_000, "{operations}");
        assert!(matches!(Store::partitions(), Tree::Map(_)));
    }

    #[test]
    fn protocols_are_those_that_botocore_resolves() {
        let store = Store::default();
        for (name, protocol) in [
            ("ec2", Protocol::Ec2),
            ("s3", Protocol::RestXml),
            ("sts", Protocol::Query),
            ("cloudwatch", Protocol::Json),
            ("lambda", Protocol::RestJson),
            ("eventbridgev2", Protocol::Cbor),
        ] {
            let service = store.service(name).expect("readable").expect("there");
            assert_eq!(service.metadata.protocol, protocol, "{name}");
        }
    }
}
