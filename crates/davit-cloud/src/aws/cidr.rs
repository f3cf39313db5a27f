//! Ranges of addresses, as AWS writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `10.0.1.5/24` as `10.0.1.0/24`, `FD00:0::/8` as `fd00::/8`: as AWS gives it back. A text that is
/// no range stays as it is.
#[must_use]
pub fn canonical(range: &str) -> String {
    let parsed = range.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?))
    });
    match parsed {
        Some((IpAddr::V4(address), bits)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv4Addr::from(u32::from(address) & mask))
        }
        Some((IpAddr::V6(address), bits)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv6Addr::from(u128::from(address) & mask))
        }
        _ => range.to_owned(),
    }
}

/// Whether a text is a range of IPv6.
#[must_use]
pub fn is_v6(range: &str) -> bool {
    range.split_once('/').is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_of_hosts_go() {
        for (range, expect) in [
            ("10.0.1.5/24", "10.0.1.0/24"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("1.2.3.4/32", "1.2.3.4/32"),
            ("FD00:0:0::1/8", "fd00::/8"),
            ("::1/0", "::/0"),
            ("64:ff9b::/96", "64:ff9b::/96"),
            ("1.2.3.4/33", "1.2.3.4/33"),
            ("1.2.3.4", "1.2.3.4"),
            ("sg-1/2", "sg-1/2"),
        ] {
            assert_eq!(canonical(range), expect);
        }
        assert!(is_v6("::/0") && !is_v6("0.0.0.0/0") && !is_v6("::"));
    }

    proptest! {
        #[test]
        fn any_text_has_one_and_that_one_stays(range in "[0-9a-f:./]{0,20}|[0-9.]{7}/[0-9]{1,3}") {
            let once = canonical(&range);
            prop_assert_eq!(&canonical(&once), &once);
        }
    }
}
