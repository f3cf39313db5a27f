//! `davit aws s3 ls`.

use std::fmt::Write as _;

use davit_aws::Client;
use davit_aws::value::{Map, Value};
use jiff::tz::TimeZone;

use super::super::report;
use super::{place_or, plan};
use crate::report::{Report, exit, print};

/// List buckets, or what is in one.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`; all buckets without it.
    place: Option<String>,
    /// All that is below.
    #[arg(long)]
    recursive: bool,
    /// Sizes in KiB, MiB ...
    #[arg(long)]
    human_readable: bool,
    /// How many objects there are, and how large they are together.
    #[arg(long)]
    summarize: bool,
    /// How many objects a page has.
    #[arg(long, value_name = "COUNT")]
    page_size: Option<u32>,
    /// Who pays, of buckets whose owners do not.
    #[arg(long, value_parser = ["requester"])]
    request_payer: Option<String>,
    /// Only buckets of this region.
    #[arg(long, value_name = "REGION")]
    bucket_region: Option<String>,
    /// Only buckets whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    bucket_name_prefix: Option<String>,
}

/// Prints it.
pub(super) async fn run(client: &Client, args: &Args) -> Result<u8, Report> {
    let Some(place) = args.place.as_deref().filter(|it| *it != "s3://") else {
        let mut params = Map::new();
        for (name, value) in
            [("BucketRegion", &args.bucket_region), ("Prefix", &args.bucket_name_prefix)]
        {
            if let Some(value) = value {
                params.insert(name.to_owned(), value.as_str().into());
            }
        }
        let all = client.all("s3", "ListBuckets", params).await;
        let all = all.map_err(|error| report(&error))?;
        let mut text = String::new();
        for bucket in all.get("Buckets").map(Value::items).unwrap_or_default() {
            let name = bucket.get("Name").and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(text, "{} {name}", time(bucket.get("CreationDate")));
        }
        print(&text)?;
        return Ok(exit::OK);
    };
    let with_scheme =
        if place.starts_with("s3://") { place.to_owned() } else { format!("s3://{place}") };
    let (bucket, prefix) = place_or(&with_scheme)?;
    let mut params = Map::new();
    params.insert("Bucket".to_owned(), bucket.as_str().into());
    params.insert("Prefix".to_owned(), prefix.as_str().into());
    if !args.recursive {
        params.insert("Delimiter".to_owned(), "/".into());
    }
    if let Some(size) = args.page_size {
        params.insert("MaxKeys".to_owned(), i64::from(size).into());
    }
    if let Some(payer) = &args.request_payer {
        params.insert("RequestPayer".to_owned(), payer.as_str().into());
    }
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    let mut failed = None;
    let folder = prefix.rfind('/').map_or("", |it| &prefix[..=it]);
    let name = |key: &str| {
        // There are servers that list what does not begin with what was asked for.
        let short = key.strip_prefix(folder).filter(|_| !args.recursive);
        short.unwrap_or(key).to_owned()
    };
    let mut folders = 0_u64;
    client
        .pages("s3", "ListObjectsV2", params, |page| {
            let mut text = String::new();
            for folder in page.get("CommonPrefixes").map(Value::items).unwrap_or_default() {
                let key = folder.get("Prefix").and_then(Value::as_str).unwrap_or_default();
                folders += 1;
                let _ = writeln!(text, "{:>30} {}", "PRE", name(key));
            }
            for object in page.get("Contents").map(Value::items).unwrap_or_default() {
                let key = object.get("Key").and_then(Value::as_str).unwrap_or_default();
                let size = plan::number(object.get("Size"));
                objects += 1;
                bytes += size;
                let shown = if args.human_readable { human(size) } else { size.to_string() };
                let when = time(object.get("LastModified"));
                let _ = writeln!(text, "{when} {shown:>10} {}", name(key));
            }
            failed = print(&text).err();
            failed.is_none()
        })
        .await
        .map_err(|error| report(&error))?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    if args.summarize {
        let shown = if args.human_readable { human(bytes) } else { bytes.to_string() };
        print(&format!("\nTotal Objects: {objects}\n   Total Size: {shown}\n"))?;
    }
    // As for the AWS CLI: what is not there is no error of a bucket's.
    Ok(if objects + folders == 0 && !prefix.is_empty() { exit::ERROR } else { exit::OK })
}

/// `2026-01-02 03:04:05`, where this machine is.
fn time(value: Option<&Value>) -> String {
    match value {
        Some(Value::Timestamp(time)) => {
            time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        _ => " ".repeat(19),
    }
}

/// A size as people read it: `1.5 MiB`.
pub(super) fn human(size: u64) -> String {
    const UNITS: &[&str] = &["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size == 1 {
        return "1 Byte".to_owned();
    }
    if size < 1024 {
        return format!("{size} Bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let mut left = size as f64;
    let mut unit = "Bytes";
    for it in UNITS {
        // What would be shown as 1024.0 is the next unit's 1.0.
        if (left * 10.0).round() < 10240.0 {
            break;
        }
        left /= 1024.0;
        unit = it;
    }
    format!("{left:.1} {unit}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_read_easily() {
        for (size, text) in [
            (0, "0 Bytes"),
            (1, "1 Byte"),
            (1023, "1023 Bytes"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_610_612_736, "1.5 GiB"),
        ] {
            assert_eq!(super::human(size), text);
        }
    }
}
