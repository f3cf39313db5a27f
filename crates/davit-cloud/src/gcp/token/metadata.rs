//! The metadata server of Google's machines: the token and the project of the account that they run as.

use std::time::Duration;

use davit_aws::connection::Pool;
use davit_aws::http::{Request, Response};

use super::super::error::Error;
use super::super::{http, request};
use super::{Token, With};

/// By its address: where there is no such server, a name may take long to be found nowhere.
const ADDRESS: &str = "169.254.169.254";
/// It is next door.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The address of the server, or why it is not there.
pub(super) async fn find(pool: &Pool, host: Option<&str>) -> Result<String, String> {
    let url = format!("http://{}", host.unwrap_or(ADDRESS));
    let limit = if host.is_some() { PATIENCE * 2 } else { Duration::from_secs(1) };
    let Some(answer) = get(pool, &format!("{url}/"), limit).await else {
        return Err(format!("no metadata server at {url}"));
    };
    // Other clouds have theirs at the same address.
    if answer.headers.get("metadata-flavor") == Some("Google") {
        Ok(url)
    } else {
        Err(format!("what answers at {url} is no metadata server of Google"))
    }
}

/// The project of the machine.
pub(super) async fn project(pool: &Pool, url: &str) -> Option<String> {
    let path = format!("{url}/computeMetadata/v1/project/project-id");
    let answer = get(pool, &path, PATIENCE).await.filter(|it| it.status == 200)?;
    Some(String::from_utf8_lossy(&answer.body).trim().to_owned()).filter(|it| !it.is_empty())
}

/// The token of the machine's account.
pub(super) async fn token(with: &With<'_>, url: &str, scopes: &[String]) -> Result<Token, Error> {
    let path = format!("{url}/computeMetadata/v1/instance/service-accounts/default/token");
    let mut request = with_flavour(&path)?;
    request.query.push(("scopes".to_owned(), scopes.join(",")));
    let answer = http::ask(with.near, with.place, &request).await?;
    Token::of_answer(with.place, &answer.body)
}

async fn get(pool: &Pool, url: &str, limit: Duration) -> Option<Response> {
    http::within(pool, &with_flavour(url).ok()?, limit).await
}

fn with_flavour(url: &str) -> Result<Request, Error> {
    let mut request = request::of_url("GET", url)?;
    request.headers.set("metadata-flavor", "Google");
    Ok(request)
}
