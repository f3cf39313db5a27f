//! Requests that are signed and not sent: addresses that someone else may use for a while.

use std::time::Duration;

use super::{Call, Client, prepare::Prepared};
use crate::{
    endpoint,
    error::Error,
    http::{Request, encode},
    sign::{self, Payload, Scope, Settings, Signing},
    value::Map,
};

/// No signature is good for longer.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

const fn too_long(operation: &'static str) -> Error {
    Error::Unfit { operation, reason: "can be presigned for a week at most" }
}

/// A form with which a browser uploads to S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it is sent, with `POST`.
    pub url: String,
    /// Its fields. The file goes behind them.
    pub fields: Vec<(String, String)>,
}

impl Client {
    /// A form with which whoever has it may upload for a while.
    ///
    /// # Errors
    ///
    /// When the bucket is none, there is nothing to sign with, or the time is longer than a week.
    pub async fn presign_post(&self, post: &sign::Post<'_>) -> Result<Form, Error> {
        let service = self.service("s3")?;
        let operation = Self::operation(service, "HeadBucket")?;
        if post.expires > LONGEST.as_secs() {
            return Err(too_long("PostObject"));
        }
        let params = Map::from_iter([("Bucket".to_owned(), post.bucket.into())]);
        let call = Call::new(service.name, operation.name, params);
        let prepared = self.prepare(service, operation, call)?;
        let (request, auth) = self.address(&prepared)?;
        let credentials = self.credentials_for(&prepared, &auth).await?;
        let settings = Settings::s3(Payload::Unsigned);
        let scope = Scope { region: &auth.region, service: &auth.signing_name, time: self.now() };
        let keys = &self.shared.keys;
        let signing = Signing { credentials: &credentials, scope, settings, keys };
        Ok(Form { url: request.url(), fields: sign::presign_post(post, &signing) })
    }

    /// The address of a call, which whoever has it may use for a while.
    ///
    /// # Errors
    ///
    /// When the call makes no sense, there is nothing to sign with, or the time is longer than a week.
    pub async fn presign(&self, call: Call, expires: Duration) -> Result<String, Error> {
        self.presign_with(call, expires, |_| {}).await
    }

    /// The same for a request that is changed before it is signed: by another method, or with headers that
    /// whoever uses the address has to send too.
    ///
    /// # Errors
    ///
    /// As for `presign`.
    pub async fn presign_with(
        &self,
        call: Call,
        expires: Duration,
        change: impl FnOnce(&mut Request),
    ) -> Result<String, Error> {
        let service = self.service(&call.service)?;
        let operation = Self::operation(service, &call.operation)?;
        if expires > LONGEST {
            return Err(too_long(operation.name));
        }
        let mut options = self.clone();
        options.options.request_checksums = Some(crate::checksum::When::Required);
        options.options.response_checksums = Some(crate::checksum::When::Required);
        let mut prepared = options.prepare(service, operation, call)?;
        change(&mut prepared.built.request);
        self.put_account(&mut prepared).await?;
        self.presigned(&prepared, expires, None).await
    }

    async fn presigned(
        &self,
        call: &Prepared,
        expires: Duration,
        region: Option<&str>,
    ) -> Result<String, Error> {
        let mut settings = call.endpoint.clone();
        if let Some(region) = region {
            settings.region = Some(region.to_owned());
            settings.endpoint_url = None;
        }
        let endpoint = endpoint::resolve(call.service, call.operation, call.params(), &settings)?;
        let mut request = call.built.request.clone();
        if region.is_some() {
            let mut body = request.body.to_vec();
            let to = call.endpoint.region.as_deref().unwrap_or_default();
            body.extend(format!("&DestinationRegion={}", encode(to)).into_bytes());
            request.body = body.into();
        }
        let prefix = call.built.host_prefix.as_deref();
        endpoint::apply(call.service, call.operation, &endpoint, prefix, &mut request);
        let auth = endpoint::auth(call.service, call.operation, &endpoint, &self.options.auth)?;
        if auth.scheme == endpoint::Scheme::Anonymous {
            return Ok(request.url());
        }
        sign::move_body_to_query(&mut request)?;
        let credentials = self.credentials_for(call, &auth).await?;
        let settings = if auth.double_encode {
            Settings::standard(Payload::Body)
        } else {
            Settings::s3(Payload::Unsigned)
        };
        let scope = Scope { region: &auth.region, service: &auth.signing_name, time: self.now() };
        let keys = &self.shared.keys;
        let signing = Signing { credentials: &credentials, scope, settings, keys };
        sign::presign(&mut request, Some(expires.as_secs()), &signing)?;
        Ok(request.url())
    }

    /// Copies from another region carry a signed request to it.
    pub(super) async fn sign_copy(&self, call: &mut Prepared) -> Result<(), Error> {
        let Some(source) = call.notes.source_region.take() else { return Ok(()) };
        let url = self.presigned(call, Duration::from_secs(3600), Some(&source)).await?;
        let ec2 = call.service.name == "ec2";
        let mut body = call.built.request.body.to_vec();
        let name = if ec2 { "PresignedUrl" } else { "PreSignedUrl" };
        body.extend(format!("&{name}={}", encode(&url)).into_bytes());
        if ec2 {
            let to = call.endpoint.region.as_deref().unwrap_or_default();
            body.extend(format!("&DestinationRegion={}", encode(to)).into_bytes());
        }
        call.built.request.body = body.into();
        Ok(())
    }
}
