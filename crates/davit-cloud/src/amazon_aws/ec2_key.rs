//! `amazon.aws.ec2_key`: key pairs for SSH.

use std::io;
use std::path::{Path, PathBuf};

use davit_aws::value::Value;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt;

use crate::aws::args::yes;
use crate::aws::ec2::{self, Ec2, State, text};
use crate::aws::login::Login;
use crate::aws::tags::{TagArgs, Tags};

/// Keep a key pair that instances can be reached with.
///
/// AWS makes one and gives its private key away once, unless `key_material` says a public key.
///
/// ```yaml
/// - name: My key
///   amazon.aws.ec2_key:
///     name: me
///     key_material: "{{ lookup('file', '~/.ssh/id_ed25519.pub') }}"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// Where to write the private key of a pair that AWS makes; only the owner may read the file. The result
    /// has no private key then.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    file_name: Option<PathBuf>,
    /// Replace a pair that has another key, or is of another type than `key_type`.
    #[serde(default = "yes")]
    force: bool,
    /// The public key.
    #[serde(default)]
    key_material: Option<String>,
    /// The type of a pair that AWS makes: RSA without it.
    #[serde(default)]
    key_type: Option<KeyType>,
    /// Its name.
    name: String,
    /// Whether it is there.
    #[serde(default)]
    state: State,
    #[serde(flatten)]
    tags: TagArgs,
    #[serde(flatten)]
    login: Login,
}

/// The types that AWS makes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum KeyType {
    Rsa,
    Ed25519,
}

/// The operation that lists them, and where its answer has them.
const LIST: (&str, &str) = ("DescribeKeyPairs", "KeyPairs");

/// `amazon.aws.ec2_key`.
pub(crate) struct Ec2Key;

impl Module for Ec2Key {
    const NAME: &'static str = "amazon.aws.ec2_key";
    const RULES: Rules =
        Rules { mutually_exclusive: &[&["key_material", "key_type"]], ..Rules::NONE };
    type Args = Args;

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        let ec2 = Ec2::new(control, &args.login)?;
        let outcome = keep(&ec2, &args).await;
        ec2.close(outcome)
    }
}

async fn keep(ec2: &Ec2<'_>, args: &Args) -> Result<Outcome, ModuleError> {
    let params = json!({"KeyNames": [args.name], "IncludePublicKey": true});
    let found = ec2.list(LIST.0, LIST.1, params).await?.into_iter().next();
    let outcome = Outcome::new();
    let Some(pair) = found else {
        if args.state == State::Absent {
            return Ok(outcome.with("key", json!(null)).msg("key did not exist"));
        }
        let tags = args.tags.tags.clone().unwrap_or_default();
        let key = make(ec2, args, &tags).await?;
        return Ok(outcome.with("key", key).msg("key pair created"));
    };
    if args.state == State::Absent {
        delete(ec2, &pair).await?;
        return Ok(outcome.with("key", json!(null)).msg("key deleted"));
    }
    let current = ec2::tags(&pair);
    let change = args.tags.change(&current);
    if args.force && is_other(args, &pair) {
        delete(ec2, &pair).await?;
        let key = make(ec2, args, &change.applied(&current)).await?;
        return Ok(outcome.with("key", key).msg("key pair updated"));
    }
    let mut key = shown(&pair);
    key["tags"] = json!(ec2.tag(text(&pair, "KeyPairId"), &current, &change).await?);
    Ok(outcome.with("key", key).msg("key pair already exists"))
}

/// The pair has another key than is asked for, or one of another type.
fn is_other(args: &Args, pair: &Value) -> bool {
    if let Some(material) = &args.key_material {
        return words(material) != words(text(pair, "PublicKey"));
    }
    args.key_type.is_some_and(|it| json!(it) != json!(text(pair, "KeyType")))
}

/// A public key without its comment.
fn words(key: &str) -> Vec<&str> {
    key.split_whitespace().take(2).collect()
}

/// Makes or imports a pair; nothing but its name and tags in check mode.
async fn make(ec2: &Ec2<'_>, args: &Args, tags: &Tags) -> Result<Json, ModuleError> {
    let params = ec2::with_tags(json!({"KeyName": args.name}), "key-pair", tags);
    let predicted = json!({"name": args.name, "tags": tags});
    let edit = |what| Edit::new(what, &args.name).to(&predicted);
    if let Some(material) = &args.key_material {
        let mut params = params;
        params["PublicKeyMaterial"] = json!(material);
        let edit = edit("import the key pair");
        let made = ec2.create(edit, "ImportKeyPair", params, &["KeyPairId"]).await?;
        return Ok(made.map_or(predicted, |(_, pair)| shown(&Value::Map(pair))));
    }
    let mut params = params;
    if let Some(kind) = args.key_type {
        params["KeyType"] = json!(kind);
    }
    let mut file = match &args.file_name {
        // The key is given away once: that it can be written is known before it is made.
        Some(path) if !ec2.control().is_check() => {
            Some((path, open(path).await.map_err(|it| ModuleError::io("write", path, it))?))
        }
        _ => None,
    };
    let edit = edit("create the key pair");
    let made = ec2.create(edit, "CreateKeyPair", params, &["KeyPairId"]).await?;
    let Some((_, pair)) = made else { return Ok(predicted) };
    let pair = Value::Map(pair);
    let mut key = shown(&pair);
    key["type"] = json!(args.key_type.unwrap_or(KeyType::Rsa));
    let material = text(&pair, "KeyMaterial");
    if let Some((path, file)) = &mut file {
        write(file, material).await.map_err(|it| ModuleError::io("write", *path, it))?;
    } else {
        ec2.control().secret(material);
        key["private_key"] = json!(material);
    }
    Ok(key)
}

async fn open(path: &Path) -> io::Result<tokio::fs::File> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path).await
}

/// The mode of a file that only its owner reads and writes.
const OWNER_ONLY: u32 = 0o600;

async fn write(file: &mut tokio::fs::File, text: &str) -> io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY);
    file.set_permissions(mode).await?;
    file.set_len(0).await?;
    file.write_all(text.as_bytes()).await?;
    file.sync_all().await
}

async fn delete(ec2: &Ec2<'_>, pair: &Value) -> Result<(), ModuleError> {
    let edit = Edit::new("delete the key pair", text(pair, "KeyName")).from(shown(pair));
    ec2.change(edit, "DeleteKeyPair", json!({"KeyName": text(pair, "KeyName")})).await?;
    Ok(())
}

fn shown(pair: &Value) -> Json {
    let mut shown = json!({
        "fingerprint": text(pair, "KeyFingerprint"),
        "id": text(pair, "KeyPairId"),
        "name": text(pair, "KeyName"),
        "tags": ec2::tags(pair),
    });
    if let Some(kind) = pair.get("KeyType").and_then(Value::as_str) {
        shown["type"] = json!(kind);
    }
    shown
}
