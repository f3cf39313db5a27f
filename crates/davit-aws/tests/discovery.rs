//! Services that say where their calls go.

use std::sync::{Arc, Mutex};

use davit_aws::{
    Client,
    client::Options,
    connection::{self, Pool},
    http,
};
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::moto::{REGION, keys, map, runtime};

/// Answers for hosts: what was asked for, and where.
struct Hosts {
    asked: Mutex<Vec<(String, String)>>,
    /// What the host that others are sent to answers first.
    first: Mutex<Option<http::Response>>,
}

impl connection::Transport for Hosts {
    fn answer(
        &self,
        request: http::Request,
    ) -> BoxFuture<'_, Result<http::Response, connection::TransportError>> {
        let target = request.headers.get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = match operation.as_str() {
            "DescribeEndpoints" => {
                r#"{"Endpoints": [{"Address": "cell2.example.com", "CachePeriodInMinutes": 60}]}"#
            }
            _ => r#"{"Databases": []}"#,
        };
        let mut answer = http::Response { status: 200, body: body.into(), ..Default::default() };
        if operation != "DescribeEndpoints" {
            answer = self.first.lock().expect("sound").take().unwrap_or(answer);
        }
        self.asked.lock().expect("sound").push((operation, request.host));
        Box::pin(async move { Ok(answer) })
    }
}

#[test]
fn services_that_say_where_calls_go_are_asked_once() {
    let asked = |first: Option<http::Response>, mode: Option<bool>, calls: usize| {
        let hosts = Arc::new(Hosts { asked: Mutex::default(), first: Mutex::new(first) });
        let mut made = Options::new(Arc::new(keys("AKID", "secret")));
        made.endpoint.region = Some(REGION.to_owned());
        made.pool = Arc::new(Pool::answered_by(Arc::<Hosts>::clone(&hosts)));
        made.endpoint_discovery = mode;
        let client = Client::new(made);
        let outcomes: Result<Vec<_>, _> = (0..calls)
            .map(|_| {
                runtime().block_on(client.call("timestream-write", "ListDatabases", map(json!({}))))
            })
            .collect();
        let asked = hosts.asked.lock().expect("sound").clone();
        (outcomes.map(drop).map_err(|it| it.chain()), asked)
    };
    let at = |it: &str, host: &str| (it.to_owned(), host.to_owned());
    let ask = at("DescribeEndpoints", &format!("ingest.timestream.{REGION}.amazonaws.com"));
    let list = at("ListDatabases", "cell2.example.com");
    let (outcome, seen) = asked(None, None, 2);
    assert_eq!((outcome, seen), (Ok(()), vec![ask.clone(), list.clone(), list.clone()]));
    // Where it was wrong, it is asked again.
    let wrong = http::Response {
        status: 421,
        body: r#"{"__type": "InvalidEndpointException"}"#.into(),
        ..Default::default()
    };
    let (outcome, seen) = asked(Some(wrong), None, 1);
    assert_eq!((outcome, seen), (Ok(()), vec![ask.clone(), list.clone(), ask, list]));
    let (outcome, seen) = asked(None, Some(false), 1);
    let error = outcome.expect_err("turned off");
    assert!(error.contains("endpoint discovery is turned off") && seen.is_empty(), "{error}");
}
