//! The model of a request: one of those that were built in, by its name, or one that stands in the request.

use std::collections::HashMap;

use davit_aws::model::{Files, Operation, Protocol, Service, Store};
use serde_json::{Value as Json, json};

use crate::ask::{Asked, Refusal};

/// Models that were read. Those of requests are kept, since suites use them again and again.
#[derive(Default)]
pub(crate) struct Models {
    store: Store,
    made: HashMap<String, &'static Service>,
}

impl Models {
    /// The service of a request.
    pub(crate) fn service(&mut self, asked: Asked<'_>) -> Result<&'static Service, Refusal> {
        let protocol = match asked.text("protocol") {
            Some(name) => Some(Protocol::named(name).ok_or_else(|| {
                Refusal::new("request", format!("there is no protocol {name:?}"))
            })?),
            None => None,
        };
        match (asked.any(&["model", "rules", "waiters", "paginators"]), asked.any(&["service"])) {
            (None, Some(Json::String(name))) => self.named(name, protocol),
            (None, None) => Err(Refusal::new("request", "needs a \"service\" or a \"model\"")),
            (Some(Json::String(name)), _) => self.named(name, protocol),
            (_, name) => self.inline(asked, name.and_then(Json::as_str), protocol),
        }
    }

    /// The operation of a request and its service.
    pub(crate) fn operation(
        &mut self,
        asked: Asked<'_>,
    ) -> Result<(&'static Service, &'static Operation), Refusal> {
        let service = self.service(asked)?;
        let name = asked.text("operation").unwrap_or_else(|| given_name(asked));
        let operation = davit_aws::Client::operation(service, name);
        Ok((service, operation.map_err(|it| Refusal::of("model", &it))?))
    }

    fn named(
        &mut self,
        name: &str,
        protocol: Option<Protocol>,
    ) -> Result<&'static Service, Refusal> {
        let found = self.store.service(name).map_err(|it| Refusal::of("model", &it))?;
        let missing = || Refusal::new("model", format!("there is no service {name:?}"));
        let service = found.ok_or_else(missing)?;
        let Some(protocol) = protocol else { return Ok(service) };
        let key = format!("{name} {}", protocol.name());
        let made = || &*Box::leak(Box::new(service.speaking(protocol)));
        Ok(self.made.entry(key).or_insert_with(made))
    }

    fn inline(
        &mut self,
        asked: Asked<'_>,
        name: Option<&str>,
        protocol: Option<Protocol>,
    ) -> Result<&'static Service, Refusal> {
        let side = |name: &str| asked.get(name).cloned().unwrap_or(Json::Null);
        let mut files = Files {
            service: complete(asked, protocol),
            paginators: within("pagination", side("paginators")),
            waiters: within("waiters", side("waiters")),
            rules: side("rules"),
        };
        let key =
            format!("{}\n{}\n{}\n{}", files.service, files.paginators, files.waiters, files.rules);
        if let Some(known) = self.made.get(&key) {
            return Ok(known);
        }
        let metadata = files.service.get_mut("metadata").and_then(Json::as_object_mut);
        if let Some(metadata) = metadata
            && ["protocol", "protocols"]
                .iter()
                .all(|it| metadata.get(*it).is_none_or(Json::is_null))
        {
            // Rules, waiters and pages need none.
            metadata.insert("protocol".to_owned(), "json".into());
        }
        let service = Service::from_files(name.unwrap_or("example"), &files);
        let service = service.map_err(|it| Refusal::of("model", &it))?;
        let service: &'static Service = Box::leak(Box::new(service));
        self.made.insert(key, service);
        Ok(service)
    }
}

/// The model of a request, with the operation that stands beside it in suites.
fn complete(asked: Asked<'_>, protocol: Option<Protocol>) -> Json {
    let model = Asked(asked.get("model").unwrap_or(&Json::Null));
    let side = |name: &str| model.get(name).cloned().unwrap_or_else(|| json!({}));
    let mut service = json!({
        "metadata": side("metadata"),
        "operations": side("operations"),
        "shapes": side("shapes"),
        "clientContextParams": side("clientContextParams"),
    });
    if let Some(given) = asked.get("given") {
        service["operations"] = json!({ given_name(asked): given });
    }
    take_over_payloads(&mut service);
    if let Some(protocol) = protocol
        && let Json::Object(metadata) = &mut service["metadata"]
    {
        metadata.remove("protocols");
        metadata.insert("protocol".to_owned(), protocol.name().into());
    }
    // The element around the answer of the query protocol; suites leave it to the reader.
    if service["metadata"]["protocol"] == "query"
        && let Json::Object(operations) = &mut service["operations"]
    {
        for (name, operation) in operations {
            let wrapper = format!("{name}Result");
            let body = asked.part("response").text("body").unwrap_or_default();
            if operation["output"].is_object()
                && operation["output"]["resultWrapper"].is_null()
                && body.contains(&format!("<{wrapper}"))
            {
                operation["output"]["resultWrapper"] = wrapper.into();
            }
        }
    }
    service
}

/// Old suites name the member that is the whole body where the shape is used, not in the shape.
fn take_over_payloads(service: &mut Json) {
    let operations = service["operations"].as_object().into_iter().flatten();
    let sides = operations.flat_map(|(_, it)| [&it["input"], &it["output"]]);
    let payload = |it: &Json| Some((it["shape"].as_str()?.to_owned(), it.get("payload")?.clone()));
    let payloads: Vec<(String, Json)> = sides.filter_map(payload).collect();
    for (shape, payload) in payloads {
        if let Some(Json::Object(shape)) = service["shapes"].get_mut(&shape) {
            shape.insert("payload".to_owned(), payload);
        }
    }
}

/// The file around a part of it.
fn within(name: &str, part: Json) -> Json {
    if part.is_null() || part.get(name).is_some() { part } else { json!({ name: part }) }
}

/// The name of the operation that stands beside a model.
fn given_name(asked: Asked<'_>) -> &str {
    asked.part("given").text("name").unwrap_or("OperationName")
}
