//! What can be set for S3 alone. Finds no endpoint.

use super::lookup::{Found, Lookup, SettingsError};
use crate::endpoint::AddressingStyle;

/// Where requests to `us-east-1` go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsEast1Endpoint {
    /// To `s3.amazonaws.com`.
    #[default]
    Legacy,
    /// To `s3.us-east-1.amazonaws.com`.
    Regional,
}

/// The settings of S3. Nothing stands for "not set".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// `s3.addressing_style`.
    pub addressing_style: Option<AddressingStyle>,
    /// `s3.use_accelerate_endpoint`.
    pub use_accelerate_endpoint: Option<bool>,
    /// `s3.use_dualstack_endpoint`.
    pub use_dualstack_endpoint: Option<bool>,
    /// `s3.payload_signing_enabled`.
    pub payload_signing_enabled: Option<bool>,
    /// `s3_use_arn_region`, `s3.use_arn_region`.
    pub use_arn_region: Option<bool>,
    /// `s3_us_east_1_regional_endpoint`, `s3.us_east_1_regional_endpoint`.
    pub us_east_1_regional_endpoint: UsEast1Endpoint,
    /// `s3_disable_multiregion_access_points`, on the profile's level or in its `s3` block.
    pub disable_multiregion_access_points: Option<bool>,
    /// `s3_disable_express_session_auth`.
    pub disable_express_session_auth: Option<bool>,
    /// `s3.signature_version`.
    pub signature_version: Option<String>,
    /// How objects are moved.
    pub transfer: TransferSettings,
}

/// How objects are moved: what `aws s3 cp` reads from the `s3` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferSettings {
    /// From this size on objects are moved in parts.
    pub multipart_threshold: u64,
    /// The size of a part.
    pub multipart_chunksize: u64,
    /// How many requests are under way at once.
    pub max_concurrent_requests: u64,
    /// How many tasks wait at once.
    pub max_queue_size: u64,
    /// Bytes a second.
    pub max_bandwidth: Option<u64>,
}

impl Default for TransferSettings {
    fn default() -> Self {
        Self {
            multipart_threshold: 8 << 20,
            multipart_chunksize: 8 << 20,
            max_concurrent_requests: 10,
            max_queue_size: 1000,
            max_bandwidth: None,
        }
    }
}

const STYLES: &[(&str, AddressingStyle)] = &[
    ("auto", AddressingStyle::Auto),
    ("virtual", AddressingStyle::Virtual),
    ("path", AddressingStyle::Path),
];
const US_EAST_1: &[(&str, UsEast1Endpoint)] =
    &[("legacy", UsEast1Endpoint::Legacy), ("regional", UsEast1Endpoint::Regional)];

impl S3Settings {
    pub(super) fn of(
        lookup: &Lookup<'_>,
        us_east_1: UsEast1Endpoint,
    ) -> Result<Self, SettingsError> {
        let either = |variable: &str, first: &str, second: &str| {
            lookup.find(variable, first).or_else(|| lookup.find("", second))
        };
        let boolean = |found: Option<Found<'_>>| found.map(Found::boolean).transpose();
        let us_east_1_regional_endpoint = either(
            "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
            "s3_us_east_1_regional_endpoint",
            "s3.us_east_1_regional_endpoint",
        );
        Ok(Self {
            addressing_style: lookup.choice("", "s3.addressing_style", STYLES)?,
            use_accelerate_endpoint: lookup.boolean("", "s3.use_accelerate_endpoint")?,
            use_dualstack_endpoint: lookup.boolean("", "s3.use_dualstack_endpoint")?,
            payload_signing_enabled: lookup.boolean("", "s3.payload_signing_enabled")?,
            use_arn_region: boolean(either(
                "AWS_S3_USE_ARN_REGION",
                "s3_use_arn_region",
                "s3.use_arn_region",
            ))?,
            us_east_1_regional_endpoint: us_east_1_regional_endpoint
                .map(|it| it.choice(US_EAST_1))
                .transpose()?
                .unwrap_or(us_east_1),
            disable_multiregion_access_points: boolean(either(
                "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
                "s3_disable_multiregion_access_points",
                "s3.s3_disable_multiregion_access_points",
            ))?,
            disable_express_session_auth: lookup.boolean(
                "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
                "s3_disable_express_session_auth",
            )?,
            signature_version: lookup.text("", "s3.signature_version"),
            transfer: TransferSettings::of(lookup)?,
        })
    }
}

impl TransferSettings {
    fn of(lookup: &Lookup<'_>) -> Result<Self, SettingsError> {
        let find = |name: &str| lookup.find("", &format!("s3.{name}"));
        let sized = |name: &str| find(name).map(size).transpose();
        let number = |name: &str| find(name).map(|it| it.number(1, u64::MAX)).transpose();
        let default = Self::default();
        Ok(Self {
            multipart_threshold: sized("multipart_threshold")?
                .unwrap_or(default.multipart_threshold),
            multipart_chunksize: sized("multipart_chunksize")?
                .unwrap_or(default.multipart_chunksize),
            max_concurrent_requests: number("max_concurrent_requests")?
                .unwrap_or(default.max_concurrent_requests),
            max_queue_size: number("max_queue_size")?.unwrap_or(default.max_queue_size),
            max_bandwidth: find("max_bandwidth").map(rate).transpose()?,
        })
    }
}

/// `8MB`, `8388608`. A megabyte is a mebibyte, as it is to the AWS CLI.
fn size(found: Found<'_>) -> Result<u64, SettingsError> {
    match bytes(found.text) {
        Some(bytes) => Ok(bytes),
        None => Err(found.wrong("a size above zero, in bytes or such as `64MB`")),
    }
}

/// `10MB/s`, or bytes a second.
fn rate(found: Found<'_>) -> Result<u64, SettingsError> {
    let text = found.text;
    let rate = match text.strip_suffix("/s") {
        Some(amount) if amount.ends_with('B') => bytes(amount),
        _ => text.parse().ok().filter(|it| *it > 0),
    };
    rate.ok_or_else(|| found.wrong("bytes a second, or a rate such as `10MB/s`"))
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let power = match unit {
        "" | "b" => 0,
        "kb" | "kib" => 1,
        "mb" | "mib" => 2,
        "gb" | "gib" => 3,
        "tb" | "tib" => 4,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << (10 * power)).filter(|it| *it > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("8MB", Some(8 << 20)),
            ("1kib", Some(1024)),
            ("5", Some(5)),
            ("0", None),
            ("MB", None),
            ("5 MB", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
