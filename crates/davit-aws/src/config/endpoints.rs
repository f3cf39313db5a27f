//! Endpoints that a person configured, for all services or for one. Knows no service.

use super::{
    lookup::{Found, Lookup, Origin, SettingsError},
    profiles::Profiles,
};

/// The configured endpoints. For a service the first of these is used: an explicit one,
/// `AWS_ENDPOINT_URL_SERVICE`, `AWS_ENDPOINT_URL`, `endpoint_url` in the service's block of the
/// section that `services` names, `endpoint_url` of the profile.
#[derive(Debug, Clone, Default)]
pub struct EndpointUrls {
    explicit: Option<Url>,
    /// By the service's part of the variable's name.
    variables: Vec<(String, Url)>,
    variable: Option<Url>,
    /// By the key of the service's block.
    services: Vec<(String, Url)>,
    missing_services: Option<(Origin, String)>,
    profile: Option<Url>,
    ignored: bool,
}

#[derive(Debug, Clone)]
struct Url {
    text: String,
    origin: Origin,
}

impl EndpointUrls {
    pub(super) fn of(lookup: &Lookup<'_>, profiles: &Profiles) -> Result<Self, SettingsError> {
        let ignored = lookup
            .boolean("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")?;
        let variables = lookup.environment.iter().filter_map(|(name, _)| {
            let service = name.strip_prefix("AWS_ENDPOINT_URL_")?;
            Some((service.to_owned(), Url::of(lookup.variable(name)?)))
        });
        let mut urls = Self {
            explicit: lookup.option("endpoint_url").map(Url::of),
            variables: variables.collect(),
            variable: lookup.variable("AWS_ENDPOINT_URL").map(Url::of),
            profile: lookup.file("endpoint_url").map(Url::of),
            ignored: ignored.unwrap_or(false),
            ..Self::default()
        };
        if let Some(name) = lookup.file("services") {
            match profiles.services(name.text) {
                Some(section) => {
                    for (service, _) in section.iter() {
                        let Some(text) = section.nested(service, "endpoint_url") else { continue };
                        let origin = Origin::File {
                            path: section.path().to_owned(),
                            line: section.line(service).unwrap_or_default(),
                            key: format!("{service}.endpoint_url"),
                        };
                        urls.services.push((service.to_owned(), Url::of(Found { text, origin })));
                    }
                }
                None => urls.missing_services = Some((name.origin, name.text.to_owned())),
            }
        }
        Ok(urls)
    }

    /// The endpoint of a service by its id in the model, `Secrets Manager`; nothing if none was
    /// configured.
    ///
    /// # Errors
    ///
    /// When it is no address of HTTP, or `services` refers to a section that is not there.
    pub fn get(&self, service_id: &str) -> Result<Option<&str>, SettingsError> {
        if let Some(url) = &self.explicit {
            return url.check().map(Some);
        }
        if self.ignored {
            return Ok(None);
        }
        let id = service_id.to_lowercase().replace([' ', '-'], "_");
        let upper = id.to_uppercase();
        let of = |urls: &[(String, Url)], id: &str| urls.iter().position(|(known, _)| known == id);
        let found = match of(&self.variables, &upper) {
            Some(at) => Some(&self.variables[at].1),
            None => self.variable.as_ref(),
        };
        if let Some(url) = found {
            return url.check().map(Some);
        }
        if let Some((origin, name)) = &self.missing_services {
            let (origin, name) = (origin.clone(), name.clone());
            return Err(SettingsError::NoServices { origin, name });
        }
        let found = match of(&self.services, &id) {
            Some(at) => Some(&self.services[at].1),
            None => self.profile.as_ref(),
        };
        found.map(Url::check).transpose()
    }
}

impl Url {
    fn of(found: Found<'_>) -> Self {
        Self { text: found.text.to_owned(), origin: found.origin }
    }

    fn check(&self) -> Result<&str, SettingsError> {
        let rest = ["http://", "https://"].iter().find_map(|it| self.text.strip_prefix(it));
        let host = rest.and_then(|it| it.split(['/', '?', '#']).next()).unwrap_or_default();
        if !host.is_empty() && !self.text.contains(|it: char| it.is_whitespace() || it.is_control())
        {
            return Ok(&self.text);
        }
        let found = Found { text: &self.text, origin: self.origin.clone() };
        Err(found.wrong("an address such as `https://host:port`"))
    }
}
