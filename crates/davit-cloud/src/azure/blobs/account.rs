//! Which account of storage, and what opens it. Calls nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_aws::http::Request;
use davit_module::control::Control;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::azure::clouds::Cloud;
use crate::azure::error::Error;

/// Which account: flatten it into a module's arguments.
#[derive(Clone, Default, Deserialize, JsonSchema)]
pub struct AccountArgs {
    /// The name of the account. Else the variable `AZURE_STORAGE_ACCOUNT` counts.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["account_name", "storage_account", "storage_account_name"]))]
    pub account: Option<String>,
    /// A key of the account. Else the variable `AZURE_STORAGE_KEY` counts. Without key, token and
    /// connection string a token of the login opens it.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    pub account_key: Option<String>,
    /// Where the account is, in the place of the cloud's: `https://NAME.blob.core.windows.net`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["endpoint_url"]))]
    pub account_url: Option<String>,
    /// All of that in one text, as the portal shows it; `UseDevelopmentStorage=true` is the emulator of
    /// this machine. Else the variable `AZURE_STORAGE_CONNECTION_STRING` counts.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    pub connection_string: Option<String>,
    /// A shared access signature. Else the variable `AZURE_STORAGE_SAS_TOKEN` counts.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    pub sas_token: Option<String>,
}

/// Nothing secret is shown.
impl fmt::Debug for AccountArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountArgs")
            .field("account", &self.account)
            .field("account_url", &self.account_url)
            .finish_non_exhaustive()
    }
}

/// An account, where it is, and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its address, without a slash at its end.
    pub url: String,
    /// What opens it.
    pub opens: Opens,
}

/// What opens an account.
#[derive(Clone, PartialEq, Eq)]
pub enum Opens {
    /// Its key.
    Key(Vec<u8>),
    /// A shared access signature: parameters of each request.
    Sas(Vec<(String, String)>),
    /// A token of whoever is logged in.
    Token,
}

/// Nothing secret is shown.
impl fmt::Debug for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key",
            Self::Sas(_) => "Sas",
            Self::Token => "Token",
        })
    }
}

/// The account and key that every emulator has.
const EMULATOR: (&str, &str) = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
);

impl AccountArgs {
    /// Puts in what the environment says, and keeps what is secret from being shown.
    ///
    /// # Errors
    /// When nobody says which account, or what is said makes no sense.
    pub fn account(&self, control: &Control, cloud: &Cloud) -> Result<Account, Error> {
        let variable = |name: &str| control.variable(name).map(str::to_owned);
        let names =
            ["AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN"];
        let own = [&self.account_key, &self.connection_string, &self.sas_token];
        // An address may bring its signature along.
        let signed = self.account_url.as_deref().and_then(|it| Some(it.split_once('?')?.1));
        let secrets = own.into_iter().cloned().chain(names.map(variable)).flatten();
        let secrets = secrets.chain(signed.map(str::to_owned));
        for secret in secrets.filter(|it| !it.is_empty()) {
            for part in secret.split([';', '&', '?']) {
                let Some((name, value)) = part.split_once('=') else { continue };
                if ["AccountKey", "SharedAccessSignature", "sig"].contains(&name) {
                    control.secret(value);
                }
            }
            control.secret(&secret);
        }
        self.resolve(&variable, cloud)
    }

    fn resolve(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        cloud: &Cloud,
    ) -> Result<Account, Error> {
        let filled = |it: &Option<String>| {
            it.as_ref().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
        };
        let said = |name: &str| filled(&variable(name));
        if let Some(text) = filled(&self.connection_string) {
            return connected("connection_string", &text, cloud);
        }
        let (own, url) = (filled(&self.account), filled(&self.account_url));
        if own.is_none()
            && url.is_none()
            && let Some(text) = said("AZURE_STORAGE_CONNECTION_STRING")
        {
            return connected("AZURE_STORAGE_CONNECTION_STRING", &text, cloud);
        }
        let of_environment = said("AZURE_STORAGE_ACCOUNT");
        // A key of the environment opens only the account there.
        let is_there = own.is_none() || of_environment.is_none() || own == of_environment;
        let has_own = self.account_key.is_some() || self.sas_token.is_some();
        let other = |name: &str| said(name).filter(|_| is_there && !has_own);
        let key = filled(&self.account_key).or_else(|| other("AZURE_STORAGE_KEY"));
        let sas = filled(&self.sas_token).or_else(|| other("AZURE_STORAGE_SAS_TOKEN"));
        let name = own.or_else(|| url.is_none().then_some(of_environment).flatten());
        let parts =
            Parts { name, key, sas, url, suffix: cloud.storage.to_owned(), scheme: "https" };
        parts.account()
    }
}

/// What says which account it is, from wherever.
struct Parts {
    name: Option<String>,
    key: Option<String>,
    sas: Option<String>,
    url: Option<String>,
    suffix: String,
    scheme: &'static str,
}

impl Parts {
    fn account(self) -> Result<Account, Error> {
        let url = match (&self.url, &self.name) {
            (Some(url), _) => url.clone(),
            (None, Some(name)) => format!("{}://{name}.blob.{}", self.scheme, self.suffix),
            (None, None) => {
                return Err(Error::setting(
                    "account",
                    "nobody says which one: neither account, account_url and connection_string nor \
                     AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_CONNECTION_STRING",
                ));
            }
        };
        let request = Request::of_url("GET", &url);
        let request = request
            .ok_or_else(|| Error::setting("account_url", format!("{url:?} is no address")))?;
        let name = self.name.unwrap_or_else(|| named_in(&request));
        // An address may bring its signature along.
        let is_signed = request.query.iter().any(|(name, _)| name == "sig");
        let opens = match (self.key, self.sas) {
            (Some(key), _) => Opens::Key(
                STANDARD
                    .decode(key.as_bytes())
                    .map_err(|_| Error::setting("account_key", "it is no base64"))?,
            ),
            (None, Some(sas)) => Opens::Sas(signature(&sas)),
            (None, None) if is_signed => Opens::Sas(request.query.clone()),
            (None, None) => Opens::Token,
        };
        let path = request.path.trim_end_matches('/');
        let url = format!("{}://{}{path}", request.scheme, request.host);
        Ok(Account { name, url, opens })
    }
}

fn signature(sas: &str) -> Vec<(String, String)> {
    let text = format!("http://h/?{}", sas.trim_start_matches('?'));
    Request::of_url("GET", &text).map(|it| it.query).unwrap_or_default()
}

/// The account that an address is of: the first part of its host, or of its path where the host is a number.
fn named_in(request: &Request) -> String {
    let host = request.host.split(':').next().unwrap_or_default();
    let is_local =
        host == "localhost" || host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let name = if is_local {
        request.path.trim_start_matches('/').split('/').next()
    } else {
        host.split('.').next()
    };
    name.unwrap_or_default().to_owned()
}

/// Reads a connection string.
fn connected(name: &str, text: &str, cloud: &Cloud) -> Result<Account, Error> {
    let pairs = text.split(';').map(str::trim).filter(|it| !it.is_empty());
    let mut values = std::collections::BTreeMap::new();
    for pair in pairs {
        // Nothing of it is shown: it is secret.
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::setting(name, "a part of it is no NAME=VALUE"));
        };
        values.insert(key.trim().to_lowercase(), value.trim().to_owned());
    }
    let mut get = |name: &str| values.remove(name).filter(|it| !it.is_empty());
    if get("usedevelopmentstorage").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        let proxy = get("developmentstorageproxyuri");
        let host = proxy.unwrap_or_else(|| "http://127.0.0.1".to_owned());
        let host = host.trim_end_matches('/');
        let (account, key) = EMULATOR;
        return Parts {
            name: Some(account.to_owned()),
            key: Some(key.to_owned()),
            sas: None,
            url: Some(format!("{host}:10000/{account}")),
            suffix: String::new(),
            scheme: "http",
        }
        .account();
    }
    let parts = Parts {
        name: get("accountname"),
        key: get("accountkey"),
        sas: get("sharedaccesssignature"),
        url: get("blobendpoint"),
        suffix: get("endpointsuffix").unwrap_or_else(|| cloud.storage.to_owned()),
        scheme: match get("defaultendpointsprotocol").as_deref() {
            Some("http") => "http",
            _ => "https",
        },
    };
    if parts.key.is_none() && parts.sas.is_none() {
        return Err(Error::setting(name, "it has neither AccountKey nor SharedAccessSignature"));
    }
    parts.account()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(args: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<String, String> {
        let args: serde_json::Map<_, _> =
            args.iter().map(|(name, it)| ((*name).to_owned(), (*it).into())).collect();
        let args: AccountArgs = serde_json::from_value(args.into()).unwrap();
        let get = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned())
        };
        let cloud = Cloud::named("public").unwrap();
        let account = args.resolve(&get, &cloud).map_err(|error| error.to_string())?;
        assert!(!format!("{args:?} {account:?}").contains("c2VjcmV0"));
        Ok(format!("{} {} {:?}", account.name, account.url, account.opens))
    }

    const STRING: &str = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.chinacloudapi.cn";

    #[test]
    fn accounts_are_said_in_many_ways() {
        let environment = &[("AZURE_STORAGE_ACCOUNT", "e"), ("AZURE_STORAGE_KEY", "c2VjcmV0")];
        for (args, environment, expected) in [
            (&[("account", "a")][..], &[][..], "a https://a.blob.core.windows.net Token"),
            (&[], environment, "e https://e.blob.core.windows.net Key"),
            (&[("account", "a")], environment, "a https://a.blob.core.windows.net Token"),
            (
                &[("account", "e"), ("sas_token", "?sig=x")],
                environment,
                "e https://e.blob.core.windows.net Sas",
            ),
            (&[("account_url", "https://u.blob.x/?sig=a%2Bb")], &[], "u https://u.blob.x Sas"),
            (
                &[("account_url", "http://127.0.0.1:1/dev/")],
                &[],
                "dev http://127.0.0.1:1/dev Token",
            ),
            (
                &[("connection_string", STRING)],
                environment,
                "a https://a.blob.core.chinacloudapi.cn Key",
            ),
            (
                &[],
                &[("AZURE_STORAGE_CONNECTION_STRING", STRING)],
                "a https://a.blob.core.chinacloudapi.cn Key",
            ),
            (
                &[("connection_string", "UseDevelopmentStorage=true")],
                &[],
                "devstoreaccount1 http://127.0.0.1:10000/devstoreaccount1 Key",
            ),
            (
                &[(
                    "connection_string",
                    "BlobEndpoint=https://b.c/;SharedAccessSignature=sv=1&sig=c2VjcmV0",
                )],
                &[],
                "b https://b.c Sas",
            ),
        ] {
            assert_eq!(resolved(args, environment).as_deref(), Ok(expected), "{args:?}");
        }
        for (args, expected) in [
            (&[][..], "account: nobody says which one"),
            (&[("connection_string", "a")], "connection_string: a part of it"),
            (&[("connection_string", "AccountName=a")], "connection_string: it has neither"),
            (&[("account", "a"), ("account_key", "c2VjcmV0!")], "account_key: it is no base64"),
        ] {
            let told = resolved(args, &[]).unwrap_err();
            assert!(told.starts_with(expected) && !told.contains("c2VjcmV0"), "{told}");
        }
    }
}
