//! Answers that come in pages: how the next one is asked for, and all of them as one.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::client::Gcp;
use super::document::{Api, Method, properties};
use super::error::Error;

/// How the pages of a method are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// What asks for a page.
    asks: String,
    /// It stands in the body, not among the parameters.
    in_body: bool,
    /// What of an answer names the next page.
    names: String,
}

const NAMES: [&str; 2] = ["pageToken", "nextPageToken"];

impl Pages {
    /// Those of a method; nothing if what it answers comes in one piece.
    #[must_use]
    pub fn of(api: &Api, method: &Method) -> Option<Self> {
        let answer = api.resolved(method.response.as_ref()?);
        let named = |it: &Map<String, Value>| NAMES.into_iter().find(|name| it.contains_key(*name));
        let names = named(properties(&answer)?)?.to_owned();
        if let Some(asks) = NAMES.into_iter().find(|name| method.parameter(name).is_some()) {
            return Some(Self { asks: asks.to_owned(), in_body: false, names });
        }
        let sent = api.resolved(method.request.as_ref()?);
        let asks = named(properties(&sent)?)?.to_owned();
        Some(Self { asks, in_body: true, names })
    }
}

impl Gcp {
    /// All pages of a method as one: lists are put together, also those of maps that both pages have.
    ///
    /// # Errors
    /// As for `call`, and when the pages go round in a circle.
    pub async fn all(
        &self,
        api: &Api,
        method: &Method,
        parameters: &Map<String, Value>,
        body: &Value,
    ) -> Result<Value, Error> {
        let Some(pages) = Pages::of(api, method) else {
            return self.call(api, method, parameters, body).await;
        };
        let (mut parameters, mut body) = (parameters.clone(), body.clone());
        let mut whole = Value::Null;
        let mut seen = HashSet::new();
        loop {
            let mut page = self.call(api, method, &parameters, &body).await?;
            let next = page.as_object_mut().and_then(|it| it.remove(&pages.names));
            let next = next.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default();
            merge(&mut whole, page, 0);
            if next.is_empty() {
                return Ok(whole);
            }
            if !seen.insert(next.clone()) {
                let reason = "the next page was there already".to_owned();
                return Err(Error::Answer { method: method.name.clone(), status: 200, reason });
            }
            if pages.in_body {
                if !body.is_object() {
                    body = Map::new().into();
                }
                body[&pages.asks] = next.into();
            } else {
                parameters.insert(pages.asks.clone(), next.into());
            }
        }
    }
}

/// Puts what a page has behind what there is.
fn merge(whole: &mut Value, page: Value, depth: usize) {
    match (whole, page) {
        (Value::Array(whole), Value::Array(page)) => whole.extend(page),
        (Value::Object(whole), Value::Object(page)) if depth < 4 => {
            // That there is nothing on a page says nothing of all pages.
            let is_empty = |it: &Map<String, Value>| {
                it.get("warning").is_some_and(|it| it["code"] == "NO_RESULTS_ON_PAGE")
            };
            let mut page = page;
            if is_empty(whole) != is_empty(&page) {
                [&mut *whole, &mut page].into_iter().filter(|it| is_empty(it)).for_each(|it| {
                    it.remove("warning");
                });
            }
            for (name, it) in page {
                match whole.get_mut(&name) {
                    Some(known) => merge(known, it, depth + 1),
                    None => drop(whole.insert(name, it)),
                }
            }
        }
        (whole @ Value::Null, page) => *whole = page,
        // What is neither is said of all pages, such as the kind.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::store::Store;
    use super::*;

    #[test]
    fn pages_are_found_in_parameters_and_bodies() {
        let store = Store::default();
        for (api, method, expect) in [
            ("compute", "instances.list", Some(("pageToken", false, "nextPageToken"))),
            ("bigquery", "tabledata.list", Some(("pageToken", false, "pageToken"))),
            ("logging", "entries.list", Some(("pageToken", true, "nextPageToken"))),
            ("compute", "instances.get", None),
        ] {
            let api = store.api(api, None).unwrap();
            let found = Pages::of(&api, &api.method(method).unwrap());
            let expect = expect.map(|(asks, in_body, names)| Pages {
                asks: asks.to_owned(),
                in_body,
                names: names.to_owned(),
            });
            assert_eq!(found, expect, "{method}");
        }
    }

    #[test]
    fn lists_of_maps_are_put_together() {
        let none = json!({"code": "NO_RESULTS_ON_PAGE"});
        let mut whole = Value::Null;
        let one = json!({"kind": "k", "items": {"a": {"instances": [1]}, "b": {"warning": none}}});
        let two = json!({"kind": "k", "items": {
            "a": {"warning": none}, "b": {"instances": [2]}, "c": {"instances": [3]},
        }});
        merge(&mut whole, one, 0);
        merge(&mut whole, two, 0);
        let expect = json!({"kind": "k", "items": {
            "a": {"instances": [1]}, "b": {"instances": [2]}, "c": {"instances": [3]},
        }});
        assert_eq!(whole, expect);
    }
}
