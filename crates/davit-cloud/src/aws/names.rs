//! What AWS calls `SubnetIds` is `subnet_ids` in results, as the original's collection for AWS has
//! it.

use serde_json::{Map, Value};

/// `SubnetIds` as `subnet_ids`.
///
/// Words begin at a capital that a small letter follows, and at one behind a small letter or a
/// digit; three and more capitals with an `s` at the end are a plural (`TargetGroupARNs`).
#[must_use]
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let capitals =
        |end: usize| letters[..end].iter().rev().take_while(|it| it.is_ascii_uppercase());
    let plural = match letters.last() {
        Some('s') if capitals(letters.len() - 1).count() >= PLURAL => {
            letters.len() - 1 - capitals(letters.len() - 1).count()
        }
        _ => letters.len(),
    };
    let mut out = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        let is_small = |it: &char| it.is_ascii_lowercase();
        let begins = match at.checked_sub(1).map(|it| letters[it]) {
            None => false,
            _ if at >= plural => at == plural,
            Some(before) => {
                letter.is_ascii_uppercase()
                    && (letters.get(at + 1).is_some_and(is_small)
                        || is_small(&before)
                        || before.is_ascii_digit())
            }
        };
        if begins {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// So many capitals and an `s` are a plural.
const PLURAL: usize = 3;

/// The value with all names in it as [`snake`] has them. What stands under the names in `kept`,
/// which are those of AWS, stays as it is: tags and other maps whose names are the user's.
#[must_use]
pub fn snake_all(value: Value, kept: &[&str]) -> Value {
    match value {
        Value::Object(map) => {
            let named = map.into_iter().map(|(name, value)| {
                let value = if kept.contains(&&*name) { value } else { snake_all(value, kept) };
                (snake(&name), value)
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(|it| snake_all(it, kept)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        for (name, expect) in [
            ("SubnetIds", "subnet_ids"),
            ("HTTPEndpoint", "http_endpoint"),
            ("TargetGroupARNs", "target_group_arns"),
            ("ARNs", "arns"),
            ("ABCs", "abcs"),
            ("xABCs", "x_abcs"),
            ("NatGatewayIDs", "nat_gateway_i_ds"),
            ("CidrIPv6", "cidr_i_pv6"),
            ("EBSOptimized", "ebs_optimized"),
            ("MD5OfBody", "md5_of_body"),
            ("EC2InstanceId", "ec2_instance_id"),
            ("MultiAZ", "multi_az"),
            ("x-amz-acl", "x-amz-acl"),
            ("__type", "__type"),
            ("_Foo", "__foo"),
            ("Foo_Bar", "foo__bar"),
            ("Foo.Bar", "foo._bar"),
            ("aws:Tag", "aws:_tag"),
            ("aBC", "a_bc"),
            ("", ""),
            ("s", "s"),
        ] {
            assert_eq!(snake(name), expect, "{name}");
        }
    }

    #[test]
    fn names_that_are_the_users_stay() {
        let given = json!({"VpcId": "A", "TagSet": {"Name": 1}, "In": [{"IpRanges": ["CidrIp"]}]});
        let expect =
            json!({"vpc_id": "A", "tag_set": {"Name": 1}, "in": [{"ip_ranges": ["CidrIp"]}]});
        assert_eq!(snake_all(given, &["TagSet"]), expect);
    }

    proptest! {
        #[test]
        fn any_name_has_one(name in any::<String>()) {
            prop_assert!(snake(&name).len() >= name.to_lowercase().len());
        }
    }
}
