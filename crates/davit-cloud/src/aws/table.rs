//! Tables of DynamoDB: their keys and indexes as a task says them and as the service takes them, and waiting for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Control;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::parts::{list, text};

/// What kind of value a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum KeyType {
    /// Text.
    #[serde(rename(deserialize = "STRING", serialize = "S"))]
    String,
    /// A number.
    #[serde(rename(deserialize = "NUMBER", serialize = "N"))]
    Number,
    /// Bytes.
    #[serde(rename(deserialize = "BINARY", serialize = "B"))]
    Binary,
}

/// What kind of index there is, and what it holds besides keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexType {
    /// Local, with everything.
    All,
    /// Global, with everything.
    GlobalAll,
    /// Global, with the fields of `includes`.
    GlobalInclude,
    /// Global, with nothing.
    GlobalKeysOnly,
    /// Local, with the fields of `includes`.
    Include,
    /// Local, with nothing.
    KeysOnly,
}

impl IndexType {
    /// Whether it has keys and throughput of its own.
    #[must_use]
    pub fn is_global(self) -> bool {
        matches!(self, Self::GlobalAll | Self::GlobalInclude | Self::GlobalKeysOnly)
    }

    fn projection(self) -> &'static str {
        match self {
            Self::All | Self::GlobalAll => "ALL",
            Self::Include | Self::GlobalInclude => "INCLUDE",
            Self::KeysOnly | Self::GlobalKeysOnly => "KEYS_ONLY",
        }
    }
}

/// An index of a table.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Index {
    /// Its first key. A new index needs it.
    #[serde(default)]
    pub hash_key_name: Option<String>,
    /// What kind of value that is; text, unless the table says otherwise.
    #[serde(default)]
    pub hash_key_type: Option<KeyType>,
    /// The fields that it holds besides keys.
    #[serde(default)]
    pub includes: Option<Vec<String>>,
    /// Its name.
    pub name: String,
    /// Its second key.
    #[serde(default)]
    pub range_key_name: Option<String>,
    /// What kind of value that is; text, unless the table says otherwise.
    #[serde(default)]
    pub range_key_type: Option<KeyType>,
    /// How many reads a second it is made for.
    #[serde(default)]
    pub read_capacity: Option<i64>,
    /// What it is. That of an index that is there cannot be changed.
    #[serde(rename = "type")]
    pub kind: IndexType,
    /// How many writes a second it is made for.
    #[serde(default)]
    pub write_capacity: Option<i64>,
}

/// Keys by name, and what kind of value each is.
pub type Attributes = BTreeMap<String, Json>;

impl Index {
    /// What is wrong with it, whatever there is.
    ///
    /// # Errors
    /// Where what is said contradicts itself.
    pub fn check(&self) -> Result<(), ModuleError> {
        let includes = self.kind.projection() == "INCLUDE";
        let wrong = |what: &str| Err(ModuleError::failed(format!("index {}: {what}", self.name)));
        if !includes && self.includes.as_ref().is_some_and(|it| !it.is_empty()) {
            return wrong("includes is for include and global_include only");
        }
        let has_capacity = self.read_capacity.is_some() || self.write_capacity.is_some();
        if has_capacity && !self.kind.is_global() {
            return wrong("a local index has the capacity of its table");
        }
        Ok(())
    }

    /// Adds its keys to those of the table.
    pub fn add_attributes(&self, to: &mut Attributes) {
        add_attribute(to, self.hash_key_name.as_deref(), self.hash_key_type);
        add_attribute(to, self.range_key_name.as_deref(), self.range_key_type);
    }

    /// A new one, as operations take it.
    ///
    /// # Errors
    /// Where something is missing.
    pub fn created(&self, capacity: Option<(i64, i64)>) -> Result<Json, ModuleError> {
        let wrong = |what: &str| Err(ModuleError::failed(format!("index {}: {what}", self.name)));
        let Some(hash) = &self.hash_key_name else {
            return wrong("a new index needs hash_key_name");
        };
        let includes = self.kind.projection() == "INCLUDE";
        let fields = self.includes.as_deref().unwrap_or_default();
        if includes && fields.is_empty() {
            return wrong("a new index of this type needs includes");
        }
        let mut index = json!({
            "IndexName": self.name,
            "KeySchema": key_schema(hash, self.range_key_name.as_deref()),
            "Projection": {"ProjectionType": self.kind.projection()},
        });
        if includes {
            index["Projection"]["NonKeyAttributes"] = json!(fields);
        }
        if let Some(throughput) = self.throughput(capacity)
            && self.kind.is_global()
        {
            index["ProvisionedThroughput"] = throughput;
        }
        Ok(index)
    }

    /// The throughput that it should have, given what it has; nothing where the table is billed by the request.
    #[must_use]
    pub fn throughput(&self, capacity: Option<(i64, i64)>) -> Option<Json> {
        let (read, write) = capacity?;
        Some(throughput(self.read_capacity.unwrap_or(read), self.write_capacity.unwrap_or(write)))
    }

    /// Whether an index that is there is what is wanted, as far as it cannot be changed.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn fits(&self, table: &Value, index: &Value) -> Result<(), String> {
        let name = &self.name;
        let differs = |what: &str, is: &str| {
            Err(format!("{what} of index {name} is {is}, and cannot be changed"))
        };
        let is = index.get("Projection").map(|it| text(it, "ProjectionType")).unwrap_or_default();
        if is != self.kind.projection() {
            return differs("the projection", is);
        }
        if let Some(wanted) = self.includes.as_ref().filter(|it| !it.is_empty()) {
            let fields = index.get("Projection").map(|it| list(it, "NonKeyAttributes"));
            let mut fields: Vec<&str> =
                fields.unwrap_or_default().iter().filter_map(Value::as_str).collect();
            let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            fields.sort_unstable();
            wanted.sort_unstable();
            if fields != wanted {
                return differs("includes", &fields.join(", "));
            }
        }
        let attributes = attributes(table);
        for (kind, wanted, kind_wanted) in [
            ("HASH", &self.hash_key_name, self.hash_key_type),
            ("RANGE", &self.range_key_name, self.range_key_type),
        ] {
            key_fits(index, kind, (wanted.as_deref(), kind_wanted), &attributes)
                .or_else(|is| differs(&format!("the {} key", kind.to_lowercase()), &is))?;
        }
        Ok(())
    }
}

/// Whether a key of a table or index is what is wanted; what it is, where it is not.
///
/// # Errors
/// What it is.
pub fn key_fits(
    of: &Value,
    kind: &str,
    (wanted, kind_wanted): (Option<&str>, Option<KeyType>),
    attributes: &Attributes,
) -> Result<(), String> {
    let is = key(of, kind);
    if let Some(wanted) = wanted
        && is != Some(wanted)
    {
        return Err(is.unwrap_or("not there").to_owned());
    }
    let kind_is = is.and_then(|it| attributes.get(it));
    match (kind_wanted, kind_is) {
        (Some(wanted), Some(kind)) if json!(wanted) != *kind => {
            Err(format!("{} of type {}", is.unwrap_or_default(), kind.as_str().unwrap_or_default()))
        }
        _ => Ok(()),
    }
}

/// A key of a table or index.
#[must_use]
pub fn key<'a>(of: &'a Value, kind: &str) -> Option<&'a str> {
    let found = list(of, "KeySchema").iter().find(|it| text(it, "KeyType") == kind);
    found.map(|it| text(it, "AttributeName"))
}

/// Keys as operations take them.
#[must_use]
pub fn key_schema(hash: &str, range: Option<&str>) -> Json {
    let hash = json!({"AttributeName": hash, "KeyType": "HASH"});
    let range = range.map(|it| json!({"AttributeName": it, "KeyType": "RANGE"}));
    std::iter::once(hash).chain(range).collect()
}

/// Throughput as operations take it.
#[must_use]
pub fn throughput(read: i64, write: i64) -> Json {
    json!({"ReadCapacityUnits": read, "WriteCapacityUnits": write})
}

/// The throughput that a table or index has.
#[must_use]
pub fn capacity(of: &Value) -> (i64, i64) {
    let of = of.get("ProvisionedThroughput");
    let number = |name: &str| of.and_then(|it| it.get(name)?.as_int()).unwrap_or_default();
    (number("ReadCapacityUnits"), number("WriteCapacityUnits"))
}

/// The keys of a table and of its indexes.
#[must_use]
pub fn attributes(table: &Value) -> Attributes {
    let attributes = list(table, "AttributeDefinitions").iter();
    let named = attributes
        .map(|it| (text(it, "AttributeName").to_owned(), text(it, "AttributeType").into()));
    named.collect()
}

/// Adds a key, whose type counts where it is said or where the key has none yet.
pub fn add_attribute(to: &mut Attributes, name: Option<&str>, kind: Option<KeyType>) {
    let Some(name) = name else { return };
    match kind {
        Some(kind) => {
            to.insert(name.to_owned(), json!(kind));
        }
        None => {
            to.entry(name.to_owned()).or_insert_with(|| json!(KeyType::String));
        }
    }
}

/// Keys as operations define them.
#[must_use]
pub fn definitions(attributes: &Attributes) -> Json {
    let one =
        |(name, kind): (&String, &Json)| json!({"AttributeName": name, "AttributeType": kind});
    attributes.iter().map(one).collect()
}

/// The table of that name, where there is one.
///
/// # Errors
/// When the service cannot be asked.
pub async fn table(aws: &Aws, name: &str) -> Result<Option<Value>, ModuleError> {
    let params = json!({"TableName": name});
    let missing = &["ResourceNotFoundException"];
    let found = aws.find("dynamodb", "DescribeTable", params, missing).await?;
    Ok(found.and_then(|it| it.get("Table").cloned()))
}

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Whether nothing is done to a table or one of its indexes.
#[must_use]
pub fn is_at_rest(table: &Value) -> bool {
    let is_active = |state: &str| matches!(state, "ACTIVE" | "");
    let indexes = list(table, "GlobalSecondaryIndexes");
    is_active(text(table, "TableStatus"))
        && indexes.iter().all(|it| is_active(text(it, "IndexStatus")))
}

/// Waits until nothing is done to a table or one of its indexes. One that is not there yet may come.
///
/// # Errors
/// When it does not come about in time.
pub async fn until_at_rest(
    control: &Control,
    aws: &Aws,
    name: &str,
    patience: Duration,
) -> Result<Value, ModuleError> {
    let began = Instant::now();
    loop {
        match table(aws, name).await? {
            Some(table) if is_at_rest(&table) => return Ok(table),
            _ if began.elapsed() + PAUSE > patience => {
                let text = format!("{name} and its indexes did not get active in time");
                return Err(ModuleError::failed(text));
            }
            _ => {
                control.tell(&format!("waiting for {name}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(json: Json) -> Index {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_new_index_is_told_with_its_keys_and_fields() {
        let one = index(json!({
            "name": "by-owner", "type": "global_include", "hash_key_name": "owner",
            "range_key_name": "at", "range_key_type": "NUMBER", "includes": ["total"], "read_capacity": 5,
        }));
        let expect = json!({
            "IndexName": "by-owner",
            "KeySchema": [
                {"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total"]},
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 1},
        });
        assert_eq!(one.created(Some((1, 1))).unwrap(), expect);
        assert!(one.created(None).unwrap().get("ProvisionedThroughput").is_none());
        let mut attributes = Attributes::from([("owner".to_owned(), json!("B"))]);
        one.add_attributes(&mut attributes);
        assert_eq!(json!(attributes), json!({"owner": "B", "at": "N"}));
    }

    #[test]
    fn an_index_that_is_told_wrongly_is_refused() {
        let wrong = |json: Json| {
            let one = index(json);
            one.check().and_then(|()| one.created(None).map(drop)).unwrap_err().message()
        };
        let text = wrong(json!({"name": "one", "type": "all"}));
        assert_eq!(text, "index one: a new index needs hash_key_name");
        let text = wrong(json!({"name": "one", "type": "include", "hash_key_name": "id"}));
        assert_eq!(text, "index one: a new index of this type needs includes");
        let text = wrong(json!({"name": "one", "type": "all", "includes": ["a"]}));
        assert_eq!(text, "index one: includes is for include and global_include only");
        let text = wrong(json!({"name": "one", "type": "all", "read_capacity": 1}));
        assert_eq!(text, "index one: a local index has the capacity of its table");
    }

    #[test]
    fn what_is_worked_at_is_not_at_rest() {
        let at_rest = |table: &str, index: &str| {
            let indexes = json!([{"IndexStatus": index}]);
            is_at_rest(&json!({"TableStatus": table, "GlobalSecondaryIndexes": indexes}).into())
        };
        assert!(at_rest("ACTIVE", "ACTIVE"));
        assert!(!at_rest("ACTIVE", "CREATING"));
        assert!(!at_rest("UPDATING", "ACTIVE"));
    }
}
