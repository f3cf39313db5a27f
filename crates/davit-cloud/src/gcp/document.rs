//! An API as its discovery document describes it: what methods there are, what they take and give. Does no IO.

use std::ops::Range;

use davit_aws::validate::nearest;
use serde_json::{Map, Value};

use super::error::Error;
use super::tree::{Reader, Strings, Table};

/// An API. Methods and schemas are read out of it one by one.
#[derive(Debug)]
pub struct Api {
    bytes: Vec<u8>,
    own: Table,
    common: Table,
    shared: &'static [u8],
    head: Value,
    methods: Vec<Slot>,
    schemas: Vec<Slot>,
}

/// Where something of a name lies.
#[derive(Debug)]
struct Slot {
    name: usize,
    range: Range<usize>,
}

/// A method.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// The name with the resources that it is in: `instances.insert`.
    pub name: String,
    /// `GET`, `POST` ...
    pub verb: String,
    /// The template of its path, behind the API's own: `projects/{project}/zones/{zone}/instances`.
    pub path: String,
    /// What it takes, with what every method takes.
    pub parameters: Vec<Parameter>,
    /// The schema of what goes along with it.
    pub request: Option<Value>,
    /// The schema of what it answers.
    pub response: Option<Value>,
    /// What tokens have to be good for; any of these will do.
    pub scopes: Vec<String>,
    /// The version that has to be said in a header.
    pub api_version: Option<String>,
    /// How it takes media.
    pub upload: Option<Upload>,
    /// It gives media with `alt=media`.
    pub gives_media: bool,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// What it is: `string`, `integer`, `number` or `boolean`.
    pub kind: String,
    /// It stands in the path.
    pub in_path: bool,
    /// It has to be there.
    pub required: bool,
    /// There may be several of it.
    pub repeated: bool,
    /// What it may be; anything if there is nothing here.
    pub choices: Vec<String>,
    /// What it looks like, as a regular expression.
    pub pattern: Option<String>,
    /// It goes with every method of the API.
    pub common: bool,
}

/// How a method takes media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// In parts, which can be gone on with.
    pub resumable: bool,
    /// `*/*`, `image/png` ...
    pub accept: Vec<String>,
    /// How many bytes it takes at most.
    pub most: Option<u64>,
}

impl Api {
    /// Reads a frame that was packed with these common strings.
    pub(super) fn read(bytes: Vec<u8>, common: &Table, shared: &'static [u8]) -> Option<Self> {
        let mut reader = Reader::new(&bytes);
        let own = reader.table()?;
        let head = reader.value(Strings { common, own: &own, bytes: &bytes, shared })?;
        let mut slots = || {
            let count = reader.size()?;
            let mut slots = Vec::with_capacity(count);
            for _ in 0..count {
                let name = usize::try_from(reader.number()?).ok()?;
                slots.push(Slot { name, range: 0..reader.size()? });
            }
            Some(slots)
        };
        let (mut methods, mut schemas) = (slots()?, slots()?);
        let mut at = reader.place();
        for slot in methods.iter_mut().chain(&mut schemas) {
            slot.range = at..at.checked_add(slot.range.end)?;
            at = slot.range.end;
        }
        let common = common.clone();
        (at == bytes.len()).then_some(Self { bytes, own, common, shared, head, methods, schemas })
    }

    /// `compute`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.head["name"].as_str().unwrap_or_default()
    }

    /// `v1`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.head["version"].as_str().unwrap_or_default()
    }

    /// `https://compute.googleapis.com/`.
    #[must_use]
    pub fn root(&self) -> &str {
        self.head["rootUrl"].as_str().unwrap_or_default()
    }

    /// `compute/v1/`; empty for most.
    #[must_use]
    pub fn service_path(&self) -> &str {
        self.head["servicePath"].as_str().unwrap_or_default()
    }

    /// The names of all methods, sorted.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().filter_map(|it| self.strings().at(it.name))
    }

    /// A method, by its name or its id: `instances.insert`, `compute.instances.insert`.
    ///
    /// # Errors
    /// When the API has none of that name.
    pub fn method(&self, name: &str) -> Result<Method, Error> {
        let short = name.strip_prefix(self.name()).and_then(|it| it.strip_prefix('.'));
        let found = self.value(&self.methods, name).or_else(|| {
            let short = short?;
            Some((short, self.value(&self.methods, short)?.1))
        });
        let found = found.or_else(|| {
            // Some ids say less than where the method stands.
            let all = self.methods().filter_map(|it| self.value(&self.methods, it));
            all.into_iter().find(|(_, it)| it["id"] == name)
        });
        let Some((name, value)) = found else {
            let nearest = nearest(short.unwrap_or(name), self.methods());
            return Err(Error::Method {
                api: self.name().to_owned(),
                version: self.version().to_owned(),
                name: name.to_owned(),
                nearest: nearest.map(str::to_owned),
            });
        };
        Ok(Method::of(name, &value, &self.head["parameters"]))
    }

    /// Whether there is a method of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.methods().any(|it| it == name)
    }

    /// A schema by its name.
    #[must_use]
    pub fn schema(&self, name: &str) -> Option<Value> {
        self.value(&self.schemas, name).map(|(_, it)| it)
    }

    /// A schema, or the one that it refers to.
    #[must_use]
    pub fn resolved(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(name) => self.schema(name).unwrap_or_default(),
            None => schema.clone(),
        }
    }

    fn value<'a>(&'a self, slots: &'a [Slot], name: &str) -> Option<(&'a str, Value)> {
        let strings = self.strings();
        let found = slots.binary_search_by(|it| strings.at(it.name).unwrap_or_default().cmp(name));
        let slot = &slots[found.ok()?];
        let mut reader = Reader::new(self.bytes.get(slot.range.clone())?);
        Some((strings.at(slot.name)?, reader.value(strings)?))
    }

    fn strings(&self) -> Strings<'_> {
        Strings { common: &self.common, own: &self.own, bytes: &self.bytes, shared: self.shared }
    }
}

impl Method {
    fn of(name: &str, value: &Value, common: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let path = text("path");
        let own = value["parameters"].as_object().into_iter().flatten();
        let mut parameters: Vec<Parameter> =
            own.map(|(name, it)| Parameter::of(name, it, &path, false)).collect();
        for (name, it) in common.as_object().into_iter().flatten() {
            if parameters.iter().all(|own| own.name != *name) {
                parameters.push(Parameter::of(name, it, &path, true));
            }
        }
        let upload = value.get("mediaUpload").map(|it| Upload {
            resumable: it["resumable"] == true,
            accept: texts(&it["accept"]),
            most: it["maxSize"].as_str().and_then(size),
        });
        Self {
            name: name.to_owned(),
            verb: text("httpMethod"),
            parameters,
            request: value.get("request").cloned(),
            response: value.get("response").cloned(),
            scopes: texts(&value["scopes"]),
            api_version: value["apiVersion"].as_str().map(str::to_owned),
            upload,
            gives_media: value["supportsMediaDownload"] == true,
            path,
        }
    }

    /// A parameter by its name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|it| it.name == name)
    }

    /// The last part of the name: `insert`.
    #[must_use]
    pub fn verb_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

impl Parameter {
    fn of(name: &str, value: &Value, path: &str, common: bool) -> Self {
        let in_path = value["location"] == "path"
            || [format!("{{{name}}}"), format!("{{+{name}}}")].iter().any(|it| path.contains(it));
        Self {
            name: name.to_owned(),
            kind: value["type"].as_str().unwrap_or("string").to_owned(),
            in_path,
            required: value["required"] == true,
            repeated: value["repeated"] == true,
            choices: texts(&value["enum"]),
            pattern: value["pattern"].as_str().map(str::to_owned),
            common,
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `10GB` in bytes.
fn size(text: &str) -> Option<u64> {
    for (unit, shift) in [("KB", 10), ("MB", 20), ("GB", 30), ("TB", 40)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<u64>().ok()?.checked_mul(1 << shift);
        }
    }
    text.parse().ok()
}

/// The properties of a schema that lies open.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema["properties"].as_object()
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;

    #[test]
    fn methods_are_found_by_name_and_id() {
        let api = Store::default().api("compute", Some("v1")).unwrap();
        assert_eq!(api.root(), "https://compute.googleapis.com/");
        assert_eq!(api.service_path(), "compute/v1/");
        for name in ["instances.insert", "compute.instances.insert"] {
            let method = api.method(name).unwrap();
            assert_eq!((method.verb.as_str(), method.name.as_str()), ("POST", "instances.insert"));
            assert_eq!(method.path, "projects/{project}/zones/{zone}/instances");
            assert!(method.parameter("project").unwrap().required);
            assert!(method.parameter("fields").unwrap().common);
            assert_eq!(method.request.unwrap()["$ref"], "Instance");
        }
        let text = api.method("instance.insert").unwrap_err().to_string();
        assert!(text.contains("did you mean instances.insert?"), "{text}");
        let storage = Store::default().api("storage", None).unwrap();
        let upload = storage.method("objects.insert").unwrap().upload.unwrap();
        assert!(upload.resumable && upload.accept == ["*/*"]);
        assert!(storage.method("objects.get").unwrap().gives_media);
    }
}
