//! Tokens of the identity that a machine, an app or a server of Azure Arc has.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>,
//! <https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity>,
//! <https://learn.microsoft.com/en-us/azure/azure-arc/servers/managed-identity-authentication>.

use std::fmt;
use std::path::Path;

use davit_aws::http::Response;

use super::Token;
use crate::azure::error::Error;
use crate::azure::http::{Http, Pauses, request};

/// How errors name this.
pub const PLACE: &str = "the managed identity";

/// Where Azure Arc keeps what a caller has to show.
const ARC_FOLDER: &str = "/var/opt/azcmagent/tokens";

/// The identity of what this runs on.
#[derive(Clone, Debug)]
pub struct Managed {
    /// What is asked.
    pub server: Server,
    /// Which identity, where there are several.
    pub identity: Identity,
    /// Nobody said that there is one.
    pub is_tentative: bool,
}

/// What gives out tokens of identities.
#[derive(Clone, PartialEq, Eq)]
pub enum Server {
    /// That of App Service, functions and containers: its address and what it wants to be shown.
    App(String, String),
    /// The agent of Azure Arc: its address.
    Arc(String),
    /// The metadata service of a machine: its host.
    Machine(String),
}

/// Nothing secret is shown.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, url) = match self {
            Self::App(url, _) => ("App", url),
            Self::Arc(url) => ("Arc", url),
            Self::Machine(url) => ("Machine", url),
        };
        f.debug_tuple(name).field(url).finish()
    }
}

/// An identity that somebody gave to a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The machine's own, or the only one.
    #[default]
    Own,
    /// By the id of its application.
    Client(String),
    /// By its id in the directory.
    Object(String),
    /// By its id as a resource.
    Resource(String),
}

impl Server {
    /// What the environment says is there; the metadata service of machines where it says nothing.
    #[must_use]
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> (Self, bool) {
        let endpoint = variable("IDENTITY_ENDPOINT");
        match (endpoint, variable("IDENTITY_HEADER"), variable("IMDS_ENDPOINT")) {
            (Some(url), Some(header), _) => (Self::App(url, header), true),
            (Some(url), None, Some(_)) => (Self::Arc(url), true),
            _ => {
                let host = variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
                let is_said = host.is_some();
                let host = host.unwrap_or_else(|| "http://169.254.169.254".to_owned());
                (Self::Machine(host), is_said)
            }
        }
    }
}

impl Managed {
    pub(super) async fn fetch(&self, http: &Http, audience: &str) -> Result<Token, Error> {
        let (url, version, names) = match &self.server {
            Server::App(url, _) => {
                (url.clone(), "2019-08-01", ["client_id", "principal_id", "mi_res_id"])
            }
            Server::Arc(url) => {
                (url.clone(), "2020-06-01", ["client_id", "object_id", "msi_res_id"])
            }
            Server::Machine(host) => {
                let host = host.trim_end_matches('/');
                let url = format!("{host}/metadata/identity/oauth2/token");
                (url, "2018-02-01", ["client_id", "object_id", "msi_res_id"])
            }
        };
        let mut query = vec![("api-version", version), ("resource", audience)];
        match &self.identity {
            Identity::Own => {}
            _ if matches!(self.server, Server::Arc(_)) => {
                let text = "servers of Azure Arc have one identity: leave out which one";
                return Err(refused(text.to_owned()));
            }
            Identity::Client(id) => query.push((names[0], id)),
            Identity::Object(id) => query.push((names[1], id)),
            Identity::Resource(id) => query.push((names[2], id)),
        }
        let mut request = request("GET", &url, &query)?;
        match &self.server {
            Server::App(_, header) => request.headers.set("x-identity-header", header.as_str()),
            _ => request.headers.set("metadata", "true"),
        }
        let mut answer = self.ask(http, &request).await?;
        if matches!(self.server, Server::Arc(_)) && answer.status == 401 {
            let key = arc_key(answer.headers.get("www-authenticate").unwrap_or_default())?;
            request.headers.set("authorization", format!("Basic {key}"));
            answer = self.ask(http, &request).await?;
        }
        Token::of(&answer, PLACE)
    }

    async fn ask(
        &self,
        http: &Http,
        request: &davit_aws::http::Request,
    ) -> Result<Response, Error> {
        let mut pauses = Pauses::default();
        loop {
            let answer = http.near(request).await;
            // Where nobody said that there is one, nothing is the answer.
            let is_nobody = answer.is_err() && self.is_tentative;
            // The service of a machine says of itself that it is gone while it is renewed.
            let is_renewed = matches!(self.server, Server::Machine(_))
                && answer.as_ref().is_ok_and(|it| it.status == 410);
            let pause =
                if is_renewed { pauses.own() } else { pauses.next(&request.method, &answer) };
            match pause {
                Some(pause) if !is_nobody => tokio::time::sleep(pause).await,
                _ => {
                    return answer.map_err(|error| {
                        let cause = std::error::Error::source(&error);
                        let cause = cause.map(|it| format!(": {it}")).unwrap_or_default();
                        refused(format!("{error}{cause}"))
                    });
                }
            }
        }
    }
}

fn refused(reason: String) -> Error {
    Error::Refused { place: PLACE, reason }
}

/// What only those can read who may speak for the machine: a file that the agent names.
fn arc_key(challenge: &str) -> Result<String, Error> {
    let path = challenge.split_once("realm=").map(|(_, path)| path.trim().trim_matches('"'));
    let path = Path::new(path.unwrap_or_default());
    let is_key = path.extension().is_some_and(|it| it == "key");
    if path.parent() != Some(Path::new(ARC_FOLDER)) || !is_key {
        return Err(refused(format!("{} is no file of the agent's", path.display())));
    }
    let unreadable = |error| refused(format!("{} cannot be read: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    if text.len() > 4096 {
        return Err(refused(format!("{} is too large", path.display())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_agent_are_read() {
        for challenge in [
            "",
            "Basic realm=/etc/shadow",
            "Basic realm=/var/opt/azcmagent/tokens/../../../../etc/a.key",
            "Basic realm=/var/opt/azcmagent/tokens/a.txt",
        ] {
            let told = arc_key(challenge).unwrap_err().to_string();
            assert!(told.ends_with("is no file of the agent's"), "{told}");
        }
        let told = arc_key("Basic realm=/var/opt/azcmagent/tokens/none.key").unwrap_err();
        assert!(told.to_string().contains("cannot be read"), "{told}");
    }

    #[test]
    fn the_environment_says_what_is_there() {
        let of = |said: &'static [(&str, &str)]| {
            let get = move |name: &str| {
                said.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned())
            };
            Server::of(&get)
        };
        let app = &[("IDENTITY_ENDPOINT", "http://a"), ("IDENTITY_HEADER", "h")];
        assert_eq!(of(app), (Server::App("http://a".into(), "h".into()), true));
        let arc = &[("IDENTITY_ENDPOINT", "http://a"), ("IMDS_ENDPOINT", "http://b")];
        assert_eq!(of(arc), (Server::Arc("http://a".into()), true));
        assert_eq!(of(&[]), (Server::Machine("http://169.254.169.254".into()), false));
    }
}
