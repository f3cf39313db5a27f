//! Services that say where their calls go: endpoint discovery. What they said is kept as long as they said.

use std::time::{Duration, Instant};

use super::{Call, Client, lock, prepare::Prepared};
use crate::{
    error::Error,
    http::Request,
    value::{Map, Value},
};

/// Where a service wants its calls, and until when that is so.
#[derive(Debug, Clone)]
pub(super) struct Place {
    address: String,
    until: Instant,
}

/// How long it is left in peace when it could not say.
const PAUSE: Duration = Duration::from_secs(60);

impl Client {
    /// Sends a request to where its service wants it, if the operation is one of which that has to be asked.
    pub(super) async fn discover(
        &self,
        call: &Prepared,
        request: &mut Request,
    ) -> Result<(), Error> {
        let Some(required) = call.operation.endpoint_discovery else { return Ok(()) };
        if call.endpoint.endpoint_url.is_some() {
            return Ok(());
        }
        match self.options.endpoint_discovery {
            Some(false) if required => {
                let reason = "has to ask where it goes, and endpoint discovery is turned off";
                return Err(Error::Unfit { operation: call.operation.name, reason });
            }
            Some(false) => return Ok(()),
            None if !required => return Ok(()),
            _ => {}
        }
        let address = match self.place_of(call).await {
            Ok(address) => address,
            Err(error) if required => return Err(error),
            Err(_) => return Ok(()),
        };
        let url = if address.starts_with("http") { address } else { format!("https://{address}") };
        let Some(place) = Request::of_url("POST", &url) else { return Ok(()) };
        request.scheme = place.scheme;
        request.host = place.host;
        Ok(())
    }

    /// Forgets where calls went, after the service said that they are wrong there. Whether something was
    /// forgotten.
    pub(super) fn forget_place(&self, call: &Prepared) -> bool {
        call.operation.endpoint_discovery.is_some()
            && lock(&self.shared.places).remove(&key(call)).is_some()
    }

    async fn place_of(&self, call: &Prepared) -> Result<String, Error> {
        let known = lock(&self.shared.places).get(&key(call)).cloned();
        if let Some(place) = known.as_ref().filter(|it| it.until > Instant::now()) {
            return Ok(place.address.clone());
        }
        match self.ask_place(call).await {
            Ok(place) => {
                let address = place.address.clone();
                lock(&self.shared.places).insert(key(call), place);
                Ok(address)
            }
            // What was right a while ago is better than nothing.
            Err(error) => match known {
                Some(place) => {
                    let until = Instant::now() + PAUSE;
                    let kept = Place { until, ..place.clone() };
                    lock(&self.shared.places).insert(key(call), kept);
                    Ok(place.address)
                }
                None => Err(error),
            },
        }
    }

    async fn ask_place(&self, call: &Prepared) -> Result<Place, Error> {
        let service = call.service;
        let mut operations = service.operation_names().filter_map(|it| service.operation(it));
        let asking = operations.find(|it| it.endpoint_operation);
        let nowhere = || {
            let reason = "has to ask where it goes, and the service did not say";
            Error::Unfit { operation: call.operation.name, reason }
        };
        let asking = asking.ok_or_else(nowhere)?;
        let ask =
            Call::new(service.name, asking.name, Map::new()).region(call.endpoint.region.clone());
        let output = Box::pin(self.run(ask)).await?;
        let listed = match output.get("Endpoints") {
            Some(Value::List(listed)) => listed.first(),
            _ => None,
        };
        let address = listed.and_then(|it| it.get("Address")).and_then(Value::as_str);
        let minutes = listed.and_then(|it| it.get("CachePeriodInMinutes")).and_then(Value::as_int);
        let minutes = minutes.and_then(|it| u64::try_from(it).ok()).unwrap_or(1).min(7 * 24 * 60);
        let address = address.ok_or_else(nowhere)?.to_owned();
        Ok(Place { address, until: Instant::now() + Duration::from_secs(minutes * 60) })
    }
}

/// What an answer holds for: a service in a region.
fn key(call: &Prepared) -> (&'static str, String) {
    (call.service.name, call.endpoint.region.clone().unwrap_or_default())
}
