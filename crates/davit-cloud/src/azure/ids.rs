//! Names of resources: from what a task says to the path of Azure Resource Manager, and what a path
//! says of its type. Calls nothing.

use davit_aws::http::{Request, encode_path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Error;

/// Which resource: flatten it into a module's arguments.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Place {
    /// The whole id of the resource, `/subscriptions/ID/resourceGroups/NAME/...`, or its address.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["url", "resource_id"]))]
    pub id: Option<String>,
    /// What it is part of, where it is an extension of another resource: that one's whole id. `/` for
    /// what belongs to the tenant.
    #[serde(default)]
    pub scope: Option<String>,
    /// The resource group; alone, it is the resource.
    #[serde(default)]
    pub resource_group: Option<String>,
    /// Who provides the type: `Microsoft.Network`, or `network` for short.
    #[serde(default)]
    pub provider: Option<String>,
    /// The type: `virtualNetworks`, nested ones as `virtualNetworks/subnets`. The provider may stand
    /// before it.
    #[serde(default)]
    pub resource_type: Option<String>,
    /// The name, for nested types with those of what it lies in: `net/front`.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// What lies in it, one inside the other.
    #[serde(default)]
    pub subresource: Vec<Part>,
    /// The version of the API. Without it the newest one is asked for that is no preview.
    #[serde(default)]
    pub api_version: Option<String>,
    /// Where Azure Resource Manager is, in the place of the cloud's.
    #[serde(default)]
    pub endpoint_url: Option<String>,
}

/// A part of a name.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Part {
    /// Who provides the type, where it is not the one before.
    #[serde(default)]
    namespace: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    kind: String,
    /// The name.
    #[serde(default)]
    name: Option<String>,
}

/// A path of Azure Resource Manager, and what stands behind its question mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Id {
    /// `/subscriptions/...`, not encoded, without a slash at its end.
    pub path: String,
    /// Parameters that came along.
    pub query: Vec<(String, String)>,
}

impl Place {
    /// Whether the path begins with a subscription that is not said here.
    #[must_use]
    pub fn needs_subscription(&self) -> bool {
        self.id.is_none() && self.scope.is_none()
    }

    /// The id. `base` is where Azure Resource Manager is.
    ///
    /// # Errors
    /// When what is said does not fit together.
    pub fn id(&self, base: &str, subscription: &str) -> Result<Id, Error> {
        if let Some(id) = &self.id {
            return Id::read(id, base);
        }
        let mut path = match self.scope.as_deref().map(|it| it.trim_end_matches('/')) {
            Some("") => String::new(),
            Some(scope) if scope.starts_with('/') => scope.to_owned(),
            Some(scope) => {
                return Err(Error::setting(
                    "scope",
                    format!("{scope:?} does not begin with a slash"),
                ));
            }
            None => format!("/subscriptions/{subscription}"),
        };
        if let Some(group) = &self.resource_group {
            path.push_str(&format!("/resourceGroups/{group}"));
        }
        let kind = self.resource_type.as_deref().unwrap_or_default().trim_matches('/');
        let (provider, kind) = match (&self.provider, kind.split_once('/')) {
            (Some(provider), _) => (Some(provider.as_str()), kind),
            (None, Some((provider, kind))) if provider.contains('.') => (Some(provider), kind),
            (None, _) => (None, kind),
        };
        if let Some(provider) = provider {
            path.push_str(&format!("/providers/{}", namespace(provider)));
        }
        let name = self.resource_name.as_deref().unwrap_or_default().trim_matches('/');
        path.push_str(&pairs(kind, name)?);
        for part in &self.subresource {
            if let Some(provider) = &part.namespace {
                path.push_str(&format!("/providers/{}", namespace(provider)));
            }
            path.push_str(&format!("/{}", part.kind));
            if let Some(name) = &part.name {
                path.push_str(&format!("/{name}"));
            }
        }
        checked(path, "resource_name")
    }
}

fn checked(path: String, name: &str) -> Result<Id, Error> {
    let is_wrong = |it: &str| matches!(it, "" | "." | "..");
    let wrong = path.split('/').skip(1).find(|it| is_wrong(it));
    if wrong.is_some() || path.contains(['?', '#', '\\']) || path.is_empty() {
        return Err(Error::setting(name, format!("{path:?} is no path of a resource")));
    }
    Ok(Id { path, query: Vec::new() })
}

fn namespace(provider: &str) -> String {
    if provider.contains('.') { provider.to_owned() } else { format!("Microsoft.{provider}") }
}

/// Types and names in turn. The last type may be without a name: all of them are meant.
fn pairs(kind: &str, name: &str) -> Result<String, Error> {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let (kinds, names) = (parts(kind), parts(name));
    if names.len() > kinds.len() || names.len() + 1 < kinds.len() {
        let reason = format!("{name:?} does not fit {kind:?}: each type has its name");
        return Err(Error::setting("resource_name", reason));
    }
    let mut path = String::new();
    for (place, kind) in kinds.iter().enumerate() {
        path.push_str(&format!("/{kind}"));
        if let Some(name) = names.get(place) {
            path.push_str(&format!("/{name}"));
        }
    }
    Ok(path)
}

impl Id {
    /// Reads an id, or an address below `base`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str, base: &str) -> Result<Self, Error> {
        let text = text.trim();
        let rest = if text.starts_with('/') {
            text
        } else {
            let host = |url: &str| Request::of_url("GET", url).map(|it| (it.scheme, it.host));
            if host(text).is_none() || host(text) != host(base) {
                let reason = format!("{text:?} is neither an id nor an address below {base}");
                return Err(Error::setting("id", reason));
            }
            let (_, rest) = text.split_once("://").unwrap_or_default();
            rest.find('/').map_or("", |at| &rest[at..])
        };
        let made = Request::of_url("GET", &format!("http://h{}", rest.replace(' ', "%20")));
        let path = rest.split('?').next().unwrap_or_default().trim_end_matches('/');
        let path = if path.contains('%') { decoded(path) } else { path.to_owned() };
        let id = checked(path, "id")?;
        Ok(Self { query: made.map(|it| it.query).unwrap_or_default(), ..id })
    }

    /// The path as it goes over the wire.
    #[must_use]
    pub fn encoded(&self) -> String {
        encode_path(&self.path)
    }

    /// The path of something below it.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self {
            path: format!("{}/{}", self.path, name.trim_matches('/')),
            query: self.query.clone(),
        }
    }

    fn segments(&self) -> Vec<&str> {
        self.path.split('/').skip(1).collect()
    }

    /// Whether it ends in a type, so that all of them are meant.
    #[must_use]
    pub fn is_collection(&self) -> bool {
        self.segments().len() % 2 == 1
    }

    /// The last name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription that it lies in.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        match self.segments()[..] {
            [first, id, ..] if first.eq_ignore_ascii_case("subscriptions") => Some(id),
            _ => None,
        }
    }

    /// Who provides it and its type, `virtualNetworks/subnets`; nothing for groups and subscriptions,
    /// which nobody provides.
    #[must_use]
    pub fn kind(&self) -> Option<(String, String)> {
        let segments = self.segments();
        let at =
            segments.iter().step_by(2).rposition(|it| it.eq_ignore_ascii_case("providers"))? * 2;
        let provider = segments.get(at + 1)?;
        let kinds: Vec<&str> = segments[at + 2..].iter().step_by(2).copied().collect();
        (!kinds.is_empty()).then(|| ((*provider).to_owned(), kinds.join("/")))
    }
}

fn decoded(path: &str) -> String {
    // What comes as an address is read as one: a parameter is decoded as a path is.
    let request = Request::of_url("GET", &format!("http://h/?p={path}"));
    request.and_then(|it| it.query.into_iter().next()).map(|(_, path)| path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BASE: &str = "https://management.azure.com";

    fn path(place: Value) -> Result<String, String> {
        let place: Place = serde_json::from_value(place).unwrap();
        place.id(BASE, "S").map(|it| it.path).map_err(|it| it.to_string())
    }

    #[test]
    fn parts_make_a_path() {
        let extension = json!({
            "scope": "/subscriptions/T/resourceGroups/g/", "provider": "Microsoft.Insights",
            "resource_type": "diagnosticSettings", "resource_name": "d",
        });
        let sub = json!({
            "resource_group": "g", "provider": "compute", "resource_type": "virtualMachines",
            "resource_name": "m", "subresource": [{"type": "extensions", "name": "e"}],
        });
        for (place, expected) in [
            (json!({"resource_group": "g"}), "/subscriptions/S/resourceGroups/g"),
            (
                json!({"resource_group": "g", "resource_type": "resources"}),
                "/subscriptions/S/resourceGroups/g/resources",
            ),
            (
                json!({"resource_group": "g", "resource_type": "Microsoft.Network/virtualNetworks/subnets", "resource_name": "n/s"}),
                "/subscriptions/S/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/s",
            ),
            (
                json!({"provider": "compute", "resource_type": "snapshots"}),
                "/subscriptions/S/providers/Microsoft.compute/snapshots",
            ),
            (
                extension,
                "/subscriptions/T/resourceGroups/g/providers/Microsoft.Insights/diagnosticSettings/d",
            ),
            (
                sub,
                "/subscriptions/S/resourceGroups/g/providers/Microsoft.compute/virtualMachines/m/extensions/e",
            ),
            (
                json!({"scope": "/", "provider": "Management", "resource_type": "managementGroups", "resource_name": "m"}),
                "/providers/Microsoft.Management/managementGroups/m",
            ),
            (json!({"id": "https://management.azure.com/a/b%20c?api-version=1"}), "/a/b c"),
            (json!({"id": "/a/b/"}), "/a/b"),
        ] {
            assert_eq!(path(place.clone()).as_deref(), Ok(expected), "{place}");
        }
        for place in [
            json!({"id": "https://example.com/a/b"}),
            json!({"id": "a/b"}),
            json!({"id": "/a/../b"}),
            json!({"id": "/a/%2e%2e/b"}),
            json!({"scope": "a"}),
            json!({"resource_type": "a/b/c", "resource_name": "n"}),
            json!({"resource_group": "a?b"}),
            json!({"resource_group": ""}),
        ] {
            assert!(path(place.clone()).is_err(), "{place}");
        }
    }

    #[test]
    fn paths_tell_their_type() {
        for (path, kind, is_collection) in [
            ("/subscriptions/S/resourceGroups/providers", None, false),
            ("/subscriptions/S/providers/Microsoft.Compute", None, false),
            ("/subscriptions", None, true),
            (
                "/subscriptions/S/resourceGroups/g/providers/A.B/c/d/e/f",
                Some(("A.B".to_owned(), "c/e".to_owned())),
                false,
            ),
            (
                "/subscriptions/S/providers/A.B/c/d/providers/E.F/g",
                Some(("E.F".to_owned(), "g".to_owned())),
                true,
            ),
        ] {
            let id = Id::read(path, BASE).unwrap();
            assert_eq!((id.kind(), id.is_collection()), (kind, is_collection), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_id_or_refused(text in "[/a%20.?=&]*|\\PC*") {
            if let Ok(id) = Id::read(&text, BASE) {
                let _ = (id.kind(), id.subscription(), id.encoded(), id.name().len());
            }
        }
    }
}
