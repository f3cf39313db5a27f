//! What of a call is the same for all its attempts. Sends nothing.

use bytes::Bytes;
use uuid::Uuid;

use super::{Call, Client};
use crate::{
    checksum::{self, When},
    connection::Body,
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
    /// What is sent, which answers are looked at with.
    pub(super) params: Map,
    pub(super) built: Built,
    /// The body, where it is not in the request.
    pub(super) body: Option<Body>,
    /// The body comes only once, so the call is not tried again.
    pub(super) once: bool,
    pub(super) notes: Notes,
    pub(super) endpoint: endpoint::Settings,
    pub(super) request_checksums: When,
    /// The same for all attempts, so that the service may tell them from new calls.
    pub(super) invocation: Uuid,
}

/// The member that may be handed over apart.
fn streamed(service: &Service, operation: &Operation) -> Option<&'static str> {
    let input = operation.input.and_then(|it| service.structure(it))?;
    let member = input.member(input.payload?)?;
    member.traits.streaming.then_some(member.name)
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
        let checksums = |said: Option<When>| {
            let usual =
                if endpoint.endpoint_url.is_some() { When::Required } else { When::Supported };
            said.unwrap_or(usual)
        };
        let request_checksums = checksums(self.options.request_checksums);
        let response_checksums = checksums(self.options.response_checksums);
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
        if call.body.is_some() && built.streams.is_none() {
            let reason = "takes no body apart from its parameters";
            return Err(Error::Unfit { operation: operation.name, reason });
        }
        if self.options.no_host_prefix {
            built.host_prefix = None;
        }
        let once = call.body.as_ref().is_some_and(|it| it.again().is_none());
        Ok(Prepared {
            service,
            operation,
            params,
            built,
            body: call.body,
            once,
            notes,
            endpoint,
            request_checksums,
            invocation: Uuid::new_v4(),
        })
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
