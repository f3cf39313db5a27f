//! What ARNs in the input of S3 Control say of the rest of it. Knows no rules.

use super::EndpointError;
use crate::{
    model::{Operation, Service},
    value::{Map, Value},
};

/// Takes over into the input what its ARNs say: for S3 Control the account that an access point or
/// bucket of an outpost belongs to. Any other service's input is left as it is.
///
/// # Errors
///
/// When the ARN is of something else, or the input names another account.
pub fn complete(
    service: &Service,
    operation: &Operation,
    input: &mut Map,
) -> Result<(), EndpointError> {
    let exempt = matches!(operation.name, "CreateBucket" | "ListRegionalBuckets");
    if service.metadata.endpoint_prefix != "s3-control" || exempt {
        return Ok(());
    }
    for (member, kind) in [("Name", "accesspoint"), ("Bucket", "bucket")] {
        if member == "Name" && operation.name == "CreateAccessPoint" {
            continue;
        }
        if let Some(account) = account_of(input, member, kind)? {
            input.insert("AccountId".to_owned(), Value::String(account));
        }
    }
    Ok(())
}

fn account_of(input: &Map, member: &str, kind: &str) -> Result<Option<String>, EndpointError> {
    let Some(arn) = input.get(member).and_then(Value::as_str) else { return Ok(None) };
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, region, account, resource] = fields.as_slice() else { return Ok(None) };
    let wrong = |reason| Err(EndpointError::Arn { arn: arn.to_owned(), reason });
    if region.starts_with("fips-") || region.ends_with("fips-") {
        return wrong("a FIPS region can be in no ARN");
    }
    let resource: Vec<&str> = resource.split(['/', ':']).collect();
    let fits = matches!(resource.as_slice(), ["outpost", _, of, _] if *of == kind);
    if !fits || *service != "s3-outposts" {
        return wrong("only what is of an outpost can be named by its ARN here");
    }
    let given = input.get("AccountId").and_then(Value::as_str);
    if given.is_some_and(|it| it != *account) {
        return wrong("its account is not the one that AccountId names");
    }
    Ok(Some((*account).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Store;

    /// The account after `complete`, or why there is none.
    fn account(name: &str, input: serde_json::Value) -> Result<String, String> {
        let store = Store::default();
        let service = store.service("s3control").expect("readable").expect("there");
        let operation = service.operation(name).expect("there");
        let Value::Map(mut input) = Value::from(input) else { unreachable!() };
        complete(service, operation, &mut input).map_err(|it| it.to_string())?;
        Ok(input.get("AccountId").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    #[test]
    fn the_account_of_an_arn_is_the_inputs() {
        let bucket = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-1:bucket:b";
        let of = |input| account("GetBucket", input);
        assert_eq!(of(serde_json::json!({"Bucket": bucket})).as_deref(), Ok("123456789012"));
        assert_eq!(
            of(serde_json::json!({"Bucket": "plain", "AccountId": "1"})).as_deref(),
            Ok("1")
        );
        assert!(of(serde_json::json!({"Bucket": bucket, "AccountId": "1"})).is_err());
        assert!(of(serde_json::json!({"Bucket": "arn:aws:s3:us-west-2:1:bucket:b"})).is_err());
        let point = "arn:aws:s3-outposts:us-west-2:12:outpost:op-1:accesspoint:a";
        let input = serde_json::json!({"Name": point});
        assert_eq!(account("GetAccessPoint", input.clone()).as_deref(), Ok("12"));
        assert_eq!(account("CreateAccessPoint", input).as_deref(), Ok(""));
    }
}
