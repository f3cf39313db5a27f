//! Who calls, and where: options of the commands that are the AWS CLI's own and no operation of a model.

use super::session::Said;

/// Who calls, and where.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Globals {
    /// The region.
    #[arg(long, global = true)]
    pub(super) region: Option<String>,
    /// A profile of the files of the AWS CLI.
    #[arg(long, global = true)]
    pub(super) profile: Option<String>,
    /// Where to call instead of AWS.
    #[arg(long, global = true)]
    endpoint_url: Option<String>,
    /// Sign nothing: for what is public.
    #[arg(long, global = true)]
    no_sign_request: bool,
    /// Trust anyone. What goes over may be read and changed on the way.
    #[arg(long, global = true)]
    no_verify_ssl: bool,
    /// Certificates to trust.
    #[arg(long, global = true, value_name = "FILE")]
    ca_bundle: Option<String>,
    /// How many seconds a connection may take; 0 is for ever.
    #[arg(long, global = true, value_name = "SECONDS")]
    cli_connect_timeout: Option<u64>,
    /// How many seconds nothing may come; 0 is for ever.
    #[arg(long, global = true, value_name = "SECONDS")]
    cli_read_timeout: Option<u64>,
}

impl Globals {
    /// The same for a session.
    pub(super) fn said(&self) -> Said {
        Said {
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ca_bundle: self.ca_bundle.clone(),
            anonymous: self.no_sign_request,
            insecure: self.no_verify_ssl,
            connect_timeout: self.cli_connect_timeout,
            read_timeout: self.cli_read_timeout,
        }
    }
}
