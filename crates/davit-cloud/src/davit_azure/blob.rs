//! `davit.azure.blob`: containers and blobs of Azure's storage, to and from files of the controller.

mod args;

use std::path::Path;

use bytes::Bytes;
use davit_aws::connection::Body;
use davit_aws::http::Headers;
use davit_module::control::{Control, Edit, Module};
use davit_module::{ModuleError, Outcome, Rules};
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::args::{Access, Args, State};
use crate::aws::object::media_type;
use crate::azure::blobs::transfer::{self, Name, Source, There};
use crate::azure::blobs::{Ask, Blobs, Metadata, metadata, shown};
use crate::azure::client::Azure;
use crate::azure::error::{Error, failure};

/// `davit.azure.blob`.
pub(crate) struct Blob;

impl Module for Blob {
    const NAME: &'static str = "davit.azure.blob";
    type Args = Args;
    const RULES: Rules = Rules {
        mutually_exclusive: &[&["src", "content", "dest"]],
        required_by: &[("src", &["blob"]), ("content", &["blob"]), ("dest", &["blob"])],
        ..Rules::NONE
    };

    async fn run(control: &Control, args: Args) -> Result<Outcome, ModuleError> {
        args.check()?;
        let azure = Azure::new(control, &args.login)?;
        let account = args.account.account(control, &azure.cloud);
        let account = account.map_err(|error| failure("cannot tell which account", &error))?;
        let blobs = Blobs::new(azure, account);
        let blob = args.blob.as_deref().unwrap_or_default();
        let url = blobs.url(&args.container, blob);
        let task = Task { control, args: &args, blobs: &blobs, blob, url: &url };
        match (blob.is_empty(), args.state) {
            (true, State::Present) => task.make_container().await,
            (false, State::Present) => task.settle().await,
            (_, State::Absent) => task.delete().await,
        }
    }
}

struct Task<'a> {
    control: &'a Control,
    args: &'a Args,
    blobs: &'a Blobs,
    blob: &'a str,
    url: &'a str,
}

fn as_headers(metadata: &Metadata) -> Vec<(String, String)> {
    metadata.iter().map(|(name, value)| (format!("x-ms-meta-{name}"), value.clone())).collect()
}

impl Task<'_> {
    fn failed(&self, what: &str, error: &Error) -> ModuleError {
        failure(&format!("cannot {what} {}", self.url), error)
    }

    /// Changes something through the gate: one request.
    async fn send(&self, edit: Edit, ask: Ask<'_>) -> Result<(), ModuleError> {
        let (what, method) = (edit.what.clone(), ask.method);
        let act = async || {
            let answer = self
                .blobs
                .ask(Ask { container: &self.args.container, blob: self.blob, ..ask })
                .await;
            match answer {
                // One that was gone meanwhile, or at the first of two attempts.
                Err(error) if method == "DELETE" && error.is_missing() => Ok(()),
                answer => answer.map(drop).map_err(|error| self.failed(&what, &error)),
            }
        };
        self.control.change(edit, act).await.map(drop)
    }

    fn edit(&self, what: &str) -> Edit {
        Edit::new(what, self.url)
    }

    async fn make_container(&self) -> Result<Outcome, ModuleError> {
        let container = &self.args.container;
        let read = async || {
            let found = self.blobs.head_container(container).await;
            found.map_err(|error| self.failed("look at", &error))
        };
        let found = read().await?;
        let wanted = self.args.metadata();
        let access = self.args.public_access;
        let is_due = match &found {
            None => {
                let mut headers = as_headers(&wanted.clone().unwrap_or_default());
                headers.extend(access_header(access));
                let edit =
                    self.edit("create").to(json!({"metadata": wanted, "public_access": access}));
                let query = &[("restype", "container")];
                self.send(edit, Ask { method: "PUT", query, headers, ..Ask::default() }).await?;
                true
            }
            Some(headers) => {
                let of_metadata = self.set_metadata(headers, "container").await?;
                self.set_access(headers).await? || of_metadata
            }
        };
        let outcome = Outcome::new().with("url", self.url);
        let now = if is_due && !self.control.is_check() { read().await? } else { found };
        let now = now.map(|it| shown(&it, container, true));
        Ok(outcome.with("container", now))
    }

    async fn set_access(&self, headers: &Headers) -> Result<bool, ModuleError> {
        let Some(access) = self.args.public_access else { return Ok(false) };
        let now = headers.get("x-ms-blob-public-access").unwrap_or("off");
        if json!(access) == json!(now) {
            return Ok(false);
        }
        // The policies of the container are written together with it, and stay.
        let query = &[("restype", "container"), ("comp", "acl")];
        let container = self.args.container.as_str();
        let policies =
            self.blobs.ask(Ask { method: "GET", container, query, ..Ask::default() }).await;
        let policies = policies.map_err(|error| self.failed("look at", &error))?.body;
        let edit = self.edit("change who may read").from(now).to(access);
        let headers = access_header(Some(access)).into_iter().collect();
        self.send(
            edit,
            Ask { method: "PUT", query, headers, body: Body::Bytes(policies), ..Ask::default() },
        )
        .await?;
        Ok(true)
    }

    /// Sets metadata where it is not what is wanted; whether it was due.
    async fn set_metadata(&self, headers: &Headers, kind: &str) -> Result<bool, ModuleError> {
        let now = metadata(headers);
        let Some(wanted) = self.args.metadata().filter(|it| *it != now) else { return Ok(false) };
        let query: &[_] = match kind {
            "container" => &[("restype", "container"), ("comp", "metadata")],
            _ => &[("comp", "metadata")],
        };
        let edit = self.edit("change the metadata").from(now).to(&wanted);
        let headers = as_headers(&wanted);
        self.send(edit, Ask { method: "PUT", query, headers, ..Ask::default() }).await?;
        Ok(true)
    }

    async fn head(&self) -> Result<Option<Headers>, ModuleError> {
        let found = self.blobs.head(&self.args.container, self.blob).await;
        found.map_err(|error| self.failed("look at", &error))
    }

    fn name(&self) -> Name<'_> {
        Name { container: &self.args.container, blob: self.blob }
    }

    /// Brings a blob, or the file for it, to what is wanted.
    async fn settle(&self) -> Result<Outcome, ModuleError> {
        let found = self.head().await?;
        let outcome = Outcome::new().with("url", self.url);
        if let Some(dest) = &self.args.dest {
            let Some(headers) = &found else { return Err(self.missing()) };
            self.fetch(headers, dest).await?;
        }
        let is_due = match (self.source().await?, &found) {
            (Some(source), _) => self.put(&source, found.as_ref()).await?,
            (None, Some(_)) => false,
            (None, None) => return Err(self.missing()),
        };
        let mut is_changed = is_due;
        if let Some(headers) = found.as_ref().filter(|_| !is_due) {
            is_changed |= self.set_properties(headers).await?;
            is_changed |= self.set_metadata(headers, "blob").await?;
            is_changed |= self.set_tier(headers).await?;
        }
        let now = if is_changed && !self.control.is_check() { self.head().await? } else { found };
        Ok(outcome.with("blob", now.map(|it| shown(&it, self.blob, false))))
    }

    fn missing(&self) -> ModuleError {
        let text = format!("there is no blob {}: src or content would make one", self.url);
        ModuleError::failed(text)
    }

    async fn source(&self) -> Result<Option<Source>, ModuleError> {
        if let Some(text) = &self.args.content {
            return Ok(Some(Source::Bytes(Bytes::from(text.clone()))));
        }
        let Some(path) = &self.args.src else { return Ok(None) };
        Ok(Some(Source::File(path.clone(), transfer::look(path).await?)))
    }

    /// Puts the blob unless the same is there; whether it was due.
    async fn put(&self, source: &Source, found: Option<&Headers>) -> Result<bool, ModuleError> {
        let there = found.map(There::of);
        let digest = source.md5();
        if let Some(there) = &there
            && there.size == source.size()
        {
            let known = match &there.md5 {
                Some(md5) => md5.clone(),
                None => self.blobs.digest(self.name(), there, self.args.settings()).await?,
            };
            if known == digest {
                return Ok(false);
            }
        }
        let mut headers: Vec<(String, String)> = self.kept(found);
        if self.args.content_type.is_none() && found.is_none() {
            let path = self.args.src.as_deref().unwrap_or(Path::new(self.blob));
            let media = match media_type(path) {
                "binary/octet-stream" => "application/octet-stream",
                media => media,
            };
            headers.push(("x-ms-blob-content-type".to_owned(), media.to_owned()));
        }
        let metadata = self.args.metadata().or_else(|| found.map(metadata)).unwrap_or_default();
        headers.extend(as_headers(&metadata));
        if let Some(tier) = self.args.tier {
            headers.push(("x-ms-access-tier".to_owned(), text(tier)));
        }
        let side = |size: u64, md5: &Option<String>| json!({"size": size, "md5": md5});
        let edit = self
            .edit("put the blob")
            .from(there.map(|it| side(it.size, &it.md5)))
            .to(side(source.size(), &Some(digest)));
        let act = async || self.blobs.put(self.name(), source, headers, self.args.settings()).await;
        self.control.change(edit, act).await?;
        Ok(true)
    }

    /// The properties of the task over those that are there: whoever writes one writes all.
    fn kept(&self, found: Option<&Headers>) -> Vec<(String, String)> {
        let said = self.args.properties();
        let names = [
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-type",
        ];
        let value = |name: &str| {
            let own = said.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            own.or_else(|| found?.get(name)).filter(|it| !it.is_empty())
        };
        let all = names
            .iter()
            .filter_map(|name| Some((format!("x-ms-blob-{name}"), value(name)?.to_owned())));
        all.collect()
    }

    async fn set_properties(&self, found: &Headers) -> Result<bool, ModuleError> {
        let said = self.args.properties();
        let now = |name: &str| found.get(name).unwrap_or_default();
        if said.iter().all(|(name, value)| now(name) == *value) {
            return Ok(false);
        }
        let mut headers = self.kept(Some(found));
        if let Some(md5) = found.get("content-md5") {
            headers.push(("x-ms-blob-content-md5".to_owned(), md5.to_owned()));
        }
        let before: Map<String, Value> =
            said.iter().map(|(name, _)| ((*name).to_owned(), now(name).into())).collect();
        let after: Map<String, Value> =
            said.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let edit = self.edit("change the properties").from(before).to(after);
        let query = &[("comp", "properties")];
        self.send(edit, Ask { method: "PUT", query, headers, ..Ask::default() }).await?;
        Ok(true)
    }

    async fn set_tier(&self, found: &Headers) -> Result<bool, ModuleError> {
        let now = found.get("x-ms-access-tier");
        let Some(tier) = self.args.tier.map(text).filter(|it| now != Some(it)) else {
            return Ok(false);
        };
        // On its way back from the archive it is already what it will be.
        let pending = found.get("x-ms-archive-status").unwrap_or_default();
        if pending == format!("rehydrate-pending-to-{}", tier.to_lowercase()) {
            return Ok(false);
        }
        let edit = self.edit("change the tier").from(now).to(&tier);
        let headers = vec![("x-ms-access-tier".to_owned(), tier)];
        self.send(
            edit,
            Ask { method: "PUT", query: &[("comp", "tier")], headers, ..Ask::default() },
        )
        .await?;
        Ok(true)
    }

    async fn fetch(&self, headers: &Headers, dest: &Path) -> Result<(), ModuleError> {
        if dest.is_dir() {
            let text = format!("dest: {} is a folder: name the file", dest.display());
            return Err(ModuleError::failed(text));
        }
        let there = There::of(headers);
        let own = if dest.exists() { Some(transfer::look(dest).await?) } else { None };
        if let Some(own) = own.as_ref().filter(|it| it.size == there.size) {
            let known = match &there.md5 {
                Some(md5) => md5.clone(),
                None => self.blobs.digest(self.name(), &there, self.args.settings()).await?,
            };
            if known == own.md5 {
                return Ok(());
            }
        }
        let edit = Edit::new(format!("get {}", self.url), dest.display().to_string())
            .from(own.map(|it| json!({"size": it.size, "md5": it.md5})))
            .to(json!({"size": there.size, "md5": there.md5}));
        let act = async || self.blobs.fetch(self.name(), &there, dest, self.args.settings()).await;
        self.control.change(edit, act).await.map(drop)
    }

    async fn delete(&self) -> Result<Outcome, ModuleError> {
        let outcome = Outcome::new().with("url", self.url);
        if self.blob.is_empty() {
            let found = self.blobs.head_container(&self.args.container).await;
            let found = found.map_err(|error| self.failed("look at", &error))?;
            let Some(found) = found else { return Ok(outcome) };
            let edit = self.edit("delete").from(shown(&found, &self.args.container, true));
            let query = &[("restype", "container")];
            self.send(edit, Ask { method: "DELETE", query, ..Ask::default() }).await?;
            return Ok(outcome);
        }
        let Some(found) = self.head().await? else { return Ok(outcome) };
        let edit = self.edit("delete").from(shown(&found, self.blob, false));
        let headers = vec![("x-ms-delete-snapshots".to_owned(), "include".to_owned())];
        self.send(edit, Ask { method: "DELETE", headers, ..Ask::default() }).await?;
        Ok(outcome)
    }
}

fn access_header(access: Option<Access>) -> Option<(String, String)> {
    let access = access.filter(|it| *it != Access::Off)?;
    Some(("x-ms-blob-public-access".to_owned(), text(access)))
}

fn text(value: impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}
