//! The account that the keys belong to, for the services whose hosts have it in their names. Knows no
//! rules.

use super::{Client, prepare::Prepared};
use crate::{
    endpoint::{self, AccountIdMode},
    error::Error,
};

impl Client {
    /// Lets the endpoint of a call know the account, if it can have it in its name.
    pub(super) async fn put_account(&self, call: &mut Prepared) -> Result<(), Error> {
        let settings = &call.endpoint;
        let anonymous = self.options.auth.anonymous;
        if anonymous {
            // There are no keys that could say it.
            call.endpoint.account_id_endpoint_mode = AccountIdMode::Disabled;
        } else if settings.account_id.is_none()
            && settings.endpoint_url.is_none()
            && settings.account_id_endpoint_mode != AccountIdMode::Disabled
            && endpoint::takes_account(call.service)
        {
            let keys = self.options.credentials.credentials().await?;
            call.endpoint.account_id.clone_from(&keys.account_id);
        }
        Ok(())
    }
}
