//! Where requests go: rules with parameters by their names, or an operation with its input and settings.

use davit_aws::{
    endpoint::{
        self, AccountIdMode, AddressingStyle, AuthPreference, AuthScheme, Endpoint, EndpointError,
        S3Settings, Settings,
    },
    serialize::build,
};
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, Style},
    models::Models,
    wire,
};

pub(crate) fn endpoint(asked: Asked<'_>, models: &mut Models) -> Answer {
    let refuse = |it: EndpointError| Refusal::of("endpoint", &it);
    if asked.get("operation").is_none() {
        let service = models.service(asked)?;
        let params = asked.params("params")?;
        let found = endpoint::resolve_rules(service, &params).map_err(refuse)?;
        return Ok(json!({ "endpoint": json(&found) }));
    }
    let (service, operation) = models.operation(asked)?;
    let mut input = wire::params(asked, service, operation, "input")?;
    let settings = settings(asked.part("settings"))?;
    endpoint::complete(service, operation, &mut input).map_err(refuse)?;
    let found = match asked.get("builtins") {
        Some(_) => {
            let builtins = asked.params("builtins")?;
            endpoint::resolve_built_ins(service, operation, &input, &builtins, &settings.context)
        }
        None => endpoint::resolve(service, operation, &input, &settings),
    };
    let found = found.map_err(refuse)?;
    let mut answer = json!({ "endpoint": json(&found), "region": found.region });
    let preference = AuthPreference::default();
    if let Ok(auth) = endpoint::auth(service, operation, &found, &preference) {
        answer["auth"] = json!({
            "scheme": format!("{:?}", auth.scheme).to_lowercase(),
            "signing_name": auth.signing_name,
            "region": auth.region,
            "double_encode": auth.double_encode,
            "sign_body": auth.sign_body,
        });
    }
    // The address of the request as a whole, where the input is enough to make one.
    if let Ok(built) = build(service, operation, &input, &mut String::new) {
        let mut request = built.request;
        let prefix = built.host_prefix.as_deref();
        endpoint::apply(service, operation, &found, prefix, &mut request);
        answer["url"] = request.url().into();
    }
    Ok(answer)
}

/// An endpoint as suites have it.
fn json(endpoint: &Endpoint) -> Json {
    let mut headers = JsonMap::new();
    for (name, value) in endpoint.headers.iter() {
        let values = headers.entry(name).or_insert_with(|| json!([]));
        if let Json::Array(values) = values {
            values.push(value.into());
        }
    }
    let style = Style::of(Asked(&Json::Null));
    let mut properties = style.map(endpoint.properties.clone());
    if !endpoint.auth_schemes.is_empty() {
        properties["authSchemes"] = endpoint.auth_schemes.iter().map(scheme).collect();
    }
    json!({"url": endpoint.url(), "headers": headers, "properties": properties})
}

fn scheme(scheme: &AuthScheme) -> Json {
    let members = [
        ("signingName", json!(scheme.signing_name)),
        ("signingRegion", json!(scheme.signing_region)),
        ("signingRegionSet", json!(scheme.signing_region_set)),
        ("disableDoubleEncoding", json!(scheme.disable_double_encoding)),
    ];
    let mut said = JsonMap::new();
    said.insert("name".to_owned(), scheme.name.as_str().into());
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    said.extend(there.map(|(name, value)| (name.to_owned(), value)));
    Json::Object(said)
}

fn settings(asked: Asked<'_>) -> Result<Settings, Refusal> {
    let flag = |name: &str| asked.flag(&[name]).unwrap_or(false);
    let account_id_endpoint_mode = match asked.text("account_id_endpoint_mode") {
        None | Some("preferred") => AccountIdMode::Preferred,
        Some("disabled") => AccountIdMode::Disabled,
        Some("required") => AccountIdMode::Required,
        Some(other) => return Err(Refusal::new("request", format!("there is no mode {other:?}"))),
    };
    Ok(Settings {
        region: asked.owned(&["region"]),
        use_fips: flag("use_fips"),
        use_dual_stack: flag("use_dual_stack"),
        endpoint_url: asked.owned(&["endpoint_url"]),
        plain_http: flag("plain_http"),
        s3: s3(asked.part("s3"))?,
        sts_global_endpoint: flag("sts_global_endpoint"),
        account_id: asked.owned(&["account_id"]),
        account_id_endpoint_mode,
        context: asked.params("context")?,
    })
}

fn s3(asked: Asked<'_>) -> Result<S3Settings, Refusal> {
    let flag = |name: &str| asked.flag(&[name]).unwrap_or(false);
    let addressing_style = match asked.text("addressing_style") {
        None | Some("auto") => AddressingStyle::Auto,
        Some("path") => AddressingStyle::Path,
        Some("virtual") => AddressingStyle::Virtual,
        Some(other) => return Err(Refusal::new("request", format!("there is no style {other:?}"))),
    };
    Ok(S3Settings {
        addressing_style,
        use_accelerate: flag("use_accelerate"),
        use_arn_region: asked.flag(&["use_arn_region"]),
        us_east_1_regional: flag("us_east_1_regional"),
        disable_multi_region_access_points: flag("disable_multi_region_access_points"),
        disable_express_session_auth: flag("disable_express_session_auth"),
        use_dual_stack: asked.flag(&["use_dual_stack"]),
    })
}
