//! What users say about every request, whatever module makes it.
//!
//! It does not know what is asked for.

use std::path::PathBuf;

use davit_module::{Host, ModuleError, Reply};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Follow, Headers, Login, Options, Trust};

/// What users say about every request: flatten it into a module's arguments.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct UrlArgs {
    /// The password that goes with `url_username`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["password"], "x-no-log" = true))]
    pub(crate) url_password: Option<String>,
    /// Send name and password with the first request already, and do not wait to be asked.
    #[serde(default)]
    pub(crate) force_basic_auth: bool,
    /// Check that the server is who it says. Turn this off only for servers of your own.
    #[serde(default = "yes")]
    pub(crate) validate_certs: bool,
    /// A PEM file with the certificate that shows the server who we are. It may hold the key too.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub(crate) client_cert: Option<PathBuf>,
    /// A PEM file with the key for `client_cert`.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    pub(crate) client_key: Option<PathBuf>,
    /// Ciphers, in the words of OpenSSL. Those of TLS 1.3 are always there.
    #[serde(default)]
    #[schemars(extend("x-elements" = "str"))]
    pub(crate) ciphers: Option<Vec<String>>,
    /// Unpack answers that the server packed with gzip.
    #[serde(default = "yes")]
    pub(crate) decompress: bool,
    /// What the client calls itself.
    #[serde(default = "agent")]
    pub(crate) http_agent: String,
    /// Names of headers that are not sent where a redirect leads.
    #[serde(default)]
    pub(crate) unredirected_headers: Vec<String>,
    /// Go through the proxy that `http_proxy` and the like name in the host's or the task's
    /// environment, but for what `no_proxy` names.
    #[serde(default = "yes")]
    pub(crate) use_proxy: bool,
    /// Take name and password from `~/.netrc` where none are given.
    #[serde(default = "yes")]
    pub(crate) use_netrc: bool,
    /// Kerberos, which is not there: the task fails with it.
    #[serde(default)]
    pub(crate) use_gssapi: bool,
}

fn yes() -> bool {
    true
}

fn agent() -> String {
    "ansible-httpget".to_owned()
}

/// What the modules say each in their own way.
pub(crate) struct Own<'a> {
    pub(crate) username: Option<&'a str>,
    pub(crate) timeout: i64,
    pub(crate) follow: Follow,
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) unix_socket: Option<PathBuf>,
}

impl UrlArgs {
    /// What is so where a module lets nobody say more.
    pub(crate) fn usual(validate_certs: bool) -> Self {
        Self {
            url_password: None,
            force_basic_auth: false,
            validate_certs,
            client_cert: None,
            client_key: None,
            ciphers: None,
            decompress: true,
            http_agent: agent(),
            unredirected_headers: Vec::new(),
            use_proxy: true,
            use_netrc: true,
            use_gssapi: false,
        }
    }

    /// How the client is to behave.
    ///
    /// # Errors
    /// Where something is asked for that is not there.
    pub(crate) fn options(&self, host: &Host<'_>, own: Own<'_>) -> Result<Options, ModuleError> {
        if self.use_gssapi {
            return Err(ModuleError::failed(
                "use_gssapi is not supported: name and password are the ways to log in",
            ));
        }
        let password = self.url_password.clone().unwrap_or_default();
        let login = own.username.filter(|it| !it.is_empty());
        let variable =
            |name: &str| host.variable(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        Ok(Options {
            timeout: own.timeout,
            follow: own.follow,
            login: login.map(|name| Login { name: name.to_owned(), password }),
            login_first: self.force_basic_auth,
            use_netrc: self.use_netrc,
            use_proxy: self.use_proxy,
            unix_socket: own.unix_socket.map(|it| host.at(&it)),
            decompress: self.decompress,
            unredirected: self.unredirected_headers.clone(),
            trust: Trust {
                validate: self.validate_certs,
                authorities: own.authorities.map(|it| host.at(&it)),
                own: self.client_cert.as_ref().map(|certificate| {
                    (host.at(certificate), self.client_key.as_ref().map(|it| host.at(it)))
                }),
                ciphers: self.ciphers.clone().unwrap_or_default(),
                system: (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR")),
            },
        })
    }

    /// The headers that every request has, and those that the user gives.
    ///
    /// # Errors
    /// Why a value is none.
    pub(crate) fn headers(&self, given: &Reply) -> Result<Headers, String> {
        let mut headers = Headers::default();
        headers.set("User-Agent", self.http_agent.as_str());
        for (name, value) in header_texts(given)?.0 {
            headers.set(&name, value);
        }
        Ok(headers)
    }
}

/// Values of a map as those of headers.
///
/// # Errors
/// Why a value is none.
fn header_texts(given: &Reply) -> Result<Headers, String> {
    let kind = |name: &str| Err(format!("expected string or bytes-like object, got '{name}'"));
    let mut headers = Headers::default();
    for (name, value) in given {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Null => return kind("NoneType"),
            Value::Array(_) => return kind("list"),
            Value::Object(_) => return kind("dict"),
        };
        headers.set(name, text);
    }
    Ok(headers)
}
