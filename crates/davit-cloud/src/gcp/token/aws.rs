//! Who AWS says that somebody is, for workload identity federation: a call of STS that is signed here and made by Google.

use bytes::Bytes;
use davit_aws::config::Options;
use davit_aws::http::{Request, encode};
use davit_aws::session::{Parts, Session};
use davit_aws::sign::{self, Keys, Payload, Scope, Settings, Signing};
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::request;
use super::{With, now};

/// What is asked, with the region to be put in.
const URL: &str = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

/// The signed call, as the token that Google changes for one of its own.
pub(super) async fn subject(
    with: &With<'_>,
    audience: &str,
    url: Option<&str>,
) -> Result<String, Error> {
    let session = Session::new(Parts {
        options: Options::default(),
        environment: with.environment.iter().collect(),
        home: with.environment.get("HOME").map(Into::into),
        ..Parts::default()
    });
    let session = session.map_err(|error| with.wrong(error.chain()))?;
    let region = session.settings.region.clone();
    let region = region.ok_or_else(|| with.wrong("AWS_REGION is not set"))?;
    let credentials = session.chain.credentials().await;
    let credentials = credentials.map_err(|error| with.wrong(error.to_string()))?;
    let url = url.unwrap_or(URL).replace("{region}", &region);
    let mut asked = request::of_url("POST", &url)?;
    asked.headers.set("x-goog-cloud-target-resource", audience);
    asked.body = Bytes::new();
    let seconds = i64::try_from(now()).unwrap_or_default();
    let time = davit_aws::time::parse(&seconds.to_string());
    let time = time.ok_or_else(|| with.wrong("the clock is wrong"))?;
    let signing = Signing {
        credentials: &credentials,
        scope: Scope { region: &region, service: "sts", time },
        settings: Settings::standard(Payload::Body),
        keys: &Keys::default(),
    };
    sign::sign(&mut asked, &signing).map_err(|error| with.wrong(error.to_string()))?;
    Ok(encode(&told(&asked).to_string()))
}

/// The call as Google wants to be told of it.
fn told(request: &Request) -> Value {
    let mut headers: Vec<Value> = vec![json!({"key": "host", "value": request.host})];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| json!({"key": name.to_lowercase(), "value": value})),
    );
    json!({"url": request.url(), "method": request.method, "headers": headers, "body": ""})
}
