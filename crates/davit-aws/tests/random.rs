//! Requests and those who sign them, as chance has it and the same in each run; and how they are
//! compared.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use davit_aws::{
    credentials::Credentials,
    http::{Headers, Request},
    sign::{Keys, Scope, Settings, Signing},
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// Numbers that look random and are the same in each run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn credentials(&mut self) -> Credentials {
        let token = ["FwoGZXIvYXdzEB4aD/+token==", "a b&c=d/ä"];
        Credentials {
            access_key_id: self.pick(&["AKIDEXAMPLE", "ASIAIOSFODNN7EXAMPLE"]).to_owned(),
            secret_access_key: self
                .pick(&["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "s"])
                .to_owned(),
            session_token: self.coin().then(|| token[self.below(2)].to_owned()),
            expires: None,
            account_id: None,
            source: "a test".to_owned(),
        }
    }

    pub(crate) fn time(&mut self) -> Timestamp {
        let seconds = 1_000_000_000 + self.below(1_000_000_000) as i64;
        Timestamp::from_second(seconds).expect("a time")
    }

    /// `repeated`: parameters may be there several times.
    pub(crate) fn request(&mut self, repeated: bool) -> Request {
        let parts = [
            "",
            "a",
            ".",
            "..",
            "%20",
            "b%2Fc",
            "%C3%A9",
            "d.e",
            "~x-y_z",
            "%E1%88%B4",
            "a%3Db",
            "*",
            "(1)",
            "x:y",
            "@",
        ];
        let path: String = (0..self.below(6)).map(|_| format!("/{}", self.pick(&parts))).collect();
        let names = ["a", "b", "B", "uploads", "é", "x y", "a/b", "Param-3", "X-Amz-Meta", "list*"];
        let values = ["", "1", "two words", "ü=&+", "~-_.", "/a/b", "%20", "ሴ"];
        let mut query: Vec<(String, String)> = Vec::new();
        for _ in 0..self.below(5) {
            let name = self.pick(&names).to_owned();
            if repeated || query.iter().all(|(known, _)| *known != name) {
                query.push((name, self.pick(&values).to_owned()));
            }
        }
        let mut headers = Headers::default();
        for _ in 0..self.below(6) {
            let name = self.pick(&[
                "x-amz-meta-a",
                "X-Amz-Meta-A",
                "Content-Type",
                "User-Agent",
                "x-custom",
                "Expect",
                "transfer-encoding",
                "X-Amzn-Trace-Id",
                "Content-MD5",
            ]);
            headers
                .add(name, self.pick(&["plain", "  a   b ", "c,d", "", "e\tf", "1; q=\"x  y\""]));
        }
        let path = if path.is_empty() { "/".to_owned() } else { path };
        Request {
            method: self.pick(&["GET", "POST", "PUT", "DELETE", "HEAD"]).to_owned(),
            scheme: self.pick(&["https", "https", "http"]).to_owned(),
            host: self
                .pick(&[
                    "service.eu-west-1.amazonaws.com",
                    "127.0.0.1:5555",
                    "my-bucket.s3.amazonaws.com",
                ])
                .to_owned(),
            path,
            query,
            headers,
            body: Bytes::copy_from_slice(self.pick(&["", "body", "{\"a\": 1}"]).as_bytes()),
        }
    }
}

/// One who signs.
pub(crate) struct Who {
    pub(crate) credentials: Credentials,
    pub(crate) time: Timestamp,
    pub(crate) keys: Keys,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
}

impl Who {
    pub(crate) fn roll(dice: &mut Dice) -> Self {
        Self {
            credentials: dice.credentials(),
            time: dice.time(),
            keys: Keys::default(),
            region: dice.pick(&["us-east-1", "eu-west-1", "cn-north-1"]),
            service: dice.pick(&["ec2", "s3", "execute-api"]),
        }
    }

    pub(crate) fn signing<'a>(&'a self, settings: Settings<'a>) -> Signing<'a> {
        let scope = Scope { region: self.region, service: self.service, time: self.time };
        Signing { credentials: &self.credentials, scope, settings, keys: &self.keys }
    }

    pub(crate) fn question(&self, what: &str, request: &Request) -> Json {
        let Credentials { access_key_id: id, secret_access_key: secret, .. } = &self.credentials;
        let mut credentials = json!({ "id": id, "secret": secret });
        if let Some(token) = &self.credentials.session_token {
            credentials["token"] = token.as_str().into();
        }
        json!({
            "do": what,
            "time": self.time.as_second(),
            "credentials": credentials,
            "region": self.region,
            "service": self.service,
            "method": request.method,
            "scheme": request.scheme,
            "host": request.host,
            "path": request.path,
            "query": request.query,
            "headers": request.headers.iter().collect::<Vec<_>>(),
            "body": STANDARD.encode(&request.body),
        })
    }
}

pub(crate) fn with(mut question: Json, more: Json) -> Json {
    let Json::Object(more) = more else { panic!("an object") };
    question.as_object_mut().expect("an object").extend(more);
    question
}

/// Headers as they are compared: their order matters within a name only.
fn sorted(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value)).collect();
    headers.sort_by(|left, right| left.0.cmp(&right.0));
    headers
}

pub(crate) fn ours(headers: &Headers) -> Vec<(String, String)> {
    sorted(headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())))
}

pub(crate) fn theirs(answer: &Json) -> Vec<(String, String)> {
    let pairs: Vec<(String, String)> =
        serde_json::from_value(answer["headers"].clone()).expect("pairs");
    sorted(pairs.into_iter())
}
