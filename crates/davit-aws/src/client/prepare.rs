//! What of a call is the same for all its attempts. Sends nothing.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{Call, Client};
use crate::{
    checksum::{self, When},
    connection::Body,
    credentials::Credentials,
    customise::{self, Notes},
    endpoint,
    error::Error,
    model::{Operation, Service},
    serialize::{self, Built},
    validate,
    value::{Map, Value},
};

/// A call that is ready to be sent.
pub(super) struct Prepared {
    pub(super) service: &'static Service,
    pub(super) operation: &'static Operation,
    /// What is sent, which answers are looked at with: a map.
    pub(super) params: Value,
    pub(super) built: Built,
    /// The body, where it is not in the request.
    pub(super) body: Option<Body>,
    /// The body comes only once, so the call is not tried again.
    pub(super) once: bool,
    /// The keys of the last attempt.
    pub(super) signed_with: Option<Arc<Credentials>>,
    pub(super) notes: Notes,
    pub(super) endpoint: endpoint::Settings,
    pub(super) request_checksums: When,
    /// The same for all attempts, so that the service may tell them from new calls.
    pub(super) invocation: Uuid,
}

impl Prepared {
    /// The parameters by name.
    pub(super) fn params(&self) -> &Map {
        self.params.as_map().expect("made of one")
    }
}

/// The member that may be handed over apart.
fn streamed(service: &Service, operation: &Operation) -> Option<&'static str> {
    let input = operation.input.and_then(|it| service.structure(it))?;
    let member = input.member(input.payload?)?;
    member.traits.streaming.then_some(member.name)
}

/// What is usual at Amazon's endpoints; others know little of checksums.
const fn usual(endpoint: &endpoint::Settings) -> When {
    if endpoint.endpoint_url.is_some() { When::Required } else { When::Supported }
}

impl Client {
    /// Looks at a call and makes its request.
    pub(super) fn prepare(
        &self,
        service: &'static Service,
        operation: &'static Operation,
        call: Call,
    ) -> Result<Prepared, Error> {
        let mut params = call.params;
        params.retain(|_, value| *value != Value::Null);
        let endpoint = self.endpoint_settings(service, call.region)?;
        let request_checksums = self.options.request_checksums.unwrap_or(usual(&endpoint));
        let response_checksums = self.options.response_checksums.unwrap_or(usual(&endpoint));
        let notes = customise::before(service, operation, &mut params)?;
        checksum::ask_for_checksum(operation, &mut params, response_checksums);
        endpoint::complete(service, operation, &mut params)?;
        if call.body.is_some()
            && let Some(member) = streamed(service, operation)
        {
            // It is there, and comes apart.
            params.insert(member.to_owned(), Value::Blob(Bytes::new()));
        }
        if self.options.validate {
            validate::validate(service, operation, &params)?;
        }
        let mut built =
            serialize::build(service, operation, &params, &mut || Uuid::new_v4().to_string())?;
        customise::request(service, operation, &mut built.request);
        if let Some(least) = self.options.compress_from {
            serialize::compress(operation, least, &mut built);
        }
        if call.body.is_some() && built.streams.is_none() {
            let reason = "takes no body apart from its parameters";
            return Err(Error::Unfit { operation: operation.name, reason });
        }
        if self.options.no_host_prefix {
            built.host_prefix = None;
        }
        if service.name == "s3" && call.body.as_ref().is_some_and(|it| it.length().is_none()) {
            let reason = "needs to know how long its body is, or that it goes in parts";
            return Err(Error::Unfit { operation: operation.name, reason });
        }
        let once = call.body.as_ref().is_some_and(|it| it.again().is_none());
        Ok(Prepared {
            service,
            operation,
            params: Value::Map(params),
            built,
            body: call.body,
            once,
            signed_with: None,
            notes,
            endpoint,
            request_checksums,
            invocation: Uuid::new_v4(),
        })
    }

    /// Whether requests to a service get checksums that need not be.
    pub(crate) fn request_checksums(&self, service: &Service) -> Result<When, Error> {
        let said = self.options.request_checksums;
        Ok(said.unwrap_or(usual(&self.endpoint_settings(service, None)?)))
    }

    /// Where requests to a service go.
    pub(super) fn endpoint_settings(
        &self,
        service: &Service,
        region: Option<String>,
    ) -> Result<endpoint::Settings, Error> {
        let mut settings = self.options.endpoint.clone();
        if settings.endpoint_url.is_none() {
            let url = self.options.endpoint_urls.get(service.metadata.service_id)?;
            settings.endpoint_url = url.map(str::to_owned);
        }
        if region.is_some() {
            settings.region = region;
        }
        Ok(settings)
    }
}
