//! `community.aws.dynamodb_table`: makes, changes and deletes tables of DynamoDB.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/community/aws/dynamodb_table_module.html>

use std::time::Duration;

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::aws::args::{State, yes};
use crate::aws::client::Aws;
use crate::aws::login::Login;
use crate::aws::names::snake_all;
use crate::aws::parts::{list, text};
use crate::aws::shapes::said;
use crate::aws::table::{self, Attributes, Index, KeyType};
use crate::aws::tagging::{TagOperations, Tagged};
use crate::aws::tags::{Shape, TagArgs, Tags};

/// Keep a table of DynamoDB.
///
/// Of a table that is there the billing, throughput, class and tags are changed, the throughput of global indexes is,
/// and new global indexes are made, one after the other. Indexes that the task does not name stay. Keys cannot be
/// changed; of what else cannot be changed of an index there is a warning.
///
/// ```yaml
/// - community.aws.dynamodb_table:
///     name: orders
///     hash_key_name: customer
///     range_key_name: at
///     range_key_type: NUMBER
///     billing_mode: PAY_PER_REQUEST
///     indexes:
///       - {name: by-state, type: global_keys_only, hash_key_name: state}
///     tags: {team: shop}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Whether throughput is provided, or each request is paid for. A new table has the former.
    #[serde(default)]
    billing_mode: Option<Billing>,
    /// The first key. A new table needs it.
    #[serde(default)]
    hash_key_name: Option<String>,
    /// What kind of value that is; text for a new table.
    #[serde(default)]
    hash_key_type: Option<KeyType>,
    /// The indexes.
    #[serde(default)]
    indexes: Vec<Index>,
    /// The name.
    name: String,
    /// The second key.
    #[serde(default)]
    range_key_name: Option<String>,
    /// What kind of value that is; text for a new table.
    #[serde(default)]
    range_key_type: Option<KeyType>,
    /// How many reads a second it is made for; one for a new table.
    #[serde(default)]
    read_capacity: Option<i64>,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// The class: what storage costs, and what requests do.
    #[serde(default)]
    table_class: Option<Class>,
    /// Wait until all is done. Without it, only for one change before the next.
    #[serde(default = "yes")]
    wait: bool,
    /// For how many seconds to wait at most, for each thing that is waited for.
    #[serde(default = "quarter_hour")]
    #[schemars(extend("x-aliases" = ["wait_for_active_timeout"]))]
    wait_timeout: u64,
    /// How many writes a second it is made for; one for a new table.
    #[serde(default)]
    write_capacity: Option<i64>,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

const fn quarter_hour() -> u64 {
    900
}

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Billing {
    /// The throughput that is provided.
    Provisioned,
    /// Each request.
    PayPerRequest,
}

/// What costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Class {
    /// Storage.
    Standard,
    /// Requests.
    StandardInfrequentAccess,
}

/// The throughput of what is new.
const FIRST: (i64, i64) = (1, 1);
/// How it says that a table is still being changed.
const BUSY: &[&str] = &["ResourceInUseException"];
/// How it takes tags.
const TAGS: TagOperations = TagOperations::usual("dynamodb").patient(BUSY);

/// `community.aws.dynamodb_table`.
pub(crate) struct DynamodbTable;

impl Module for DynamodbTable {
    const NAME: &'static str = "community.aws.dynamodb_table";
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.indexes.iter().try_for_each(Index::check)?;
        let aws = Aws::new(control, &args.login)?;
        let work = Work { control, aws: &aws, args: &args };
        let found = table::table(&aws, &args.name).await?;
        let outcome = match (args.state, found) {
            (State::Absent, None) => Ok(Outcome::new()),
            (State::Absent, Some(table)) => work.delete(&table).await,
            (State::Present, Some(table)) if text(&table, "TableStatus") != "DELETING" => {
                work.update(table).await
            }
            (State::Present, going) => work.create(going.is_some()).await,
        };
        outcome.map(|it| aws.tell(it))
    }
}

/// A call of this module.
struct Work<'a> {
    control: &'a Control,
    aws: &'a Aws,
    args: &'a Args,
}

impl Work<'_> {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.args.wait_timeout)
    }

    async fn until_at_rest(&self) -> Result<Value, ModuleError> {
        table::until_at_rest(self.control, self.aws, &self.args.name, self.patience()).await
    }

    async fn until_gone(&self) -> Result<(), ModuleError> {
        self.control.tell(&format!("waiting until {} is gone", self.args.name));
        let params = json!({"TableName": self.args.name});
        self.aws.wait("dynamodb", "table_not_exists", params, self.patience()).await
    }

    async fn delete(&self, table: &Value) -> Result<Outcome, ModuleError> {
        if text(table, "TableStatus") != "DELETING" {
            let edit = Edit::new("delete the table", text(table, "TableArn"));
            let edit = edit.from(told(table, &self.tags(table).await?));
            let params = json!({"TableName": self.args.name});
            let act = async || {
                if !table::is_at_rest(table) {
                    self.until_at_rest().await?;
                }
                self.aws
                    .insist("dynamodb", "DeleteTable", params, &["ResourceInUseException"])
                    .await
            };
            self.control.change(edit, act).await?;
        }
        if self.args.wait && !self.control.is_check() {
            self.until_gone().await?;
        }
        Ok(Outcome::new())
    }

    /// Makes it, after one of the same name that is `going`.
    async fn create(&self, going: bool) -> Result<Outcome, ModuleError> {
        let args = self.args;
        let Some(hash) = &args.hash_key_name else {
            let text = format!("there is no table {}: making it takes hash_key_name", args.name);
            return Err(ModuleError::failed(text));
        };
        let mut attributes = Attributes::new();
        table::add_attribute(&mut attributes, Some(hash), args.hash_key_type);
        table::add_attribute(&mut attributes, args.range_key_name.as_deref(), args.range_key_type);
        args.indexes.iter().for_each(|it| it.add_attributes(&mut attributes));
        let billing = args.billing_mode.unwrap_or(Billing::Provisioned);
        let capacity = (billing == Billing::Provisioned).then_some(FIRST);
        let indexes = |is_global: bool| -> Result<Option<Vec<Json>>, ModuleError> {
            let these = args.indexes.iter().filter(|it| it.kind.is_global() == is_global);
            let these: Vec<Json> =
                these.map(|it| it.created(capacity)).collect::<Result<_, _>>()?;
            Ok(Some(these).filter(|it| !it.is_empty()))
        };
        let throughput = capacity.map(|(read, write)| {
            let read = args.read_capacity.unwrap_or(read);
            table::throughput(read, args.write_capacity.unwrap_or(write))
        });
        let tags = args.tags.tags.as_ref().filter(|it| !it.is_empty());
        let params = said(json!({
            "TableName": args.name,
            "AttributeDefinitions": table::definitions(&attributes),
            "KeySchema": table::key_schema(hash, args.range_key_name.as_deref()),
            "BillingMode": billing,
            "ProvisionedThroughput": throughput,
            "LocalSecondaryIndexes": indexes(false)?,
            "GlobalSecondaryIndexes": indexes(true)?,
            "TableClass": args.table_class,
            "Tags": tags.map(|it| Shape::USUAL.list(it).to_json()),
        }));
        let path = format!("dynamodb:table/{}", args.name);
        let edit = Edit::new("make the table", path).to(&params);
        let act = async || {
            if going {
                self.until_gone().await?;
            }
            self.aws.call("dynamodb", "CreateTable", params).await
        };
        let place = |it: &davit_aws::value::Map| {
            it.get("TableDescription").map(|it| text(it, "TableArn").to_owned())
        };
        let Some(made) = self.control.create(edit, act, place).await? else {
            return Ok(Outcome::new());
        };
        let table = if args.wait {
            self.until_at_rest().await?
        } else {
            made.get("TableDescription").cloned().unwrap_or_default()
        };
        Ok(end(&table, &tags.cloned().unwrap_or_default()))
    }

    async fn update(&self, table: Value) -> Result<Outcome, ModuleError> {
        let args = self.args;
        self.check_keys(&table)?;
        let arn = text(&table, "TableArn");
        let is = if billing(&table) == "PAY_PER_REQUEST" {
            Billing::PayPerRequest
        } else {
            Billing::Provisioned
        };
        let billing = args.billing_mode.unwrap_or(is);
        self.keep_throughput(&table, is, billing).await?;
        let class = table.get("TableClassSummary").map(|it| text(it, "TableClass"));
        let class = json!(class.unwrap_or("STANDARD"));
        if let Some(wanted) = args.table_class.filter(|it| json!(it) != class) {
            let edit = Edit::new("change the class", arn).from(class).to(wanted);
            self.step(edit, json!({"TableClass": wanted})).await?;
        }
        let mut attributes = table::attributes(&table);
        for index in &args.indexes {
            let path = format!("{arn}/index/{}", index.name);
            match self.find(&table, index) {
                Place::Fixed => {}
                Place::There(there) => {
                    let is_provided = is == Billing::Provisioned && billing == Billing::Provisioned;
                    let current = table::capacity(there);
                    let now = table::throughput(current.0, current.1);
                    let wanted = index.throughput(Some(current)).filter(|it| *it != now);
                    if let Some(wanted) = wanted.filter(|_| is_provided) {
                        let edit = Edit::new("change the throughput", path).from(now).to(&wanted);
                        let update =
                            json!({"IndexName": index.name, "ProvisionedThroughput": wanted});
                        let params = json!({"GlobalSecondaryIndexUpdates": [{"Update": update}]});
                        self.step(edit, params).await?;
                    }
                }
                Place::Nowhere => {
                    let capacity = (billing == Billing::Provisioned).then_some(FIRST);
                    let new = index.created(capacity)?;
                    index.add_attributes(&mut attributes);
                    let edit = Edit::new("make the index", path).to(&new);
                    let params = json!({
                        "AttributeDefinitions": table::definitions(&attributes),
                        "GlobalSecondaryIndexUpdates": [{"Create": new}],
                    });
                    self.step(edit, params).await?;
                }
            }
        }
        let tags = self.keep_tags(&table).await?;
        if self.control.is_check() {
            return Ok(end(&table, &tags));
        }
        let now = if args.wait {
            Some(self.until_at_rest().await?)
        } else {
            table::table(self.aws, &args.name).await?
        };
        Ok(end(&now.unwrap_or(table), &tags))
    }

    fn check_keys(&self, table: &Value) -> Result<(), ModuleError> {
        let args = self.args;
        let attributes = table::attributes(table);
        for (kind, wanted, kind_wanted) in [
            ("HASH", &args.hash_key_name, args.hash_key_type),
            ("RANGE", &args.range_key_name, args.range_key_type),
        ] {
            let fits = table::key_fits(table, kind, (wanted.as_deref(), kind_wanted), &attributes);
            fits.map_err(|is| {
                let (kind, name) = (kind.to_lowercase(), &args.name);
                let text = format!("the {kind} key of {name} is {is}, and cannot be changed");
                ModuleError::failed(text)
            })?;
        }
        Ok(())
    }

    /// Where an index of a table stands. What differs and cannot be changed the user is told.
    fn find<'t>(&self, table: &'t Value, index: &Index) -> Place<'t> {
        let named =
            |key: &str| list(table, key).iter().find(|it| text(it, "IndexName") == index.name);
        let (global, local) = (named("GlobalSecondaryIndexes"), named("LocalSecondaryIndexes"));
        let fixed = |what: &str| {
            self.control.warn(format!("index {}: {what}", index.name));
            Place::Fixed
        };
        let (there, other) = if index.kind.is_global() { (global, local) } else { (local, global) };
        let Some(there) = there else {
            return match other {
                Some(_) => fixed("whether it is local or global cannot be changed"),
                None if index.kind.is_global() => Place::Nowhere,
                None => fixed("a local index can be made with its table only"),
            };
        };
        if let Err(text) = index.fits(table, there) {
            self.control.warn(text);
        }
        if index.kind.is_global() { Place::There(there) } else { Place::Fixed }
    }

    async fn keep_throughput(
        &self,
        table: &Value,
        is: Billing,
        billing: Billing,
    ) -> Result<(), ModuleError> {
        let (args, mut params) = (self.args, Map::new());
        let (read, write) = table::capacity(table);
        let current =
            json!({"BillingMode": is, "ProvisionedThroughput": table::throughput(read, write)});
        if billing != is {
            params.insert("BillingMode".to_owned(), json!(billing));
        }
        if billing == Billing::Provisioned {
            // What is billed by the request has none.
            let (read, write) = (read.max(FIRST.0), write.max(FIRST.1));
            let wanted = table::throughput(
                args.read_capacity.unwrap_or(read),
                args.write_capacity.unwrap_or(write),
            );
            if wanted != current["ProvisionedThroughput"] {
                params.insert("ProvisionedThroughput".to_owned(), wanted);
            }
        }
        if params.is_empty() {
            return Ok(());
        }
        let edit = Edit::new("change the throughput", text(table, "TableArn"));
        let edit = edit.from(current).to(&params);
        // From here on all indexes need some too.
        if billing == Billing::Provisioned && is != billing {
            let indexes = list(table, "GlobalSecondaryIndexes").iter();
            let updates: Vec<Json> = indexes
                .map(|it| {
                    let name = text(it, "IndexName");
                    let wanted = args.indexes.iter().find(|it| it.name == name);
                    let first = table::throughput(FIRST.0, FIRST.1);
                    let wanted = wanted.and_then(|it| it.throughput(Some(FIRST))).unwrap_or(first);
                    json!({"Update": {"IndexName": name, "ProvisionedThroughput": wanted}})
                })
                .collect();
            if !updates.is_empty() {
                params.insert("GlobalSecondaryIndexUpdates".to_owned(), updates.into());
            }
        }
        self.step(edit, Json::Object(params)).await
    }

    /// One of the changes of a table, of which it takes one at a time.
    async fn step(&self, edit: Edit, mut params: Json) -> Result<(), ModuleError> {
        params["TableName"] = json!(self.args.name);
        let act = async || {
            self.until_at_rest().await?;
            self.aws.insist("dynamodb", "UpdateTable", params, BUSY).await
        };
        self.control.change(edit, act).await.map(drop)
    }

    async fn tags(&self, table: &Value) -> Result<Tags, ModuleError> {
        let params = json!({"ResourceArn": text(table, "TableArn")});
        let found = self.aws.all("dynamodb", "ListTagsOfResource", params).await?;
        Ok(Shape::USUAL.of(found.get("Tags")))
    }

    async fn keep_tags(&self, table: &Value) -> Result<Tags, ModuleError> {
        let (current, path) = (self.tags(table).await?, text(table, "TableArn"));
        let (control, aws, of) = (self.control, self.aws, json!({"ResourceArn": path}));
        let tagged = Tagged { control, aws, operations: TAGS, path, of };
        tagged.bring(&current, &self.args.tags.change(&current)).await
    }
}

/// Where an index stands.
enum Place<'a> {
    /// It is there, and is global.
    There(&'a Value),
    /// Nothing can be done about it.
    Fixed,
    /// It can be made.
    Nowhere,
}

/// How a table is billed. One that was never billed by the request does not say.
fn billing(table: &Value) -> &str {
    let said = table.get("BillingModeSummary").map(|it| text(it, "BillingMode"));
    said.filter(|it| !it.is_empty()).unwrap_or("PROVISIONED")
}

fn end(table: &Value, tags: &Tags) -> Outcome {
    let told = told(table, tags);
    Outcome::new().with("table_status", &told["status"]).with("table", told)
}

/// A table as results show it.
fn told(table: &Value, tags: &Tags) -> Json {
    let mut out = snake_all(table.to_json(), &[]);
    for (name, of) in [
        ("arn", "table_arn"),
        ("id", "table_id"),
        ("name", "table_name"),
        ("size", "table_size_bytes"),
        ("status", "table_status"),
    ] {
        let value = out[of].clone();
        if !value.is_null() {
            out[name] = value;
        }
    }
    out["billing_mode"] = billing(table).into();
    out["tags"] = json!(tags);
    out
}
